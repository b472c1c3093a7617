"""After a restart: what was running goes on in the same log, as if nothing had been."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from support.records import MemoryRecords
from support.scripted import ScriptedEngine, say
from support.waiting import until
from support.workshop import (
    ANN,
    PLAIN,
    Workshop,
    assert_whole,
    ended,
    last_response,
    open_workshop,
    text,
    types,
)
from tokenwire.generation.admission import AdmissionLimits
from tokenwire.generation.generation import Generation
from tokenwire.generation.intake import Asker
from tokenwire.generation.takeup import MAX_ATTEMPTS
from tokenwire.wire.items import item_text


WORDS = ("One", " two", " thr", "ee", " four", " five.")
WHOLE = "".join(WORDS)


def engine() -> ScriptedEngine:
    return ScriptedEngine(lambda _text, _sampling: say(*WORDS))


async def killed_at(
    delta: int, *, asker: Asker = ANN, **fields: object
) -> tuple[str, list[str], MemoryRecords]:
    """An answer whose server is gone before its delta number `delta`: its id, what a reader had
    seen of it, and what is on disk.
    """
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = delta
        generation = await shop.order("Hi", asker, **fields)
        await shop.engine.holding.wait()
        wanted = "".join(WORDS[:delta])
        await until(lambda: text(generation.log) == wanted)
        seen = [event.json for event in generation.log.after(-1)]
        on_disk = copied(shop.records)
    return generation.id, seen, on_disk


def copied(records: MemoryRecords) -> MemoryRecords:
    """The records as they are now: what the server still does to them is lost."""
    copy = MemoryRecords()
    copy.rows = {
        id: replace(row, journal=[*row.journal], resource=dict(row.resource))
        for id, row in records.rows.items()
    }
    copy.keys, copy.heads = dict(records.keys), dict(records.heads)
    return copy


async def live(shop: Workshop, response_id: str) -> Generation:
    found = await shop.generations.find("ann", response_id)
    assert isinstance(found, Generation)
    return found


@pytest.mark.parametrize("delta", range(1, len(WORDS) + 1))
async def test_an_answer_goes_on_from_its_last_event(delta: int) -> None:
    id, seen, records = await killed_at(delta)
    async with open_workshop(engine(), records=records) as shop:
        assert await shop.take_up() == 1
        generation = await live(shop, id)
        await ended(generation)

        assert_whole(generation.log)
        assert text(generation.log) == WHOLE
        assert [event.json for event in generation.log.after(-1)][: len(seen)] == seen
        assert generation.status == "completed"
        row = records.rows[id]
        assert row.finish is not None
        assert list(row.finish.token_ids) == [1, 2, 3, 4, 5, 6, 0]
        assert row.events == [event.json for event in generation.log.after(-1)]
        # The prompt was stored with its tokens: it is not rendered again.
        assert shop.engine.prompts == []
        tokenwire = last_response(generation.log)["tokenwire"]
        assert isinstance(tokenwire, dict)
        assert tokenwire["taken_up"] == 1


async def test_it_goes_on_again_after_a_second_kill() -> None:
    id, first, records = await killed_at(2)
    async with open_workshop(engine(), records=records) as shop:
        shop.engine.hold_at = 4
        await shop.take_up()
        generation = await live(shop, id)
        await until(lambda: text(generation.log) == "".join(WORDS[:4]))
        second = [event.json for event in generation.log.after(-1)]
        records = copied(shop.records)
    async with open_workshop(engine(), records=records) as shop:
        await shop.take_up()
        generation = await live(shop, id)
        await ended(generation)

        assert_whole(generation.log)
        assert text(generation.log) == WHOLE
        assert second[: len(first)] == first
        assert [event.json for event in generation.log.after(-1)][: len(second)] == second


async def test_what_only_waited_in_the_line_is_rendered_from_all_that_came_before() -> None:
    async with open_workshop(engine(), limits=AdmissionLimits(max_running=1)) as shop:
        parent = await shop.answer("First")
        shop.engine.hold_at = 0
        shop.engine.holding.clear()
        await shop.order("Held")
        await shop.engine.holding.wait()
        waiting = await shop.order(
            "Second", previous_response_id=parent.id, instructions="Be kind."
        )
        await until(lambda: "queued" in types(waiting.log))
        records = copied(shop.records)
    async with open_workshop(engine(), records=records) as shop:
        assert await shop.take_up() == 2
        generation = await live(shop, waiting.id)
        await ended(generation)

        assert_whole(generation.log)
        assert text(generation.log) == WHOLE
        said = [message["content"] for message in shop.engine.prompts[-1]]
        assert said == ["Be kind.", "First", WHOLE, "Second"]


async def test_what_was_saved_and_never_told_begins_with_created() -> None:
    async with open_workshop(engine()) as shop:
        shop.records.can_journal.clear()
        generation = await shop.order()
        await until(lambda: generation.id in shop.engine.started)
        assert generation.log.last_sequence_number == -1
        records = copied(shop.records)
    async with open_workshop(engine(), records=records) as shop:
        await shop.take_up()
        again = await live(shop, generation.id)
        await ended(again)

        assert_whole(again.log)
        assert text(again.log) == WHOLE


async def test_a_plain_answer_ends_as_interrupted_with_its_text_kept() -> None:
    id, seen, records = await killed_at(3, asker=PLAIN)
    async with open_workshop(engine(), records=records) as shop:
        assert await shop.take_up() == 0
        generation = await live(shop, id)
        await ended(generation)

        assert_whole(generation.log)
        assert [event.json for event in generation.log.after(-1)][: len(seen)] == seen
        last = last_response(generation.log)
        assert last["incomplete_details"] == {"reason": "interrupted"}
        assert [item_text(item) for item in generation.response.output] == ["One two thr"]
        assert shop.engine.started == []


async def test_what_ends_the_server_again_and_again_fails_with_its_text_kept() -> None:
    id, _, records = await killed_at(2)
    for _ in range(MAX_ATTEMPTS):
        await records.unfinished()
    async with open_workshop(engine(), records=records) as shop:
        assert await shop.take_up() == 0
        generation = await live(shop, id)
        await ended(generation)

        assert_whole(generation.log)
        assert text(generation.log) == "One two"
        assert generation.status == "failed"


@pytest.mark.parametrize("broken", ["model", "plan"])
async def test_what_cannot_go_on_fails_with_its_text_kept(broken: str) -> None:
    id, _, records = await killed_at(2)
    plan = records.rows[id].plan
    assert plan is not None
    records.rows[id].plan = plan | {"model": "gone"} if broken == "model" else {"strange": 1}
    async with open_workshop(engine(), records=records) as shop:
        assert await shop.take_up() == 0
        generation = await live(shop, id)
        await ended(generation)

        assert_whole(generation.log)
        assert generation.status == "failed"
        assert text(generation.log) == "One two"


async def test_what_cannot_be_read_ends_too() -> None:
    id, _, records = await killed_at(2)
    records.rows[id].resource = {"id": 3}
    records.rows[id].plan = None
    async with open_workshop(engine(), records=records) as shop:
        assert await shop.take_up() == 0
        generation = await live(shop, id)
        await ended(generation)

        assert_whole(generation.log)


async def test_a_line_that_is_full_takes_up_who_was_in_it() -> None:
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = 1
        orders = [await shop.order() for _ in range(4)]
        await until(lambda: all(text(order.log) == "One" for order in orders))
        records = copied(shop.records)
    narrow = AdmissionLimits(max_running=1, max_waiting=1, max_waiting_per_user=1)
    async with open_workshop(engine(), records=records, limits=narrow) as shop:
        assert await shop.take_up() == 4
        for order in orders:
            generation = await live(shop, order.id)
            await ended(generation)
            assert text(generation.log) == WHOLE


async def test_what_a_version_without_a_journal_left_ends_as_interrupted() -> None:
    id, _, records = await killed_at(2)
    records.rows[id].plan, records.rows[id].journal = None, []
    async with open_workshop(engine(), records=records) as shop:
        await shop.take_up()
        generation = await live(shop, id)
        await ended(generation)

        assert_whole(generation.log)
        assert last_response(generation.log)["incomplete_details"] == {"reason": "interrupted"}


async def test_a_key_used_before_the_restart_gives_the_answer_that_goes_on() -> None:
    key = {"idempotency_key": "k1"}
    id, _, records = await killed_at(2, tokenwire=key)
    async with open_workshop(engine(), records=records) as shop:
        await shop.take_up()
        again = await shop.order(tokenwire=key)
        await ended(again)

        assert again.id == id
        assert text(again.log) == WHOLE


async def test_a_server_that_stops_in_order_leaves_a_durable_answer_to_the_next() -> None:
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = 3
        generation = await shop.order()
        await shop.engine.holding.wait()
        async with asyncio.timeout(10):
            await shop.generations.close()

        # What was generated and not yet told is told, and nothing is said of an end.
        assert text(generation.log) == "One two thr"
        assert generation.log.closed
        assert not any(event.is_terminal for event in generation.log.after(-1))
        assert generation.status == "in_progress"
        assert shop.engine.running == set()
        records = shop.records
    async with open_workshop(engine(), records=records) as shop:
        await shop.take_up()
        again = await live(shop, generation.id)
        await ended(again)

        assert_whole(again.log)
        assert text(again.log) == WHOLE


async def test_a_cancel_reaches_an_answer_that_was_taken_up() -> None:
    id, _, records = await killed_at(2)
    async with open_workshop(engine(), records=records) as shop:
        shop.engine.hold_at = 4
        await shop.take_up()
        await shop.engine.holding.wait()
        cancelled = await shop.generations.cancel("ann", id)

        assert cancelled["status"] == "cancelled"


async def test_a_cancel_while_the_server_stops_is_not_gone_on_with() -> None:
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = 3
        generation = await shop.order()
        await shop.engine.holding.wait()
        closing = asyncio.create_task(shop.generations.close())
        await asyncio.sleep(0)
        await shop.generations.begin_cancel("ann", generation.id)
        await closing

        assert generation.status == "cancelled"
        assert_whole(generation.log)


async def test_each_take_up_is_counted_also_where_tokens_came_between() -> None:
    id, _, records = await killed_at(2)
    for hold_at in (3, 4):
        async with open_workshop(engine(), records=records) as shop:
            shop.engine.hold_at = hold_at
            await shop.take_up()
            generation = await live(shop, id)
            await until(
                lambda generation=generation, hold_at=hold_at: (
                    text(generation.log) == "".join(WORDS[:hold_at])
                )
            )
            records = copied(shop.records)
    async with open_workshop(engine(), records=records) as shop:
        await shop.take_up()
        generation = await live(shop, id)
        await ended(generation)
        tokenwire = last_response(generation.log)["tokenwire"]
        assert isinstance(tokenwire, dict)
        assert tokenwire["taken_up"] == 3


@pytest.mark.parametrize(("delta", "keeps"), [(0, False), (2, True)])
async def test_a_plain_client_that_heard_nothing_may_ask_again_with_its_key(
    delta: int, *, keeps: bool
) -> None:
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = delta
        plain = await shop.order(asker=PLAIN, tokenwire={"idempotency_key": "k"})
        plain.join()
        await shop.engine.holding.wait()
        await until(lambda: text(plain.log) == "".join(WORDS[:delta]))
        records = copied(shop.records)
    async with open_workshop(engine(), records=records) as shop:
        await shop.take_up()
        await ended(await live(shop, plain.id))
        finish = records.rows[plain.id].finish
        assert finish is not None
        assert finish.keeps_key is keeps
