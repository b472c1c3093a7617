"""A tiny language model that says something different each time: random weights, the demo model's
tokenizer. Made in a second, from one seed.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from support.server import ROOT


DEMO = ROOT / "backend" / "tokenwire" / "demo_model"


def make_model(folder: Path, *, context: int = 1024) -> Path:
    """Write it to `folder`. Its texts are full of characters of several bytes, and of halves."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(DEMO / name, folder)
    vocabulary = len(AutoTokenizer.from_pretrained(folder))
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=context,
        # Wide enough that the next token depends on all that came before.
        initializer_range=0.3,
        eos_token_id=vocabulary - 1,
        bos_token_id=None,
        pad_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(20)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder
