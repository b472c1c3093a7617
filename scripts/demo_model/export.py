"""The shipped folder: weights in bfloat16, configuration, tokenizer and chat template, as Hugging
Face lays them out. It writes files whole or not at all, and refuses to know how they were learned.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from demo_model.vocabulary import CHAT_TEMPLATE, END, PAD, ROLES, START


if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

    from demo_model.model import Shape


WEIGHTS = "model.safetensors"
_SIZES = {
    "vocabulary": "vocab_size",
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "inner": "intermediate_size",
    "positions": "max_position_embeddings",
    "theta": "rope_theta",
    "epsilon": "rms_norm_eps",
}
SAMPLING = {"do_sample": True, "temperature": 0.3, "top_p": 0.9}


def write(folder: Path, shape: Shape, weights: dict[str, Tensor], tokenizer: Tokenizer) -> None:
    """Each file is written beside its place and renamed, so that nobody reads half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    rounded = {name: value.to(torch.bfloat16).contiguous() for name, value in weights.items()}
    part = folder / f"{WEIGHTS}.part"
    save_file(rounded, part, metadata={"format": "pt"})
    part.chmod(0o644)
    os.replace(part, folder / WEIGHTS)
    _replace(folder / "tokenizer.json", tokenizer.to_str())
    for name, content in _documents(shape, tokenizer).items():
        _replace(folder / name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read(folder: Path) -> dict[str, Any]:
    """A shipped folder's weights and sizes, as a training that starts from them wants them."""
    sizes = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = {ours: sizes[theirs] for ours, theirs in _SIZES.items()}
    weights = {name: value.float() for name, value in load_file(folder / WEIGHTS).items()}
    mean = {name: value.clone() for name, value in weights.items()}
    return {"shape": shape, "model": weights, "mean": mean}


def _replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def _documents(shape: Shape, tokenizer: Tokenizer) -> dict[str, dict[str, Any]]:
    start, end, pad = (tokenizer.token_to_id(token) for token in (START, END, PAD))
    special = {"bos_token_id": start, "eos_token_id": end, "pad_token_id": pad}
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        **{theirs: getattr(shape, ours) for ours, theirs in _SIZES.items()},
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head,
        "hidden_act": "silu",
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.theta},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "use_cache": True,
        **special,
    }
    words = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "eos_token": END,
        "pad_token": PAD,
        "additional_special_tokens": list(ROLES.values()),
        "clean_up_tokenization_spaces": False,
        "model_max_length": shape.positions,
        "chat_template": CHAT_TEMPLATE,
    }
    return {
        "config.json": config,
        "generation_config.json": {**special, **SAMPLING},
        "tokenizer_config.json": words,
    }
