"""VllmEngine over a scripted AsyncLLM: what becomes of its errors, of a cancel and of a resume."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from vllm import SamplingParams
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.exceptions import EngineDeadError
from vllm.v1.engine.output_processor import RequestOutputCollector

from support.waiting import until
from tokenwire.engine.base import Delta, Prompt, Resume, Sampling
from tokenwire.engine.families import ParserNames
from tokenwire.engine.hooks import AnswerComplete
from tokenwire.engine.parsing import Parsers
from tokenwire.engine.vllm import VllmEngine
from tokenwire.errors import EngineDead


PROMPT = Prompt((1, 2, 3))


def output(text: str, *ids: int, finish: str | None = None, why: Any = None) -> RequestOutput:
    step = CompletionOutput(0, text, list(ids), None, None, finish_reason=finish, stop_reason=why)
    return RequestOutput("r", None, [1, 2, 3], None, [step], finished=finish is not None)


class Llm:
    """Says `steps`, the first `early` of them before its queue is handed out; after them it says
    nothing more. `settled` opens the engine's hands.
    """

    def __init__(self, *steps: RequestOutput | Exception, early: int = 0) -> None:
        self.steps = steps
        self.early = early
        self.params: list[SamplingParams] = []
        self.aborted: list[str] = []
        self.settling = 0
        self.settled = asyncio.Event()
        self.handling = False
        self.errored = False
        self.engine_core = self
        self.output_handler = None
        self.output_processor = SimpleNamespace(request_states=dict[str, object]())
        self.model_config = SimpleNamespace(
            hf_config=SimpleNamespace(model_type="any"),
            max_model_len=100,
            get_diff_sampling_param=lambda: {"temperature": 0.5},
        )
        self.vllm_config = SimpleNamespace(cache_config=SimpleNamespace(kv_cache_size_tokens=9))

    def _run_output_handler(self) -> None:
        self.handling = True

    async def add_request(
        self,
        request_id: str,
        prompt: object,
        params: SamplingParams,
        *,
        lora_request: object,
        priority: int,
    ) -> RequestOutputCollector:
        del prompt, lora_request, priority
        self.params.append(params)
        queue = RequestOutputCollector(RequestOutputKind.DELTA, request_id)
        for step in self.steps[: self.early]:
            queue.put(step)
        asyncio.get_running_loop().call_soon(self._say, queue)
        return queue

    def _say(self, queue: RequestOutputCollector) -> None:
        for step in self.steps[self.early :]:
            queue.put(step)

    async def abort(self, request_id: str, *, internal: bool = False) -> None:
        del internal
        self.aborted.append(request_id)

    async def settle(self) -> None:
        assert self.aborted
        self.settling += 1
        await self.settled.wait()


def engine(llm: Llm, *, let_go_s: float = 60.0) -> VllmEngine:
    config = SimpleNamespace(model_config=llm.model_config)
    parsers = Parsers(cast("Any", config), cast("Any", None), ParserNames(), sure=False)
    return VllmEngine(cast("Any", llm), parsers, max_running=256, let_go_s=let_go_s)


async def read(
    llm: Llm, resume: Resume | None = None, deltas: list[Delta] | None = None
) -> list[Delta]:
    deltas = [] if deltas is None else deltas
    await engine(llm).generate(PROMPT, Sampling(), "r", deltas.append, resume)
    return deltas


@asynccontextmanager
async def left_after_a_delta(llm: Llm, **options: float) -> AsyncGenerator[asyncio.Task[None]]:
    """A reader that was cancelled when it had something."""
    deltas = list[Delta]()
    answering = engine(llm, **options).generate(PROMPT, Sampling(), "r", deltas.append)
    reading = asyncio.create_task(answering)
    await until(lambda: bool(deltas))
    reading.cancel()
    yield reading
    with suppress(asyncio.CancelledError):
        await reading


async def test_it_listens_for_deaths_from_the_start() -> None:
    llm = Llm()
    engine(llm)
    assert llm.handling


async def test_a_request_that_is_given_up_fails_with_its_reason_after_its_text() -> None:
    llm = Llm(output("a", 1), output("b", 2, finish="error", why="It was to blame."))
    deltas = list[Delta]()
    with pytest.raises(EngineDead, match=r"It was to blame\."):
        await read(llm, deltas=deltas)
    assert deltas == [Delta("a", (1,)), Delta("b", (2,))]
    assert llm.settling == 0


async def test_what_came_before_the_queue_was_handed_out_is_not_lost() -> None:
    for early in range(4):
        # vLLM's queue joins what waits in it, in place.
        steps = output("a", 1), output("b", 2), output("c", 3, finish="stop")
        deltas = await read(Llm(*steps, early=early))
        assert "".join(delta.text for delta in deltas) == "abc"
        assert [id for delta in deltas for id in delta.token_ids] == [1, 2, 3]
        assert deltas[-1].finish == "stop"


@pytest.mark.parametrize("error", [LookupError, ValueError])
async def test_a_taker_that_breaks_down_ends_its_own_answer_alone(error: type[Exception]) -> None:
    llm = Llm(output("a", 1), output("b", 2, finish="stop"))

    def take(_: Delta) -> None:
        raise error("mine")

    # What the queue is given never raises: `_say` would have ended with it.
    with pytest.raises(error, match="mine"):
        await engine(llm).generate(PROMPT, Sampling(), "r", take)
    assert llm.aborted == ["r"]


async def test_a_failure_without_a_reason_has_a_sentence_too() -> None:
    with pytest.raises(EngineDead, match="engine process"):
        await read(Llm(output("", finish="error")))


async def test_a_death_beyond_recovery_goes_through() -> None:
    with pytest.raises(EngineDead):
        await read(Llm(output("a", 1), EngineDeadError()))


async def test_a_resumed_answer_has_the_original_prompt_and_its_ids_beside_it() -> None:
    llm = Llm(output("c", 3, finish="stop"))
    assert await read(llm, Resume((1, 2))) == [Delta("c", (3,), "stop")]
    assert llm.params[0].extra_args == {"resume_ids": [1, 2]}
    assert llm.params[0].max_tokens == 97


@pytest.mark.parametrize("resume", [None, Resume(())])
async def test_an_answer_that_begins_goes_on_from_nothing(resume: Resume | None) -> None:
    llm = Llm(output("c", 3, finish="stop"))
    await read(llm, resume)
    assert llm.params[0].extra_args is None


@pytest.mark.parametrize("finish", ["stop", "length"])
async def test_an_answer_that_had_ended_ends_at_once(finish: Any) -> None:
    llm = Llm(AnswerComplete(finish, "rest"))
    assert await read(llm, Resume((1,))) == [Delta("rest", (), finish)]


async def test_any_other_failure_of_one_request_stays_what_it_is() -> None:
    llm = Llm(RuntimeError("strange"))
    with pytest.raises(RuntimeError, match="strange"):
        await read(llm, Resume((1,)))
    assert llm.aborted == ["r"]


async def test_a_cancel_waits_until_the_engine_has_let_go() -> None:
    llm = Llm(output("a", 1))
    async with left_after_a_delta(llm) as reading:
        await until(lambda: llm.settling == 1)
        assert llm.aborted == ["r"]
        assert not reading.done()
        llm.settled.set()


async def test_so_does_the_cancel_of_a_reader_that_has_nothing_yet() -> None:
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
    async with left_after_a_delta(Llm(output("a", 1)), let_go_s=0.001):
        pass
    assert "let go of r" in caplog.text


async def test_an_answer_that_has_ended_is_not_waited_for() -> None:
    llm = Llm(output("a", 1, finish="stop"))
    async with left_after_a_delta(llm):
        pass
    assert llm.settling == 0
    assert not llm.aborted


async def test_nothing_is_taken_after_a_cancel() -> None:
    llm = Llm(output("a", 1))
    deltas = list[Delta]()
    reading = asyncio.ensure_future(read(llm, deltas=deltas))
    await until(lambda: bool(deltas))
    llm.settled.set()
    llm.steps = (output("b", 2, finish="stop"),)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert deltas == [Delta("a", (1,))]
