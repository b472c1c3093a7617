"""A short list of models to begin with: small enough for a CPU or for one GPU, freely licensed, and
of architectures that vLLM serves.

What stands here was true when it was written. It is what a person chooses by; what a model really
is, the hub says when it is fetched, and its folder when it is here.
"""

from __future__ import annotations

from typing import Final

from tokenwire.engine.models import ModelInfo


_APACHE = "apache-2.0"
MB, GB = 10**6, 10**9


def _listed(
    id: str,
    size_bytes: float,
    context_length: int,
    description: str,
    *,
    licence: str = _APACHE,
    modalities: tuple[str, ...] = ("text",),
) -> ModelInfo:
    return ModelInfo(
        id=id,
        path="",
        source="hub",
        owned_by=id.split("/", 1)[0],
        size_bytes=round(size_bytes),
        context_length=context_length,
        description=description,
        licence=licence,
        modalities=modalities,
    )


_SEES = ("text", "image")

CURATED: Final = (
    _listed(
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        269 * MB,
        8192,
        "The smallest that holds a conversation; good to try things out.",
    ),
    _listed(
        "HuggingFaceTB/SmolLM2-360M-Instruct", 724 * MB, 8192, "Small and quick, on any machine."
    ),
    _listed(
        "Qwen/Qwen3-0.6B",
        1.5 * GB,
        40_960,
        "The one to begin with on a CPU: it thinks, calls tools and knows many languages.",
    ),
    _listed(
        "HuggingFaceTB/SmolLM2-1.7B-Instruct", 3.4 * GB, 8192, "English, plain and dependable."
    ),
    _listed(
        "Qwen/Qwen3-1.7B", 4.1 * GB, 40_960, "Thinks and calls tools; a strong CPU, or any GPU."
    ),
    _listed(
        "HuggingFaceTB/SmolLM3-3B",
        6.2 * GB,
        65_536,
        "Fully open, also its data; six languages, thinks when asked.",
    ),
    _listed(
        "ibm-granite/granite-4.0-micro",
        6.8 * GB,
        131_072,
        "For work with documents and tools.",
    ),
    _listed(
        "Qwen/Qwen3-4B-Instruct-2507",
        8.1 * GB,
        262_144,
        "Answers at once, without thinking; a long context. For a GPU of 12 GB.",
    ),
    _listed(
        "Qwen/Qwen3.5-4B",
        9.3 * GB,
        262_144,
        "The one to begin with on a GPU of 16 GB: thinks, calls tools, 201 languages.",
        modalities=_SEES,
    ),
    _listed(
        "openai/gpt-oss-20b",
        13.8 * GB,
        131_072,
        "Thinks as long as you ask it to, and calls tools. For a GPU of 16 GB.",
    ),
    _listed("Qwen/Qwen3-8B", 16.4 * GB, 40_960, "Thinks and calls tools. For a GPU of 24 GB."),
    _listed(
        "Qwen/Qwen3.5-9B",
        19.3 * GB,
        262_144,
        "Stronger than its size; thinks, calls tools. For a GPU of 24 GB.",
        modalities=_SEES,
    ),
)
