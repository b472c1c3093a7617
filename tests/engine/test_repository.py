"""Which files of a repository are taken, and the sentence where there is nothing to take."""

from __future__ import annotations

import pytest

from tokenwire.engine.hub_cache import HubFile
from tokenwire.engine.repository import CannotServe, choose


BESIDE = ["config.json", "tokenizer.json"]


def chosen(*names: str) -> list[str]:
    return [file.name for file in choose("a/b", [HubFile(name, 1, "0" * 40) for name in names])]


def test_weights_come_last_and_in_order() -> None:
    shards = [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]

    assert chosen(*shards, *BESIDE) == [*BESIDE, *shards]


@pytest.mark.parametrize(
    "name",
    [
        "generation_config.json",
        "model.safetensors.index.json",
        "chat_template.jinja",
        "merges.txt",
        "tokenizer.model",
        "qwen.tiktoken",
        "tokenization_own.py",
        "README.md",
        "LICENSE",
        "additional_chat_templates/tool_use.jinja",
        "mtp.safetensors",
    ],
)
def test_what_a_model_needs_is_taken(name: str) -> None:
    assert name in chosen(*BESIDE, "model.safetensors", name)


@pytest.mark.parametrize(
    "name",
    [
        "pytorch_model.bin",
        "model.pt",
        "model.gguf",
        "onnx/model.onnx",
        "onnx/config.json",
        "original/consolidated.00.pth",
        "original/tokenizer.model",
        "consolidated.safetensors",
        "model.fp16.safetensors",
        "text_encoder/model.safetensors",
        ".gitattributes",
        "picture.png",
    ],
)
def test_what_it_does_not_need_is_left(name: str) -> None:
    assert name not in chosen(*BESIDE, "model.safetensors", name)


def test_weights_that_are_only_there_in_their_makers_layout_are_taken() -> None:
    assert "consolidated.safetensors" in chosen(*BESIDE, "consolidated.safetensors")


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["a.gguf", *BESIDE], r"only there as \.gguf files"),
        (["pytorch_model.bin", *BESIDE], r"only there as \.bin files"),
        (["unet/x.safetensors", *BESIDE], r"it has no weights"),
        (BESIDE, "it has no weights"),
        (["model.safetensors", "tokenizer.json"], r"it has no config\.json\. Look for"),
        (["adapter_model.safetensors", "adapter_config.json"], "It is an adapter"),
        (["model.safetensors", "config.json", "vocab.json"], "neither tokenizer"),
    ],
)
def test_what_can_not_be_served_is_said(names: list[str], why: str) -> None:
    with pytest.raises(CannotServe, match=why):
        chosen(*names)
