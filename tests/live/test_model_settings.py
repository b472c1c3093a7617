"""What is set for one model, in the real engine: its arguments, environment, template, sampling,
system prompt and adapters; and what the engine tells of itself. One engine for the whole file."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from support.engines import answer, open_engines
from support.model import make_adapter, make_model
from support.server import engines_of, private_bytes, wait_gone
from tokenwire.engine.base import Delta, Prompt, Sampling
from tokenwire.engine.catalogue import describe
from tokenwire.engine.launch import VllmEngines
from tokenwire.engine.models import LiveNumbers, ModelInfo
from tokenwire.engine.options import ModelOptions, WrongSetting
from tokenwire.engine.vllm import VllmEngine
from tokenwire.errors import ModelUnavailable


pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]

TEMPLATE = "{% for message in messages %}[{{ message.role }}]{{ message.content }}{% endfor %}"
BROKEN = "{% for message in messages %}"
OWN = ModelOptions(
    engine_args={
        "worker_extension_cls": "support.told.Told",
        "max_model_len": 512,
        "dtype": "float32",
    },
    environment={"TOLD_TO_THE_ENGINE": "by its settings", "OMP_NUM_THREADS": "1"},
    sampling={"temperature": 0.0, "max_tokens": 9},
    system_prompt="Be brief.",
)
PROMPT = Prompt(tuple(range(20, 60)))


@dataclass(frozen=True, slots=True)
class Room:
    """The engine of a model with settings, and how others are started."""

    engine: VllmEngine
    engines: VllmEngines
    path: Path

    async def refused(self, model: str) -> str:
        """What a person is told of a model that can't be loaded."""
        with pytest.raises(ModelUnavailable) as refusal:
            await self.engines.start(info(model, self.path), lambda _: None)
        return str(refusal.value)


def info(model: str, path: Path) -> ModelInfo:
    return ModelInfo(id=model, path=str(path), context_length=1024)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Room]:
    folder = tmp_path_factory.mktemp("settings")
    path = make_model(folder / "model")
    (folder / "chat.jinja").write_text(TEMPLATE)
    adapters = {
        "pirate": str(make_adapter(folder / "pirate")),
        "poet": str(make_adapter(folder / "poet", seed=2, rank=9)),
        "torn": str(make_adapter(folder / "torn")),
        "lost": str(folder / "nowhere"),
    }
    (folder / "torn" / "adapter_model.safetensors").write_bytes(b"no weights")
    large = str(make_adapter(folder / "large", rank=512))
    models = {
        "m": replace(OWN, chat_template=str(folder / "chat.jinja"), adapters=adapters),
        "typo": ModelOptions(engine_args={"max_model_lne": 512}),
        "lost": ModelOptions(chat_template=str(folder / "none.jinja")),
        "roomy": ModelOptions(adapters=dict.fromkeys("abcd", large)),
        "plain": ModelOptions(),
    }
    with open_engines(folder / "run", models) as engines:
        engine = await engines.start(info("m", path), lambda _: None)
        try:
            yield Room(engine, engines, path)
        finally:
            left = engines_of(os.getpid())
            await engine.close()
        assert not wait_gone(left, 10)


async def test_its_engine_arguments_and_its_environment_are_in_force(room: Room) -> None:
    llm: Any = room.engine._llm  # pyright: ignore[reportPrivateUsage]

    assert room.engine.limits.context_length == 512
    told = await llm.collective_rpc("told_variable", args=("TOLD_TO_THE_ENGINE",))
    assert told == ["by its settings"]
    assert "TOLD_TO_THE_ENGINE" not in os.environ
    assert await llm.collective_rpc("told_threads") == [1]


async def test_its_template_and_its_system_prompt_make_its_chats(room: Room) -> None:
    llm = room.engine._llm  # pyright: ignore[reportPrivateUsage]

    async def rendered(*messages: tuple[str, str]) -> str:
        chat: list[dict[str, object]] = [{"role": r, "content": text} for r, text in messages]
        prompt = await room.engine.render(chat)
        return llm.get_tokenizer().decode(list(prompt.token_ids))

    assert await rendered(("user", "Hello")) == "[system]Be brief.[user]Hello"
    assert await rendered(("system", "No."), ("user", "Hello")) == "[system]No.[user]Hello"


async def test_its_sampling_is_what_a_request_has_that_says_nothing(room: Room) -> None:
    ids = list[int]()
    silent = await answer(
        room.engine, PROMPT, Sampling(ignore_eos=True), lambda delta: ids.extend(delta.token_ids)
    )

    assert len(ids) == 9
    asked = Sampling(ignore_eos=True, temperature=0.0, max_tokens=30)
    assert (await answer(room.engine, PROMPT, asked)).startswith(silent.rstrip("\ufffd"))


