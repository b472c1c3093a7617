"""A tiny language model that says something different each time: random weights, the demo model's
tokenizer. Made in a second, from one seed. Beside it LoRA adapters that make another of it.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from transformers import (
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from support.server import ROOT


HIDDEN, LAYERS = 64, 2
Kind = Literal["llama", "qwen3"]
_KINDS: dict[Kind, Any] = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
}
DEMO = ROOT / "backend" / "tokenwire" / "demo_model"


def make_model(folder: Path, *, context: int = 1024, kind: Kind = "llama") -> Path:
    """Write it to `folder`. Its texts are full of characters of several bytes, and of halves."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(DEMO / name, folder)
    vocabulary = len(AutoTokenizer.from_pretrained(folder))
    config_of, model_of = _KINDS[kind]
    config = config_of(
        vocab_size=vocabulary,
        hidden_size=HIDDEN,
        intermediate_size=128,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=HIDDEN // 2,
        max_position_embeddings=context,
        # Wide enough that the next token depends on all that came before.
        initializer_range=0.3,
        eos_token_id=vocabulary - 1,
        bos_token_id=None,
        pad_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(20)
        model_of(config).save_pretrained(folder)
    return folder


def make_adapter(folder: Path, *, seed: int = 1, rank: int = 4) -> Path:
    """Write one for that model to `folder`, with weights so large that its texts are others."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = ("q_proj", "o_proj")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        weights = {
            f"base_model.model.model.layers.{layer}.self_attn.{part}.lora_{side}.weight": (
                torch.randn(shape)
            )
            for layer in range(LAYERS)
            for part in parts
            for side, shape in (("A", (rank, HIDDEN)), ("B", (HIDDEN, rank)))
        }
    save_file(weights, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": 2 * rank,
        "target_modules": list(parts),
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder
