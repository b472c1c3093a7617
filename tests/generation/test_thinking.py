"""How long a model thought, in its events and its response: through a cut, a continuation and a
restart.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import replace
from typing import Any

import pytest

from support.records import MemoryRecords
from support.scripted import ScriptedEngine, bounded
from support.waiting import until
from support.workshop import ANN, Workshop, bodies, ended, last_response, open_workshop, text
from tokenwire.engine.base import Call, Delta
from tokenwire.generation import thinking
from tokenwire.generation.generation import Generation
from tokenwire.generation.thinking import Thinking
from tokenwire.wire.commands import parse_create
from tokenwire.wire.events import numbered
from tokenwire.wire.kept import thought_ms


THOUGHTS, FIRST_WORD = 4, 4
STEPS: list[Delta | Exception] = [
    *(Delta("", (1 + n,), reasoning=f" {'m' * 40}") for n in range(THOUGHTS)),
    *(Delta(f" word{n}", (10 + n,)) for n in range(3)),
    Delta("", (0,), "stop"),
]
PAUSE_S = 0.15
ITEM = {"id": "rs_1", "type": "reasoning", "status": "completed"}


def engine() -> ScriptedEngine:
    return ScriptedEngine(lambda _text, sampling: bounded(STEPS, sampling))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Set its one number."""
    now = [100.0]
    monkeypatch.setattr(thinking.time, "monotonic", lambda: now[0])
    return now


THOUGHT, WORD, CALL = Delta("", reasoning="Hm"), Delta("So"), Delta("", calls=(Call(0),))
EMPTY = Delta("", (1,))


@pytest.mark.parametrize(
    ("steps", "ms"),
    [
        ([], None),
        ([(0, THOUGHT)], 0),
        ([(0, THOUGHT), (1.5, THOUGHT)], 1500),
        ([(0, THOUGHT), (2, WORD), (9, WORD)], 2000),
        ([(0, THOUGHT), (1, EMPTY), (2, CALL), (9, WORD)], 2000),
        ([(0, THOUGHT), (2, WORD), (9, THOUGHT), (10, WORD)], 3000),
        ([(0, Delta("So", reasoning="Hm")), (9, WORD)], 0),
    ],
)
def test_it_lasts_from_a_thought_to_what_is_said_or_called_next(
    clock: list[float], steps: list[tuple[float, Delta]], ms: int | None
) -> None:
    told = Thinking()
    for at, delta in steps:
        clock[0] = 100 + at
        if delta.reasoning or told.on:
            told.hear(delta)
    assert told.ms == ms


@pytest.mark.parametrize(("before", "ms"), [(None, 250), (1000.0, 1250), (math.nan, None)])
def test_it_goes_on_from_what_was_thought_before(
    clock: list[float], before: float | None, ms: int | None
) -> None:
    told = Thinking(before)
    assert told.ms == (1000 if before == 1000 else None)
    told.hear(THOUGHT)
    clock[0] += 0.25
    told.hear(WORD)
    assert told.ms == ms


def timing(generation: Generation) -> Any:
    tokenwire: Any = last_response(generation.log)["tokenwire"]
    return tokenwire["timing"]["reasoning_ms"]


def told(generation: Generation) -> list[Any]:
    """What the ends of its thoughts tell."""
    return [
        body.get("tokenwire", {}).get("timing", {}).get("reasoning_ms")
        for body in map(json.loads, (event.json for event in generation.log.after(-1)))
        if body["type"] == "response.output_item.done" and body["item"]["type"] == "reasoning"
    ]


async def paused(shop: Workshop, generation: Generation) -> tuple[float, float]:
    """Let the engine stand still where it holds: the least and the most milliseconds of that."""
    await shop.engine.holding.wait()
    begun = time.monotonic()
    await asyncio.sleep(PAUSE_S)
    shop.engine.hold_at = None
    shop.engine.go.set()
    await ended(generation)
    return 1000 * PAUSE_S, 1000 * (time.monotonic() - begun) + 100


