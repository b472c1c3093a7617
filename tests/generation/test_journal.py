"""On disk before on the wire: nobody sees what was not written, and a failing disk stops nobody."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import cast

import pytest

from support.records import MemoryRecords
from support.scripted import ScriptedEngine, say
from support.waiting import until
from support.workshop import (
    Workshop,
    assert_whole,
    bodies,
    ended,
    last_response,
    open_workshop,
    text,
    types,
)
from tokenwire.errors import NotSaved
from tokenwire.generation import journal
from tokenwire.generation.generation import Generation
from tokenwire.generation.transcript import Transcript
from tokenwire.wire.events import Response
from tokenwire.wire.kept import kept_events


WORDS = ("One", " two", " three.")


def engine() -> ScriptedEngine:
    return ScriptedEngine(lambda _text, _sampling: say(*WORDS))


async def held(shop: Workshop, delta: int) -> Generation:
    shop.engine.hold_at = delta
    generation = await shop.order()
    await shop.engine.holding.wait()
    return generation


def journalled(shop: Workshop, id: str) -> list[str]:
    kept = [event for entry in shop.records.rows[id].journal for event in entry.events]
    return [event.json for event in kept_events(kept)]


async def test_nobody_sees_an_event_before_it_is_on_disk() -> None:
    async with open_workshop(engine()) as shop:
        shop.records.can_journal.clear()
        generation = await held(shop, 2)
        await asyncio.sleep(0.1)
        assert generation.log.last_sequence_number == -1

        shop.records.can_journal.set()
        await until(lambda: text(generation.log) == "One two")
        seen = [event.json for event in generation.log.after(-1)]
        assert journalled(shop, generation.id) == seen
        shop.engine.go.set()
        await ended(generation)


async def test_a_journal_holds_the_tokens_of_its_text_and_the_prompt_once() -> None:
    async with open_workshop(engine()) as shop:
        generation = await held(shop, 2)
        await until(lambda: text(generation.log) == "One two")
        entries = shop.records.rows[generation.id].journal

        assert [token for entry in entries for token in entry.token_ids] == [1, 2]
        assert [entry.prompt for entry in entries if entry.prompt is not None] == [(1, 0)]
        assert [entry.first for entry in entries] == [
            sum(len(before.events) for before in entries[:index]) for index in range(len(entries))
        ]


async def test_many_answers_share_one_write() -> None:
    async with open_workshop(engine()) as shop:
        shop.records.can_journal.clear()
        orders = [await shop.order() for _ in range(6)]
        await until(lambda: len(shop.engine.started) == 6)
        await asyncio.sleep(0.1)
        assert shop.records.writes == 0
        shop.records.can_journal.set()
        await ended(*orders)

        # The first had gone when the others had something to say; they went together.
        assert shop.records.writes <= 3


async def test_what_is_not_stored_is_never_journalled() -> None:
    async with open_workshop(engine()) as shop:
        shop.records.can_journal.clear()
        generation = await shop.answer(store=False)

        assert_whole(generation.log)
        assert shop.records.writes == 0


def stores(generation: Generation) -> list[object]:
    """What each lifecycle event says about being stored."""
    found = [cast("dict[str, object]", body.get("response")) for body in bodies(generation.log)]
    return [response["store"] for response in found if response]


async def test_when_the_disk_fails_answers_go_on_and_say_that_they_are_not_saved() -> None:
    async with open_workshop(engine()) as shop:
        heard: list[bool] = []
        shop.generations.subscribe_saving(heard.append)
        generation = await held(shop, 1)
        shop.records.tear = shop.records.lose = NotSaved("The disk is full.")
        shop.engine.go.set()
        await ended(generation)

        assert_whole(generation.log)
        assert text(generation.log) == "".join(WORDS)
        assert last_response(generation.log)["store"] is False
        assert heard == [False]
        assert not shop.generations.saving


async def test_a_running_answer_says_when_it_is_no_longer_saved_and_when_it_is_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "FIRST_RETRY_S", 0.01)
    async with open_workshop(engine()) as shop:
        generation = await held(shop, 1)
        await until(lambda: text(generation.log) == "One")
        shop.records.tear = NotSaved("The disk is full.")
        await _until_told(shop, generation, saving=False)
        assert stores(generation)[-1] is False
        shop.records.tear = None
        await until(lambda: shop.generations.saving)
        await until(lambda: stores(generation)[-1] is True)

        # Nothing is missing on disk: what was said meanwhile was written after all.
        assert journalled(shop, generation.id) == [event.json for event in generation.log.after(-1)]
        shop.engine.go.set()
        await ended(generation)
        assert shop.records.rows[generation.id].finish is not None
        assert last_response(generation.log)["store"] is True


async def _until_told(shop: Workshop, generation: Generation, *, saving: bool) -> None:
    """Make the answer say something, so that the disk is tried."""
    generation.saving_changed(not saving)
    await until(lambda: shop.generations.saving is saving)
    await until(lambda: stores(generation)[-1] is saving)


async def test_an_end_that_could_not_be_saved_is_saved_later_as_it_was_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "FIRST_RETRY_S", 0.01)
    async with open_workshop(engine()) as shop:
        shop.records.lose = NotSaved("The disk is full.")
        generation = await shop.answer()
        assert shop.records.rows[generation.id].finish is None
        shop.records.lose = None
        await until(lambda: shop.records.rows[generation.id].finish is not None)

        row = shop.records.rows[generation.id]
        assert row.events == [event.json for event in generation.log.after(-1)]
        assert row.status == "completed"
        assert shop.generations.saving


async def test_what_can_never_be_saved_does_not_hold_up_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "FIRST_RETRY_S", 0.01)
    async with open_workshop(engine()) as shop:
        shop.records.tear = shop.records.lose = ValueError("a bug")
        broken = await shop.answer()
        assert_whole(broken.log)
        assert text(broken.log) == "".join(WORDS)
        assert last_response(broken.log)["store"] is False
        # It is no fault of the disk, and nobody is told that it was.
        assert shop.generations.saving
        shop.records.tear = shop.records.lose = None
        whole = await shop.answer()
        assert last_response(whole.log)["store"] is True


async def test_what_waits_for_the_disk_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "UNSAVED_BYTES", 100)
    monkeypatch.setattr(journal, "FIRST_RETRY_S", 0.01)
    async with open_workshop(engine()) as shop:
        shop.records.tear = NotSaved("The disk is full.")
        generation = await shop.answer()
        shop.records.tear = None
        await until(lambda: shop.generations.saving)

        # The journal was dropped, the end was saved whole. An empty row showed that the disk works.
        assert shop.records.writes == 1
        assert journalled(shop, generation.id) == []
        assert_whole(generation.log)
        row = shop.records.rows[generation.id]
        assert row.events == [event.json for event in generation.log.after(-1)]
        assert types(generation.log)[-1] == "completed"


async def test_what_was_dropped_is_written_down_whole_once_the_disk_works_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "UNSAVED_BYTES", 100)
    monkeypatch.setattr(journal, "FIRST_RETRY_S", 0.01)
    async with open_workshop(engine()) as shop:
        generation = await held(shop, 2)
        await until(lambda: text(generation.log) == "One two")
        shop.records.tear = NotSaved("The disk is full.")
        await _until_told(shop, generation, saving=False)
        shop.records.tear = None
        await until(lambda: stores(generation)[-1] is True)

        (entry,) = shop.records.rows[generation.id].journal
        assert kept_events(entry.events) == generation.log.after(-1)
        assert list(entry.token_ids) == [1, 2]
        assert entry.prompt
        shop.engine.go.set()
        await ended(generation)


async def test_a_long_answer_is_written_down_whole_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "ROWS", 3)
    async with open_workshop(engine()) as shop:
        generation = await held(shop, 2)
        await until(lambda: text(generation.log) == "One two")
        for _ in range(10):
            before = generation.log.last_sequence_number
            generation.saving_changed(saving=True)
            await until(lambda before=before: generation.log.last_sequence_number > before)
            assert len(shop.records.rows[generation.id].journal) <= 3
            seen = [event.json for event in generation.log.after(-1)]
            assert journalled(shop, generation.id) == seen
        shop.engine.go.set()
        await ended(generation)


async def test_a_server_that_stops_saves_what_waits_for_the_disk() -> None:
    async with open_workshop(engine()) as shop:
        shop.records.tear = shop.records.lose = NotSaved("The disk is full.")
        whole = await shop.answer()
        assert not shop.generations.saving
        shop.records.tear = shop.records.lose = None
        # Long before the next try is due.
        async with asyncio.timeout(0.5):
            await shop.generations.close()

        row = shop.records.rows[whole.id]
        assert row.finish is not None
        assert row.events == [event.json for event in whole.log.after(-1)]


async def test_a_create_is_refused_while_what_it_says_would_not_be_saved() -> None:
    async with open_workshop(engine()) as shop:
        generation = await held(shop, 1)
        await until(lambda: text(generation.log) == "One")
        shop.records.tear = NotSaved("The disk is full.")
        await _until_told(shop, generation, saving=False)
        # The row of a new response could be written by now; its words could not.
        with pytest.raises(NotSaved):
            await shop.order()
        unstored = await shop.order(store=False)
        shop.records.tear = None
        # It is not due for another second: whoever asks makes it be tried.
        another = await shop.order()
        assert shop.generations.saving
        shop.engine.go.set()
        await ended(generation, unstored, another)


async def test_when_the_journal_ends_nobody_waits_for_it() -> None:
    records = MemoryRecords()
    records.can_journal.clear()
    ending = journal.Journal(records, lambda _saving: None)
    running = asyncio.ensure_future(ending.run())
    said = Transcript(Response(id="r", created_at=0, model="m"), "msg", ending)
    said.tell("created")
    waiting = asyncio.ensure_future(said.settled())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    running.cancel()
    async with asyncio.timeout(1):
        await waiting
        await said.settled()
        await ending.flush()
    # Nor does anyone see what was not written.
    assert said.log.last_sequence_number == -1


async def test_what_waits_for_the_disk_keeps_no_response_in_memory() -> None:
    records = MemoryRecords()
    full = records.tear = NotSaved("The disk is full.")
    keeping = journal.Journal(records, lambda _saving: None)
    running = asyncio.ensure_future(keeping.run())
    said = Transcript(Response(id="r", created_at=0, model="m"), "msg", keeping)
    said.tell("created")
    await said.settled()
    assert said.log.last_sequence_number == 0
    left = weakref.ref(said)
    del said
    # The frames that it came through are the test's own doing: a real one is gone by now.
    full.__traceback__ = None
    gc.collect()
    assert left() is None

    # It is still written down once the disk works.
    records.tear = None
    await keeping.flush()
    assert records.writes == 1
    running.cancel()
