"""Files of weights that are all header: what the product reads of them, and nothing to compute."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path


BYTES = {"F32": 4, "BF16": 2, "F16": 2, "I32": 4, "U8": 1, "F8_E4M3": 1}
BLOCK = (
    "input_layernorm",
    "mlp.down_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "self_attn.k_proj",
    "self_attn.o_proj",
    "self_attn.q_proj",
    "self_attn.v_proj",
)


def names_of(layers: int = 3) -> list[str]:
    """The weights of a small Llama."""
    blocks = [f"model.layers.{layer}.{part}.weight" for layer in range(layers) for part in BLOCK]
    return ["model.embed_tokens.weight", *blocks, "model.norm.weight", "lm_head.weight"]


def write_weights(
    file: Path, names: Iterable[str], dtype: str = "BF16", shape: tuple[int, ...] = (2, 4)
) -> Path:
    """A safetensors file of so many bytes, sparse on disk."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in names:
        start, end = end, end + math.prod(shape) * BYTES[dtype]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    header = json.dumps(entries).encode()
    with file.open("wb") as opened:
        opened.write(len(header).to_bytes(8, "little") + header)
        opened.truncate(8 + len(header) + end)
    return file