async def test_it_is_told_where_the_thoughts_end_and_with_the_response() -> None:
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = FIRST_WORD
        answer = await shop.order("Hi")
        least, most = await paused(shop, answer)
        assert least <= timing(answer) <= most
        assert told(answer) == [timing(answer)]

        # What comes after the thoughts counts for nothing.
        shop.engine.hold_at = FIRST_WORD + 2
        shop.engine.holding.clear()
        shop.engine.go.clear()
        answer = await shop.order("Hi")
        least, _ = await paused(shop, answer)
        assert 0 <= timing(answer) < least


async def test_it_is_null_where_nothing_was_thought() -> None:
    async with open_workshop() as shop:
        answer = await shop.answer("Hi")
        assert timing(answer) is None
        assert all("tokenwire" not in body for body in bodies(answer.log))


async def test_an_answer_that_is_gone_on_with_has_thought_as_long_as_both() -> None:
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = 1
        old = await shop.order("Hi", max_output_tokens=2)
        least, most = await paused(shop, old)
        assert least <= timing(old) <= most
        assert told(old) == [timing(old)]

        create = parse_create({"tokenwire": {"continues": old.id}})
        shop.engine.hold_at = THOUGHTS - 1
        shop.engine.holding.clear()
        shop.engine.go.clear()
        new = await shop.generations.start(create, ANN)
        assert isinstance(new, Generation)
        more, most_more = await paused(shop, new)
        assert timing(old) + more <= timing(new) <= timing(old) + most_more
        assert told(new) == [timing(new)]


@pytest.mark.parametrize("cut", [THOUGHTS + 1, THOUGHTS + 2])
async def test_thoughts_that_had_ended_keep_their_time(cut: int) -> None:
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = 1
        old = await shop.order("Hi", max_output_tokens=cut)
        await paused(shop, old)
        new = await shop.generations.start(parse_create({"tokenwire": {"continues": old.id}}), ANN)
        assert isinstance(new, Generation)
        await ended(new)
        assert timing(new) == timing(old) >= 1000 * PAUSE_S
        assert told(new) == [timing(old)]


@pytest.mark.parametrize("at", [2, FIRST_WORD + 2])
async def test_after_a_restart_it_is_known_where_the_thoughts_had_ended(at: int) -> None:
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = at
        answer = await shop.order("Hi")
        await until(
            lambda: (
                text(answer.log) == " word0 word1"
                if at > FIRST_WORD
                else sum("reasoning_text.delta" in event.type for event in answer.log.after(-1)) > 0
            )
        )
        records = MemoryRecords()
        records.rows = {
            id: replace(row, journal=[*row.journal]) for id, row in shop.records.rows.items()
        }
        before = told(answer)
    async with open_workshop(engine(), records=records) as shop:
        await shop.take_up()
        again = await shop.generations.find("ann", answer.id)
        assert isinstance(again, Generation)
        await ended(again)
        if at > FIRST_WORD:
            assert before == told(again) == [timing(again)]
            assert isinstance(timing(again), int)
        else:  # part of it was in another life
            assert timing(again) is None
            assert told(again) == [None]


def test_what_was_not_timed_is_known_by_nobody() -> None:
    added = numbered("response.output_item.added", 0, {"output_index": 0, "item": ITEM})
    plain = numbered("response.output_item.done", 1, {"output_index": 0, "item": ITEM})
    timed = {"tokenwire": {"timing": {"reasoning_ms": 7}}}
    done = numbered("response.output_item.done", 1, {"output_index": 0, "item": ITEM, **timed})
    assert thought_ms([]) is None
    assert math.isnan(thought_ms([added]) or 0)
    assert math.isnan(thought_ms([added, plain]) or 0)
    assert thought_ms([added, done]) == 7
    assert math.isnan(thought_ms([added, done, added]) or 0)
