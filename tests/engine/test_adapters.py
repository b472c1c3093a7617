"""The adapters of a model: what is read of their folders, and what an engine is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tokenwire.engine.adapters import Adapter, adapter_arguments, read_adapters


def write(folder: Path, *, weights: str = "adapter_model.safetensors", **config: object) -> str:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / weights).write_bytes(bytes(9))
    return str(folder)


def test_what_is_read_of_them_is_their_rank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    plain = write(tmp_path / "plain", peft_type="LORA", r=16)
    uneven = write(
        tmp_path / "uneven", r=8, rank_pattern={"q_proj": 24}, weights="adapter_model.bin"
    )

    assert read_adapters({"a": plain, "b": uneven, "c": "~/plain"}) == [
        Adapter("a", plain, 16, 9),
        Adapter("b", uneven, 24, 9),
        Adapter("c", plain, 16, 9),
    ]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, "no adapter_config.json"),
        ({"peft_type": "IA3", "r": 8}, "no LoRA adapter but IA3"),
        ({"peft_type": "LORA"}, "its rank"),
        ({"r": 1024}, "its rank"),
        ({"r": 8, "rank_pattern": {"q_proj": "high"}}, "its rank"),
        ({"r": 8, "weights": "weights.safetensors"}, "there are no weights"),
    ],
)
def test_one_that_is_broken_has_its_reason(
    config: dict[str, object], problem: str, tmp_path: Path
) -> None:
    weights = str(config.pop("weights", "adapter_model.safetensors"))
    (adapter,) = read_adapters({"a": write(tmp_path / "a", weights=weights, **config)})

    assert problem in (adapter.problem or "")
    assert adapter_arguments([adapter]) == {}


def test_an_engine_has_room_for_the_largest_and_for_a_few_at_once() -> None:
    small, large = Adapter("a", "a", 4), Adapter("b", "b", 33)
    broken = Adapter("c", "c", problem="lost")

    assert adapter_arguments([]) == {}
    assert adapter_arguments([small, broken]) == {
        "enable_lora": True,
        "max_loras": 1,
        "max_lora_rank": 8,
    }
    assert adapter_arguments([small, large])["max_lora_rank"] == 64
    assert adapter_arguments([small] * 20)["max_loras"] == 8
