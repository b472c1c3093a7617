"""VllmEngine over a scripted AsyncLLM: what becomes of its errors, of a cancel and of a resume."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from vllm import SamplingParams
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

from support.waiting import until
from tokenwire.engine.base import Delta, Prompt, Resume, Sampling
from tokenwire.engine.hooks import AnswerComplete
from tokenwire.engine.ledger import RecoveryPolicy
from tokenwire.engine.vllm import EngineOptions, VllmEngine
from tokenwire.errors import EngineDead


PROMPT = Prompt((1, 2, 3))


def output(text: str, *ids: int, finish: str | None = None, why: Any = None) -> RequestOutput:
    step = CompletionOutput(0, text, list(ids), None, None, finish_reason=finish, stop_reason=why)
    return RequestOutput("r", None, [1, 2, 3], None, [step], finished=finish is not None)


class Llm:
    """Says `steps`; after them it waits for ever. `settled` opens the engine's hands."""

    def __init__(self, *steps: RequestOutput | Exception) -> None:
        self.steps = steps
        self.params: list[SamplingParams] = []
        self.aborted = False
        self.settling = 0
        self.settled = asyncio.Event()
        self.handling = False
        self.errored = False
        self.engine_core = self
        self.output_handler = None
        self.model_config = SimpleNamespace(
            max_model_len=100, get_diff_sampling_param=lambda: {"temperature": 0.5}
        )
        self.vllm_config = SimpleNamespace(cache_config=SimpleNamespace(kv_cache_size_tokens=9))

    def _run_output_handler(self) -> None:
        self.handling = True

    async def generate(
        self, prompt: object, params: SamplingParams, request_id: str, *, priority: int
    ) -> AsyncGenerator[RequestOutput, None]:
        del prompt, request_id, priority
        self.params.append(params)
        try:
            for step in self.steps:
                if isinstance(step, Exception):
                    raise step
                yield step
                if step.finished:
                    return
            await asyncio.Event().wait()
        except (GeneratorExit, asyncio.CancelledError):
            self.aborted = True
            raise

    async def settle(self) -> None:
        assert self.aborted
        self.settling += 1
        await self.settled.wait()


def engine(llm: Llm, *, let_go_s: float = 60.0) -> VllmEngine:
    policy = RecoveryPolicy(let_go_s=let_go_s)
    return VllmEngine(cast("Any", llm), EngineOptions(run_dir=Path(), recovery=policy))


async def read(llm: Llm, resume: Resume | None = None) -> list[Delta]:
    return [delta async for delta in engine(llm).generate(PROMPT, Sampling(), "r", resume)]


async def test_it_listens_for_deaths_from_the_start() -> None:
    llm = Llm()
    engine(llm)
    assert llm.handling


async def test_a_request_that_is_given_up_fails_with_its_reason_after_its_text() -> None:
    llm = Llm(output("a", 1), output("b", 2, finish="error", why="It was to blame."))
    stream = engine(llm).generate(PROMPT, Sampling(), "r")
    assert [await anext(stream), await anext(stream)] == [Delta("a", (1,)), Delta("b", (2,))]
    with pytest.raises(EngineDead, match=r"It was to blame\."):
        await anext(stream)
    assert llm.settling == 0


async def test_a_failure_without_a_reason_has_a_sentence_too() -> None:
    with pytest.raises(EngineDead, match="engine process"):
        await read(Llm(output("", finish="error")))


async def test_a_death_beyond_recovery_goes_through() -> None:
    with pytest.raises(EngineDead):
        await read(Llm(output("a", 1), EngineDeadError()))


async def test_a_resumed_answer_has_the_original_prompt_and_its_ids_beside_it() -> None:
    llm = Llm(output("c", 3, finish="stop"))
    assert await read(llm, Resume((1, 2), 5)) == [Delta("c", (3,), "stop")]
    assert llm.params[0].extra_args == {"resume_ids": [1, 2], "resume_sent": 5}
    assert llm.params[0].max_tokens == 97


@pytest.mark.parametrize("resume", [None, Resume((), 0)])
async def test_an_answer_that_begins_goes_on_from_nothing(resume: Resume | None) -> None:
    llm = Llm(output("c", 3, finish="stop"))
    await read(llm, resume)
    assert llm.params[0].extra_args is None


@pytest.mark.parametrize("finish", ["stop", "length"])
async def test_an_answer_that_had_ended_ends_at_once(finish: Any) -> None:
    error = EngineGenerateError()
    error.__cause__ = AnswerComplete(finish, "rest")
    assert await read(Llm(error), Resume((1,), 0)) == [Delta("rest", (), finish)]


async def test_any_other_failure_of_one_request_stays_what_it_is() -> None:
    with pytest.raises(EngineGenerateError):
        await read(Llm(EngineGenerateError()), Resume((1,), 0))


async def test_a_cancel_waits_until_the_engine_has_let_go() -> None:
    llm = Llm(output("a", 1))
    stream = engine(llm).generate(PROMPT, Sampling(), "r")
    await anext(stream)
    closing = asyncio.ensure_future(stream.aclose())
    await until(lambda: llm.settling == 1)
    assert not closing.done()
    llm.settled.set()
    await closing


async def test_so_does_the_cancel_of_a_reader_that_waits() -> None:
    llm = Llm()
    reading = asyncio.ensure_future(read(llm))
    await until(lambda: bool(llm.params))
    reading.cancel()
    await until(lambda: llm.settling == 1)
    assert not reading.done()
    llm.settled.set()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_it_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    llm = Llm(output("a", 1))
    stream = engine(llm, let_go_s=0.001).generate(PROMPT, Sampling(), "r")
    await anext(stream)
    await stream.aclose()
    assert "let go of r" in caplog.text


async def test_an_answer_that_has_ended_is_not_waited_for() -> None:
    llm = Llm(output("a", 1, finish="stop"))
    stream = engine(llm).generate(PROMPT, Sampling(), "r")
    await anext(stream)
    await stream.aclose()
    assert llm.settling == 0
