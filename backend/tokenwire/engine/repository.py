"""Which files of a repository on the hub a server of models needs, and why it may need none.

Names and sizes only; it refuses to know where they come from. What it takes is what the catalogue
wants to see in a folder, so that nobody waits for gigabytes that then can't be served.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tokenwire.engine.hub_cache import HubFile


# Beside the weights. Python files are run only if a person sets trust_remote_code.
_BESIDE = (
    "*.json",
    "*.jinja",
    "*.txt",
    "*.model",
    "*.tiktoken",
    "*.py",
    "README*",
    "LICENSE*",
    "additional_chat_templates/*.jinja",
)
# The same weights again: in the layout of their maker, or in another precision.
_TWICE = ("consolidated*", "*.fp16*", "*.bf16*", "*.fp32*")


class CannotServe(Exception):
    """Nothing here can be served; the text is one sentence that says why."""


def choose(repo: str, files: Iterable[HubFile]) -> tuple[HubFile, ...]:
    """What to fetch, small files first: a refusal then comes before gigabytes. Raises
    CannotServe.
    """
    listed = list(files)
    root = [file for file in listed if "/" not in file.name]
    weights = [file for file in root if file.name.endswith(".safetensors")]
    weights = [file for file in weights if not _is(file, _TWICE)] or weights
    beside = [file for file in listed if _is(file, _BESIDE)]
    _check(repo, listed, beside, has_weights=bool(weights))
    return (*sorted(beside, key=lambda file: file.size), *weights)


def _check(repo: str, listed: list[HubFile], beside: list[HubFile], *, has_weights: bool) -> None:
    if not has_weights:
        kinds = [
            kind
            for kind in ("gguf", "bin", "pt", "pth", "onnx")
            if any(file.name.endswith(f".{kind}") for file in listed)
        ]
        only = f"its weights are only there as .{kinds[0]} files" if kinds else "it has no weights"
        raise CannotServe(
            f"{repo} can't be served: {only}. "
            "Look for a repository of it with .safetensors files beside config.json."
        )
    names = {file.name for file in beside}
    if "config.json" not in names:
        adapter = "adapter_config.json" in names
        raise CannotServe(
            f"{repo} can't be served: it has no config.json. "
            + (
                "It is an adapter: fetch the model that it is for."
                if adapter
                else "Look for a repository of it in the Hugging Face format."
            )
        )
    if not names & {"tokenizer.json", "tokenizer.model"}:
        raise CannotServe(
            f"{repo} can't be served: it has neither tokenizer.json nor tokenizer.model. "
            "Look for a repository of it that has one."
        )


def _is(file: HubFile, patterns: tuple[str, ...]) -> bool:
    # fnmatch's * goes over slashes, so a folder matches only if the pattern has one.
    return any(
        fnmatchcase(file.name, pattern) and file.name.count("/") == pattern.count("/")
        for pattern in patterns
    )
