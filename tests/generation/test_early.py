"""The engine begins while a response is saved: nothing is said before, nothing is left behind."""

from __future__ import annotations

import asyncio

import pytest

from support.scripted import ScriptedEngine
from support.waiting import until
from support.workshop import (
    ANN,
    PLAIN,
    Workshop,
    ask,
    assert_whole,
    ended,
    open_workshop,
    text,
    types,
)
from tokenwire.errors import EngineDead, NotSaved
from tokenwire.generation.admission import AdmissionLimits
from tokenwire.generation.generation import Generation
from tokenwire.generation.intake import Asker


def live(shop: Workshop) -> list[Generation]:
    return list(shop.generations._live.values())  # pyright: ignore[reportPrivateUsage]


async def test_the_engine_begins_while_an_answer_is_saved_and_nothing_is_said_before() -> None:
    async with open_workshop() as shop:
        shop.records.can_begin.clear()
        starting = asyncio.create_task(shop.generations.start(ask(), ANN))
        await until(lambda: bool(shop.engine.started) and not shop.engine.running)
        (early,) = live(shop)
        assert early.log.after(-1) == []
        assert not starting.done()
        shop.records.can_begin.set()
        generation = await starting

        assert generation is early
        await ended(early)
        assert_whole(early.log)
        assert types(early.log)[:2] == ["created", "in_progress"]
        assert text(early.log) == "Hello, world."


@pytest.mark.parametrize("hold_at", [1, None])
async def test_what_cannot_be_saved_is_taken_from_the_engine(hold_at: int | None) -> None:
    async with open_workshop(limits=AdmissionLimits(max_running=1)) as shop:
        shop.records.can_begin.clear()
        shop.records.refuse = NotSaved("Full.")
        shop.engine.hold_at = hold_at
        starting = asyncio.create_task(shop.generations.start(ask(), ANN))
        await until(lambda: bool(shop.engine.started))
        if hold_at is None:
            await until(lambda: not shop.engine.running)
        shop.records.can_begin.set()
        with pytest.raises(NotSaved):
            await starting
        await until(lambda: not shop.engine.running)
        assert live(shop) == []

        shop.records.refuse = None
        shop.engine.hold_at = None
        assert text((await shop.answer()).log) == "Hello, world."


async def test_a_server_that_stops_while_an_answer_is_saved_leaves_it_to_the_next() -> None:
    async with open_workshop() as shop:
        shop.records.can_begin.clear()
        shop.engine.hold_at = 1
        starting = asyncio.create_task(shop.generations.start(ask(), ANN))
        await shop.engine.holding.wait()
        closing = asyncio.create_task(shop.generations.close())
        await asyncio.sleep(0)
        shop.records.can_begin.set()
        await asyncio.gather(starting, closing)
        (early,) = live(shop)
        assert types(early.log)[:1] == ["created"]
        assert not any(event.is_terminal for event in early.log.after(-1))
        assert [left.response_id for left in await shop.records.unfinished()] == [early.id]


@pytest.mark.parametrize("asker", [ANN, PLAIN])
async def test_a_stop_reaches_an_answer_that_has_failed_before_it_was_saved(asker: Asker) -> None:
    engine = ScriptedEngine(lambda _text, _sampling: [EngineDead("Dead.")])
    async with open_workshop(engine) as shop:
        shop.records.can_begin.clear()
        starting = asyncio.create_task(shop.generations.start(ask(), asker))
        await until(lambda: bool(shop.engine.started) and not shop.engine.running)
        closing = asyncio.create_task(shop.generations.close())
        await asyncio.sleep(0)
        shop.records.can_begin.set()
        async with asyncio.timeout(5):
            await asyncio.gather(starting, closing)
        (early,) = live(shop)
        assert early.ended