async def test_it_tells_what_it_does_and_what_it_has_done(room: Room) -> None:
    before, seen = room.engine.totals(), list[LiveNumbers]()
    long = Sampling(ignore_eos=True, max_tokens=60)

    def look(_: Delta) -> None:
        seen.append(room.engine.live())

    await asyncio.gather(*(answer(room.engine, PROMPT, long, look) for _ in range(3)))
    after = room.engine.totals()

    assert after.generation_tokens - before.generation_tokens == 180
    assert after.prompt_tokens - before.prompt_tokens == 3 * len(PROMPT.token_ids)
    assert after.prefix_queries - before.prefix_queries >= 3 * len(PROMPT.token_ids)
    assert after.prefix_hits > before.prefix_hits
    busy = seen[len(seen) // 2]
    assert (busy.running, busy.waiting) == (3, 0)
    assert 0 < busy.kv_cache_usage < 1
    assert busy.tokens_per_second > 1
    assert 0 < (busy.prefix_cache_hit_rate or 0) < 1
    idle = room.engine.live()
    assert idle == LiveNumbers(prefix_cache_hit_rate=idle.prefix_cache_hit_rate)


LONG = Sampling(ignore_eos=True, temperature=0.0, max_tokens=80)
SEEDED = replace(LONG, temperature=1.0, seed=7)


async def test_adapters_are_models_of_their_own_in_one_batch(room: Room) -> None:
    pirate, poet = room.engine.adapted("pirate"), room.engine.adapted("poet")
    every = (room.engine, pirate, poet)

    alone = [await answer(engine, PROMPT, LONG) for engine in every]
    assert len(set(alone)) == 3
    assert list(await asyncio.gather(*(answer(each, PROMPT, LONG) for each in every))) == alone
    assert pirate.limits is room.engine.limits
    assert await pirate.render([{"role": "user", "content": "Hello"}]) == await room.engine.render(
        [{"role": "user", "content": "Hello"}]
    )


async def test_an_adapters_answer_outlives_its_engine(room: Room) -> None:
    pirate, poet = room.engine.adapted("pirate"), room.engine.adapted("poet")
    orders = [(room.engine, LONG), (pirate, LONG), (poet, SEEDED)]
    undisturbed = [await answer(each, PROMPT, how) for each, how in orders]
    (pid,) = engines_of(os.getpid())
    heard = list[Delta]()

    def kill_once(delta: Delta) -> None:
        heard.append(delta)
        if len(heard) == 40:
            os.kill(pid, signal.SIGKILL)

    going = [answer(each, PROMPT, how, kill_once) for each, how in orders]
    assert list(await asyncio.gather(*going)) == undisturbed
    assert engines_of(os.getpid()) != [pid]
    assert pirate.alive


async def test_an_adapter_that_is_broken_is_refused_and_nothing_else(room: Room) -> None:
    with pytest.raises(ModelUnavailable, match=r"adapter lost can't be loaded: .*adapter_config"):
        room.engine.adapted("lost")
    with pytest.raises(
        ModelUnavailable, match=r"adapter torn can't be loaded: Error while deser.*\w\.$"
    ):
        room.engine.adapted("torn")
    with pytest.raises(ModelUnavailable, match="not among those of its model"):
        room.engine.adapted("stranger")


async def test_the_places_of_adapters_are_in_what_a_model_needs(room: Room) -> None:
    need, taken = dict[str, int](), dict[str, int]()
    for model in ("plain", "roomy"):
        before = set(engines_of(os.getpid()))
        told = describe(room.path, model)
        need[model] = room.engines.need(told) or 0
        engine = await room.engines.start(told, lambda _: None)
        try:
            await answer(engine, PROMPT, LONG)
            (pid,) = set(engines_of(os.getpid())) - before
            taken[model] = private_bytes(pid)
        finally:
            await engine.close()

    counted, found = (of["roomy"] - of["plain"] for of in (need, taken))
    assert 0.6 * counted < found < 1.4 * counted
    assert taken["roomy"] < need["roomy"]


async def test_settings_that_are_wrong_are_refused_with_a_sentence(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await room.refused("typo") == (
        "typo could not be loaded: vLLM has no engine argument 'max_model_lne'; "
        "did you mean 'max_model_len'?"
    )
    assert (await room.refused("lost")).startswith(
        "lost could not be loaded: its chat_template can't be read: "
    )
    monkeypatch.setattr(room.engine, "_options", replace(OWN, chat_template=BROKEN))
    with pytest.raises(WrongSetting, match=r"its chat_template can't be used: .*endfor"):
        await room.engine.try_settings()
