"""Warm-ups: they have the engine while nobody is answered, give it to whoever asks, and go on."""

from __future__ import annotations

import asyncio

import pytest

from support.scripted import ScriptedEngine, say
from support.waiting import until
from support.workshop import PLAIN, Workshop, assert_whole, ended, last_response, open_workshop
from tokenwire.engine.base import Delta, Sampling
from tokenwire.errors import EngineDead, RateLimited
from tokenwire.generation import warming
from tokenwire.generation.admission import AdmissionLimits
from tokenwire.generation.generation import Generation


LONG = "A long story."


def engine_that_counts() -> ScriptedEngine:
    """Says for each warm-up that it found 3 tokens."""

    def script(text: str, sampling: Sampling) -> list[Delta | Exception]:
        warms = sampling.priority > 0
        return [Delta("No", (3,), "length", 3)] if warms else say("Hello")

    return ScriptedEngine(script)


async def warm(shop: Workshop, text: str = LONG) -> Generation:
    return await shop.order(text, generate=False, store=False)


async def held(shop: Workshop) -> Generation:
    """A warm-up that the engine reads, and goes on reading."""
    shop.engine.hold_at = 0
    generation = await warm(shop)
    async with asyncio.timeout(10):
        await shop.engine.holding.wait()
    return generation


def warm_tokens(generation: Generation) -> object:
    return generation.response.tokenwire["warm_tokens"]


def last_usage(generation: Generation) -> dict[str, object]:
    usage = last_response(generation.log)["usage"]
    assert isinstance(usage, dict)
    return usage  # pyright: ignore[reportUnknownVariableType]


def status(generation: Generation) -> object:
    return last_response(generation.log)["status"]


async def test_it_reads_at_once_where_nobody_is_answered() -> None:
    async with open_workshop(engine_that_counts()) as shop:
        generation = await warm(shop)
        await ended(generation)

        assert_whole(generation.log)
        assert status(generation) == "completed"
        assert warm_tokens(generation) == last_usage(generation)["input_tokens"] == 4
        assert shop.engines.leases == 0


async def test_it_waits_until_all_have_been_answered_whoever_came_first() -> None:
    async with open_workshop(limits=AdmissionLimits(max_running=1)) as shop:
        shop.engine.hold_at = 0
        first = await shop.order()
        await shop.engine.holding.wait()
        reading = await warm(shop)
        second = await shop.order()
        assert reading.response.status == "queued"
        shop.engine.go.set()
        await ended(first, second, reading)

        assert shop.engine.started == [first.id, second.id, reading.id]
        assert status(reading) == "completed"


async def test_whoever_asks_sets_it_aside_and_it_goes_on_when_they_are_answered() -> None:
    async with open_workshop(engine_that_counts()) as shop:
        reading = await held(shop)
        shop.engine.hold_at = None
        answer = await shop.answer()

        assert shop.engine.aborted == [reading.id]
        assert status(answer) == "completed"
        await ended(reading)
        assert_whole(reading.log)
        assert status(reading) == "completed"
        assert shop.engine.started == [reading.id, answer.id, reading.id]
        assert shop.engines.leases == 0
        assert [event.type for event in reading.log.after(-1)] == [
            "response.created",
            "response.in_progress",
            "response.completed",
        ]


async def test_while_it_is_aside_it_holds_no_model() -> None:
    async with open_workshop() as shop:
        reading = await held(shop)
        shop.engine.holding.clear()
        answer = await shop.order()
        await until(lambda: shop.engine.aborted == [reading.id])
        await shop.engine.holding.wait()
        assert shop.engines.leases == 1
        shop.engine.go.set()
        await ended(answer, reading)


async def test_it_loads_no_model_that_was_given_up_while_it_was_aside() -> None:
    async with open_workshop() as shop:
        reading = await held(shop)
        shop.engine.holding.clear()
        answer = await shop.order()
        await shop.engine.holding.wait()
        shop.engines.ready_event.clear()
        shop.engine.go.set()
        await ended(answer, reading)

        assert shop.engine.started == [reading.id, answer.id]
        assert (status(reading), warm_tokens(reading)) == ("completed", 0)


async def test_one_reads_at_a_time() -> None:
    async with open_workshop() as shop:
        first = await held(shop)
        second = await warm(shop, "Another story.")
        await asyncio.sleep(0.01)
        assert shop.engine.started == [first.id]
        shop.engine.go.set()
        await ended(first, second)
        assert shop.engine.started == [first.id, second.id]


async def test_a_turn_that_is_too_long_in_coming_ends_it_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warming, "PATIENCE_S", 0.01)
    async with open_workshop() as shop:
        shop.engine.hold_at = 0
        answer = await shop.order()
        await shop.engine.holding.wait()
        reading = await warm(shop)
        await ended(reading)

        assert (status(reading), warm_tokens(reading)) == ("completed", 0)
        assert shop.engine.started == [answer.id]
        shop.engine.go.set()
        await ended(answer)


@pytest.mark.parametrize("aside", [False, True])
async def test_it_is_cancelled_reading_and_waiting(aside: bool) -> None:
    async with open_workshop() as shop:
        reading = await held(shop)
        answer = None
        if aside:
            shop.engine.holding.clear()
            answer = await shop.order()
            await shop.engine.holding.wait()
        reading.cancel()
        await ended(reading)
        assert status(reading) == "cancelled"
        shop.engine.go.set()
        if answer:
            await ended(answer)
            assert status(answer) == "completed"
        assert shop.engine.running == set()
        # Its place is free: the next one reads.
        after = await warm(shop)
        await ended(after)
        assert status(after) == "completed"


async def test_it_ends_with_its_last_reader_also_on_the_pages_socket() -> None:
    async with open_workshop() as shop:
        reading = await held(shop)
        reading.join()
        reading.leave()
        await ended(reading)

        assert status(reading) == "cancelled"


async def test_in_the_background_it_needs_no_reader() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 0
        reading = await shop.order(LONG, PLAIN, generate=False, background=True)
        reading.join()
        reading.leave()
        shop.engine.go.set()
        await ended(reading)

        assert status(reading) == "completed"


async def test_an_engine_that_dies_under_it_fails_it() -> None:
    engine = ScriptedEngine(lambda _text, _sampling: [EngineDead("It died.")])
    async with open_workshop(engine) as shop:
        reading = await warm(shop)
        await ended(reading)

        assert status(reading) == "failed"


async def test_a_server_that_stops_ends_it() -> None:
    async with open_workshop() as shop:
        reading = await held(shop)
        await shop.generations.close()

        assert_whole(reading.log)
        assert last_response(reading.log)["incomplete_details"] == {"reason": "interrupted"}


async def test_beyond_the_bound_they_are_refused_and_answers_are_not() -> None:
    async with open_workshop(limits=AdmissionLimits(max_warming=2)) as shop:
        first = await held(shop)
        second = await warm(shop)
        with pytest.raises(RateLimited):
            await warm(shop)
        shop.engine.go.set()
        answer = await shop.answer()
        assert status(answer) == "completed"
        await ended(first, second)
