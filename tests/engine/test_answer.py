"""An answer in the place of vLLM's queue says what the queue would have said, token for token."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any, cast

import pytest
from transformers import AutoTokenizer
from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine import EngineCoreOutput, EngineCoreRequest, FinishReason
from vllm.v1.engine.output_processor import OutputProcessor, RequestOutputCollector

from support.model import DEMO
from tokenwire.engine.answer import Answer
from tokenwire.engine.base import Delta
from tokenwire.engine.interval import StreamInterval
from tokenwire.errors import EngineDead


TEXT = "Gr\u00fc\u00dfe, \u4e16\u754c! The sky is \U0001f7e6 and STOP here."
TOKENIZER: Any = AutoTokenizer.from_pretrained(DEMO)
IDS: list[int] = TOKENIZER.encode(TEXT, add_special_tokens=False)


def asked(interval: int, **values: Any) -> tuple[OutputProcessor, RequestOutputCollector]:
    processor = OutputProcessor(TOKENIZER, log_stats=False)
    every = StreamInterval()
    every.tokens = interval
    processor.stream_interval = cast("Any", every)
    params = SamplingParams(
        max_tokens=500, output_kind=RequestOutputKind.DELTA, **cast("Any", values)
    )
    request = EngineCoreRequest("a", [1, 2], None, params, None, 0.0, None, None, None)
    request.external_req_id = "a"
    queue = RequestOutputCollector(RequestOutputKind.DELTA, "a")
    processor.add_request(request, None, None, 0, queue)
    return processor, queue


def steps(last: FinishReason) -> list[EngineCoreOutput]:
    ends = [None] * (len(IDS) - 1) + [last]
    return [
        EngineCoreOutput("a", [id], finish_reason=end) for id, end in zip(IDS, ends, strict=True)
    ]


def by_queue(interval: int, last: FinishReason, **values: Any) -> list[Delta]:
    processor, queue = asked(interval, **values)
    deltas = list[Delta]()
    for step in steps(last):
        processor.process_outputs([step])
        if (output := queue.get_nowait()) is not None:
            said: Any = output
            one = said.outputs[0]
            finish = one.finish_reason
            deltas.append(Delta(one.text, tuple(one.token_ids), finish, said.num_cached_tokens))
    return deltas


async def by_answer(interval: int, last: FinishReason, **values: Any) -> list[Delta]:
    processor, queue = asked(interval, **values)
    deltas = list[Delta]()
    reading = asyncio.create_task(Answer(deltas.append).stand_in_for(queue, processor))
    for step in steps(last):
        await asyncio.sleep(0)
        processor.process_outputs([step])
    await reading
    return deltas


@pytest.mark.parametrize("interval", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("stop", [None, ["STOP"], ["no such text"]])
@pytest.mark.parametrize("last", [FinishReason.STOP, FinishReason.LENGTH, FinishReason.ABORT])
async def test_it_says_what_the_queue_says(
    interval: int, stop: list[str] | None, last: FinishReason
) -> None:
    said = by_queue(interval, last, stop=stop)
    assert await by_answer(interval, last, stop=stop) == said
    assert len(said) > 1
    assert said[-1].finish is not None


async def under_way() -> tuple[list[Delta], OutputProcessor, asyncio.Task[None]]:
    """An answer of one token so far."""
    deltas = list[Delta]()
    processor, queue = asked(1)
    reading = asyncio.create_task(Answer(deltas.append).stand_in_for(queue, processor))
    await asyncio.sleep(0)
    processor.process_outputs([EngineCoreOutput("a", [IDS[0]])])
    return deltas, processor, reading


async def test_an_abort_that_vllm_makes_ends_it() -> None:
    deltas, processor, reading = await under_way()
    processor.abort_requests(["a"], internal=True)
    await reading
    assert [delta.finish for delta in deltas] == [None, "abort"]


async def test_an_abort_of_ours_says_nothing_more() -> None:
    deltas, processor, reading = await under_way()
    reading.cancel()
    await asyncio.wait([reading])
    processor.abort_requests(["a"], internal=True)
    assert len(deltas) == 1
    assert not processor.has_unfinished_requests()


async def test_what_has_ended_goes_without_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        processor, queue = asked(1)
        answer = Answer(lambda delta: None)
        left = weakref.ref(answer)
        reading = asyncio.create_task(answer.stand_in_for(queue, processor))
        del answer, queue
        for step in steps(FinishReason.STOP):
            await asyncio.sleep(0)
            processor.process_outputs([step])
        await reading
        del reading
        assert left() is None
    finally:
        gc.enable()


async def test_a_failure_comes_after_what_was_said() -> None:
    deltas = list[Delta]()
    processor, queue = asked(1)
    reading = asyncio.create_task(Answer(deltas.append).stand_in_for(queue, processor))
    await asyncio.sleep(0)
    processor.process_outputs([EngineCoreOutput("a", [IDS[0]])])
    processor.process_outputs(
        [
            EngineCoreOutput(
                "a", [], finish_reason=FinishReason.ERROR, stop_reason="It was to blame."
            )
        ]
    )
    with pytest.raises(EngineDead, match=r"It was to blame\."):
        await reading
    assert "".join(delta.text for delta in deltas) == TOKENIZER.decode(IDS[:1])
