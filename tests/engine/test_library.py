"""The library: the catalogue and the downloads as one list, with what was left half."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tokenwire.engine.catalogue import DEMO_ID
from tokenwire.engine.downloads import Downloads
from tokenwire.engine.hub_cache import CachedRepo, HubFile
from tokenwire.engine.library import LocalLibrary
from tokenwire.engine.models import ModelInfo, Transfer


@pytest.fixture(autouse=True)
def _hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def library(tmp_path: Path) -> LocalLibrary:
    return LocalLibrary(tmp_path, Downloads(), options={})


def found(library: LocalLibrary) -> dict[str, ModelInfo]:
    return {info.id: info for info in library.models()}


def begin(repo: str) -> None:
    """Leave a download half: 3 bytes of 10."""
    cached = CachedRepo(repo)
    blob = "a" * 40
    cached.begin("b" * 40, (HubFile("model.safetensors", 10, blob),))
    cached.part(blob).write_bytes(b"abc")


def test_what_was_left_half_is_listed_with_what_is_here(library: LocalLibrary) -> None:
    for repo in ("Qwen/Qwen3-0.6B", "some/other"):
        begin(repo)
    models = found(library)

    assert models["Qwen/Qwen3-0.6B"].half == models["some/other"].half == Transfer(3, 10)
    assert models["Qwen/Qwen3-0.6B"].licence == "apache-2.0"
    assert (models["some/other"].path, models["some/other"].owned_by) == ("", "some")


async def test_what_is_discarded_is_gone(library: LocalLibrary) -> None:
    begin("some/other")
    await library.discard("some/other")

    assert "some/other" not in found(library)


async def test_of_what_has_no_such_name_there_is_nothing_to_discard(library: LocalLibrary) -> None:
    await library.discard("a/b--c")


def test_what_vllm_does_not_know_is_listed_with_the_reason(
    tmp_path: Path, library: LocalLibrary
) -> None:
    folder = tmp_path / "models" / "odd"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architectures": ["OddForCausalLM"]}))
    (folder / "model.safetensors").write_bytes(b"x")
    (folder / "tokenizer.json").write_text("{}")
    assert found(library)["odd"].problem is None
    library.learn(frozenset({"LlamaForCausalLM"}))

    assert "OddForCausalLM" in (found(library)["odd"].problem or "")
    assert found(library)[DEMO_ID].problem is None
