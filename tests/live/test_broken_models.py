"""Models that can't be loaded, with the real engine: each says why in a sentence, costs little, and
leaves the way free for the next.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from safetensors.torch import load_file, save_file

from support.engines import open_engines
from support.model import make_model
from support.server import engines_of, private_bytes, wait_gone
from support.weights import names_of, write_weights
from tokenwire.engine.base import Delta, Form, Prompt, Sampling
from tokenwire.engine.budget import fits, free_memory
from tokenwire.engine.catalogue import describe
from tokenwire.engine.checkpoint import NO_CHAT_TEMPLATE
from tokenwire.engine.launch import VllmEngines
from tokenwire.engine.models import ModelInfo, Stage
from tokenwire.engine.vllm import VllmEngine
from tokenwire.errors import InvalidRequest, ModelUnavailable


pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]

WEIGHTS = "model.safetensors"
HELLO: list[dict[str, object]] = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Generator[VllmEngines]:
    """The engine room, as the server opens it."""
    with open_engines(tmp_path_factory.mktemp("run")) as engines:
        yield engines


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "good")


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(good, tmp_path / "m"))


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _next_one_works(engines: VllmEngines, good: Path):
    """After each, nothing is left and a good model answers."""
    yield
    assert not wait_gone(running(), 5)
    engine = await load(engines, good)
    try:
        assert await answer(engine, Prompt((5, 6, 7)))
    finally:
        await engine.close()


def running() -> list[int]:
    return engines_of(os.getpid())


def nothing(_: Stage) -> None: ...


async def load(
    engines: VllmEngines, folder: Path, on_stage: Callable[[Stage], None] = nothing
) -> VllmEngine:
    info = ModelInfo(id="m", path=str(folder), context_length=1024)
    await engines.check(info)
    return await engines.start(info, on_stage)


async def answer(engine: VllmEngine, prompt: Prompt) -> tuple[int, ...]:
    deltas = list[Delta]()
    await engine.generate(prompt, Sampling(max_tokens=4, ignore_eos=True), "r", deltas.append)
    return tuple(id for delta in deltas for id in delta.token_ids)


async def refusal(
    engines: VllmEngines, folder: Path, on_stage: Callable[[Stage], None] = nothing
) -> str:
    """What is said of a load that fails."""
    with pytest.raises(ModelUnavailable) as refused:
        await load(engines, folder, on_stage)
    return str(refused.value)


def set_engine_args(
    engines: VllmEngines, monkeypatch: pytest.MonkeyPatch, **arguments: object
) -> None:
    options = replace(engines._options, engine_args=arguments)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(engines, "_options", options)


def drop(folder: Path, name: str) -> None:
    weights = load_file(folder / WEIGHTS)
    del weights[name]
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


async def test_broken_files_start_nothing(engines: VllmEngines, folder: Path) -> None:
    drop(folder, "model.layers.1.mlp.up_proj.weight")
    stages = list[Stage]()
    missing = "model.layers.1.mlp.up_proj.weight is not there."
    assert missing in await refusal(engines, folder, stages.append)
    size = (folder / WEIGHTS).stat().st_size
    os.truncate(folder / WEIGHTS, size - 1000)
    assert f"it has {size - 1000:,} bytes" in await refusal(engines, folder, stages.append)
    assert stages == []


async def test_a_weight_that_only_vllm_misses_is_named(engines: VllmEngines, folder: Path) -> None:
    drop(folder, "model.norm.weight")

    assert await refusal(engines, folder) == (
        "m could not be loaded: Its weights are incomplete: model.norm.weight is not there."
    )


async def test_an_unknown_architecture_is_named(engines: VllmEngines, folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["FooForCausalLM"]}))
    stages = list[Stage]()

    assert await refusal(engines, folder, stages.append) == (
        "m could not be loaded: vLLM doesn't know its architecture, FooForCausalLM."
    )
    assert [stage.name for stage in stages] == ["importing"]
    known = await engines.architectures()
    assert {"LlamaForCausalLM", "Qwen3ForCausalLM"} <= known
    assert "FooForCausalLM" not in known


async def test_too_little_memory_names_the_settings(
    engines: VllmEngines, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        # The engine process finds this out, outside of our executor.
        set_engine_args(engines, patch, kv_cache_memory_bytes=1 << 16)
        said = await refusal(engines, good)
        assert "no room for one context of 1024 tokens" in said
        assert "lower `max_model_len` to 224, or raise `kv_cache_bytes`." in said
        set_engine_args(engines, patch, kv_cache_memory_bytes=1 << 50)
        assert "lower `kv_cache_bytes`" in await refusal(engines, good)
        set_engine_args(engines, patch, kv_cache_memory_byte=1)
        assert "did you mean 'kv_cache_memory_bytes'?" in await refusal(engines, good)


async def test_a_model_that_is_too_large_is_known_before_it_is_started(
    engines: VllmEngines, folder: Path, good: Path
) -> None:
    write_weights(folder / WEIGHTS, names_of(), shape=(1 << 20, 1 << 15))
    need = engines.need(describe(folder, "m"))
    assert need is not None
    said = fits(need, free_memory())
    assert said is not None
    assert re.fullmatch(r"It needs 18\d\d\.\d GB and [\d.]+ GB are free\.", said)
    # What is said of one that fits is what it takes.
    info = describe(good, "m")
    need = engines.need(info)
    assert need is not None
    assert fits(need, free_memory()) is None
    engine = await engines.start(info, nothing)
    try:
        await answer(engine, Prompt((1, 2, 3)))
        taken = private_bytes(max(running()))
        assert 0.6 * need < taken < need
    finally:
        await engine.close()


async def test_without_a_chat_template_raw_text_is_answered(
    engines: VllmEngines, folder: Path
) -> None:
    config: dict[str, object] = json.loads((folder / "tokenizer_config.json").read_text())
    assert config.pop("chat_template")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    engine = await load(engines, folder)
    try:
        with pytest.raises(InvalidRequest) as refused:
            await engine.render(HELLO)
        assert str(refused.value) == NO_CHAT_TEMPLATE
        prompt = await engine.render(HELLO, Form(raw=True))
        assert len(await answer(engine, prompt)) == 4
    finally:
        await engine.close()


async def test_an_engine_that_is_killed_while_it_loads_is_told(
    engines: VllmEngines, good: Path
) -> None:
    def kill(stage: Stage) -> None:
        if stage.name == "init_device":
            for pid in running():
                os.kill(pid, signal.SIGKILL)

    assert await refusal(engines, good, kill) == (
        "The engine process was killed while it loaded m (signal 9); the machine may be out of "
        "memory."
    )


async def test_a_cancelled_load_ends_at_once_and_no_other_engine_does(
    engines: VllmEngines, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await load(engines, good)
    try:
        before = set(running())
        # Memory that takes a while to be written.
        set_engine_args(engines, monkeypatch, kv_cache_memory_bytes=1 << 30)
        for moment in ("importing", "init_device", "kv_alloc"):
            took = await cancelled(engines, good, moment)
            # The engine thread is free too.
            await asyncio.wait_for(engines.architectures(), 1)
            assert set(running()) == before
            assert took < 1
        assert await answer(other, Prompt((1, 2, 3)))
    finally:
        monkeypatch.undo()
        await other.close()


async def cancelled(engines: VllmEngines, folder: Path, moment: str) -> float:
    """Load, and cancel at a stage. Returns the seconds that the cancel took."""
    reached = asyncio.Event()

    def look(stage: Stage) -> None:
        if stage.name == moment:
            reached.set()

    loading = asyncio.create_task(load(engines, folder, look))
    await reached.wait()
    began = time.monotonic()
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    return time.monotonic() - began
