"""All answers: accepting, context, finding, cancelling, deleting, expiring, stopping."""

from __future__ import annotations

import asyncio
import json

import pytest

from support.scripted import ScriptedEngine
from support.waiting import until
from support.workshop import (
    ANN,
    BOB,
    PLAIN,
    Workshop,
    ask,
    assert_whole,
    ended,
    last_response,
    open_workshop,
    text,
    types,
)
from tokenwire.engine.base import Form, Prompt
from tokenwire.errors import (
    ContextLengthExceeded,
    ConversationNotFound,
    InvalidStartingAfter,
    ModelNotFound,
    NotSaved,
    PreviousResponseNotFound,
    RateLimited,
    ResponseNotFound,
    ServerDraining,
    ServerError,
    StreamExpired,
    TokenwireError,
)
from tokenwire.generation import generations as house
from tokenwire.generation.admission import AdmissionLimits
from tokenwire.generation.generation import Generation
from tokenwire.generation.intake import Asker
from tokenwire.generation.replay import Replay
from tokenwire.wire.commands import parse_create
from tokenwire.wire.items import Item, canonical_input
from tokenwire.wire.messages import chat_messages


def said(shop: Workshop) -> list[tuple[object, object]]:
    """Role and content of each message of the last prompt."""
    return [(message["role"], message["content"]) for message in shop.engine.prompts[-1]]


def key(name: str) -> dict[str, object]:
    return {"idempotency_key": name}


async def expire(shop: Workshop, monkeypatch: pytest.MonkeyPatch, *ids: str) -> None:
    """Let the server forget answers that have ended."""
    monkeypatch.setattr(house, "KEEP_ENDED_S", -1.0)
    live = shop.generations._live  # pyright: ignore[reportPrivateUsage]
    await until(lambda: not set(ids) & set(live))


@pytest.fixture(autouse=True)
def _quick_house(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr(house, "HOUSEKEEPING_S", 0.0)


# Accepting


async def test_a_create_is_saved_before_created_is_told() -> None:
    async with open_workshop() as shop:
        shop.records.can_begin.clear()
        accepting = asyncio.create_task(shop.order())
        await shop.records.beginning.wait()
        (live,) = shop.generations._live.values()  # pyright: ignore[reportPrivateUsage]

        assert types(live.log) == []
        shop.records.can_begin.set()
        generation = await accepting
        assert generation is live
        assert types(live.log)[0] == "created"


REFUSALS: list[tuple[dict[str, object], type[TokenwireError]]] = [
    ({"model": "nonsense"}, ModelNotFound),
    ({"previous_response_id": "resp_none"}, PreviousResponseNotFound),
    ({"conversation": "conv_none"}, ConversationNotFound),
    ({"input": "word " * 2000}, ContextLengthExceeded),
    ({"input": "x" * 128_001}, ContextLengthExceeded),
]


@pytest.mark.parametrize(("fields", "refusal"), REFUSALS)
async def test_a_create_that_is_refused_writes_nothing_and_starts_nothing(
    fields: dict[str, object], refusal: type[TokenwireError]
) -> None:
    async with open_workshop() as shop:
        with pytest.raises(refusal):
            await shop.generations.start(parse_create({"input": "Hi", **fields}), ANN)

        assert shop.records.rows == {}
        assert (shop.generations.running, shop.generations.waiting) == (0, 0)
        assert shop.engine.started == []


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        (NotSaved("The disk is full."), NotSaved),
        (PreviousResponseNotFound("Gone."), PreviousResponseNotFound),
        (ValueError("a bug"), ServerError),
    ],
)
async def test_a_create_that_cannot_be_saved_is_refused_and_keeps_no_place(
    wrong: Exception, refusal: type[TokenwireError]
) -> None:
    async with open_workshop() as shop:
        shop.records.refuse = wrong
        with pytest.raises(refusal):
            await shop.order()

        assert (shop.generations.running, shop.engine.started) == (0, [])
        shop.records.refuse = None
        assert (await shop.answer()).status == "completed"


async def test_a_full_line_refuses_before_anything_is_written() -> None:
    limits = AdmissionLimits(max_running=1, max_waiting=1)
    async with open_workshop(limits=limits) as shop:
        shop.engine.hold_at = 0
        await shop.order()
        await shop.order()
        with pytest.raises(RateLimited):
            await shop.order()

        assert len(shop.records.rows) == 2


async def test_who_leaves_while_it_is_saved_leaves_no_row_that_nobody_ends() -> None:
    async with open_workshop() as shop:
        shop.records.can_begin.clear()
        accepting = asyncio.create_task(shop.order())
        await shop.records.beginning.wait()
        accepting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await accepting
        shop.records.can_begin.set()
        await until(lambda: bool(shop.records.rows))

        await until(lambda: not shop.generations.running)
        (row,) = shop.records.rows.values()
        assert row.status == "completed"


async def test_the_response_says_what_came_before_it() -> None:
    async with open_workshop() as shop:
        first = await shop.answer()
        second = await shop.answer(previous_response_id=first.id)

        assert second.response.previous_response_id == first.id
        assert shop.records.rows[second.id].parent_id == first.id


# Idempotency


async def test_the_same_key_again_gives_the_same_response() -> None:
    async with open_workshop() as shop:
        first = await shop.answer(tokenwire=key("k"))
        again = await shop.generations.start(ask(tokenwire=key("k")), ANN)

        assert again is first
        assert len(shop.records.rows) == 1
        assert shop.generations.running == 0


async def test_two_creates_at_once_with_one_key_are_one_response() -> None:
    async with open_workshop() as shop:
        shop.records.can_begin.clear()
        both = [
            asyncio.create_task(shop.generations.start(ask(tokenwire=key("k")), ANN))
            for _ in range(2)
        ]
        await shop.records.beginning.wait()
        shop.records.can_begin.set()
        first, second = await asyncio.gather(*both)

        assert first.id == second.id
        assert isinstance(first, Generation)
        await ended(first)
        assert len(shop.engine.started) == 1
        assert shop.generations.running == 0


async def test_a_turn_that_is_sent_again_while_it_runs_is_not_taken_to_continue_itself() -> None:
    async with open_workshop() as shop:
        shop.records.add_conversation("ann", "c")
        shop.engine.hold_at = 1
        turn = ask(conversation="c", tokenwire=key("k"))
        first = await shop.generations.start(turn, ANN)
        again = await shop.generations.start(turn, ANN)
        with pytest.raises(PreviousResponseNotFound):
            await shop.generations.start(ask(conversation="c", tokenwire=key("another")), ANN)
        shop.engine.go.set()

        assert again is first


async def test_a_create_that_is_sent_again_finds_its_place_in_a_full_line() -> None:
    limits = AdmissionLimits(max_running=1, max_waiting=1, max_waiting_per_user=1)
    async with open_workshop(limits=limits) as shop:
        shop.engine.hold_at = 1
        await shop.generations.start(ask(), ANN)
        waiting = await shop.generations.start(ask(tokenwire=key("k")), ANN)
        again = await shop.generations.start(ask(tokenwire=key("k")), ANN)
        with pytest.raises(RateLimited):
            await shop.generations.start(ask(tokenwire=key("another")), ANN)
        shop.engine.go.set()

        assert again is waiting


async def test_the_same_key_of_someone_else_is_another_response() -> None:
    async with open_workshop() as shop:
        first = await shop.answer(tokenwire=key("k"))
        other = await shop.answer("Hi", BOB, tokenwire=key("k"))

        assert first.id != other.id


async def test_the_same_key_after_the_answer_has_expired_replays_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_workshop() as shop:
        first = await shop.answer(tokenwire=key("k"))
        await expire(shop, monkeypatch, first.id)
        again = await shop.generations.start(ask(tokenwire=key("k")), ANN)

        assert isinstance(again, Replay)
        assert again.log.after(-1) == first.log.after(-1)


# Context


async def test_a_successor_continues_from_all_that_was_said() -> None:
    async with open_workshop() as shop:
        first = await shop.answer("My name is Ada.")
        second = await shop.answer("And I am 36.", previous_response_id=first.id)
        await shop.answer("Who am I?", previous_response_id=second.id)

        assert said(shop) == [
            ("user", "My name is Ada."),
            ("assistant", "Hello, world."),
            ("user", "And I am 36."),
            ("assistant", "Hello, world."),
            ("user", "Who am I?"),
        ]


async def test_instructions_are_not_carried_over() -> None:
    async with open_workshop() as shop:
        first = await shop.answer(instructions="Be kind.")
        await shop.answer(previous_response_id=first.id)

        assert [role for role, _ in said(shop)] == ["user", "assistant", "user"]


async def test_the_connection_is_asked_before_the_memory() -> None:
    cache: dict[str, list[Item]] = {"resp_loose": canonical_input("Before.")}
    asker = Asker("ann", durable=True, cached=cache.get)
    async with open_workshop() as shop:
        child = await shop.answer("Now.", asker, previous_response_id="resp_loose")

        assert said(shop) == [("user", "Before."), ("user", "Now.")]
        # The parent was never stored: its items stay with the first stored child.
        row = shop.records.rows[child.id]
        assert row.parent_id is None
        assert [part["content"] for part in chat_messages(None, row.input)] == ["Before.", "Now."]
        assert child.response.previous_response_id == "resp_loose"


async def test_a_response_that_is_not_stored_is_unknown_to_another_connection() -> None:
    async with open_workshop() as shop:
        loose = await shop.answer(store=False)
        with pytest.raises(PreviousResponseNotFound):
            await shop.order(previous_response_id=loose.id)


async def test_a_response_that_still_runs_cannot_be_continued() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        first = await shop.order()
        with pytest.raises(PreviousResponseNotFound) as caught:
            await shop.order(previous_response_id=first.id)

        assert caught.value.param == "previous_response_id"


async def test_a_response_that_was_cut_can_be_continued() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        first = await shop.order()
        await shop.engine.holding.wait()
        first.cancel()
        await ended(first)
        shop.engine.hold_at = None
        await shop.answer("Go on.", previous_response_id=first.id)

        assert said(shop)[1] == ("assistant", "Hello")


async def test_without_a_parent_a_turn_goes_to_the_head_of_its_conversation() -> None:
    async with open_workshop() as shop:
        shop.records.add_conversation("ann", "conv_1")
        first = await shop.answer("One.", conversation="conv_1")
        second = await shop.answer("Two.", conversation="conv_1")

        assert second.response.previous_response_id == first.id
        assert [content for _, content in said(shop)] == ["One.", "Hello, world.", "Two."]


async def test_an_explicit_null_begins_a_new_root_in_its_conversation() -> None:
    async with open_workshop() as shop:
        shop.records.add_conversation("ann", "conv_1")
        await shop.answer("One.", conversation="conv_1")
        second = await shop.answer("Two.", conversation="conv_1", previous_response_id=None)

        assert second.response.previous_response_id is None
        assert said(shop) == [("user", "Two.")]


# Who may see what


async def test_someone_elses_response_is_not_found() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        running = await shop.order()
        for attempt in (
            shop.generations.get("bob", running.id),
            shop.generations.find("bob", running.id),
            shop.generations.cancel("bob", running.id),
            shop.generations.begin_cancel("bob", running.id),
            shop.generations.delete("bob", running.id),
        ):
            with pytest.raises(ResponseNotFound):
                await attempt
        with pytest.raises(PreviousResponseNotFound):
            await shop.order("Hi", BOB, previous_response_id=running.id)

        assert not running.ended


async def test_someone_elses_ended_response_is_not_found() -> None:
    async with open_workshop() as shop:
        done = await shop.answer()
        for attempt in (
            shop.generations.get("bob", done.id),
            shop.generations.find("bob", done.id),
            shop.generations.delete("bob", done.id),
        ):
            with pytest.raises(ResponseNotFound):
                await attempt
        with pytest.raises(PreviousResponseNotFound):
            await shop.order("Hi", BOB, previous_response_id=done.id)


# Finding


async def test_a_running_response_is_found_with_its_log() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        running = await shop.order()

        assert await shop.generations.find("ann", running.id, 0) is running
        assert (await shop.generations.get("ann", running.id))["status"] == "in_progress"


async def test_an_answer_that_has_expired_is_replayed_with_the_same_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_workshop() as shop:
        done = await shop.answer()
        await expire(shop, monkeypatch, done.id)
        replay = await shop.generations.find("ann", done.id)

        assert isinstance(replay, Replay)
        assert_whole(replay.log)
        assert replay.log.after(-1) == done.log.after(-1)
        assert replay.status == "completed"
        assert (replay.chain(), text(replay.log)) == (None, "Hello, world.")
        resource = await shop.generations.get("ann", done.id)
        assert resource == await shop.generations.resource("ann", replay)
        assert resource == last_response(done.log)


async def test_what_runs_or_ended_just_now_does_not_expire() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        running = await shop.order()
        shop.engine.hold_at = None
        done = await shop.answer()
        for _ in range(20):
            await asyncio.sleep(0)

        assert await shop.generations.find("ann", done.id) is done
        assert await shop.generations.find("ann", running.id) is running


async def test_what_is_not_stored_is_forgotten_after_its_end() -> None:
    async with open_workshop() as shop:
        loose = await shop.answer(store=False)
        await until(lambda: not shop.generations._live)  # pyright: ignore[reportPrivateUsage]

        with pytest.raises(ResponseNotFound):
            await shop.generations.get("ann", loose.id)


async def test_a_position_beyond_the_log_is_refused() -> None:
    async with open_workshop() as shop:
        done = await shop.answer()
        last = done.log.last_sequence_number

        assert await shop.generations.find("ann", done.id, last) is done
        with pytest.raises(InvalidStartingAfter) as caught:
            await shop.generations.find("ann", done.id, last + 1)
        assert caught.value.param == "starting_after"


async def test_a_response_whose_events_were_not_kept_is_no_stream_without_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_workshop() as shop:
        done = await shop.answer()
        await expire(shop, monkeypatch, done.id)
        shop.records.rows[done.id].events = []

        with pytest.raises(StreamExpired):
            await shop.generations.find("ann", done.id)
        assert (await shop.generations.get("ann", done.id))["status"] == "completed"


async def test_a_response_that_never_was_is_not_found() -> None:
    async with open_workshop() as shop:
        for attempt in (
            shop.generations.get("ann", "resp_none"),
            shop.generations.find("ann", "resp_none"),
            shop.generations.cancel("ann", "resp_none"),
            shop.generations.begin_cancel("ann", "resp_none"),
            shop.generations.delete("ann", "resp_none"),
        ):
            with pytest.raises(ResponseNotFound):
                await attempt


# Cancelling and deleting


async def test_cancelling_gives_the_response_as_it_ended() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        running = await shop.order()
        await shop.engine.holding.wait()

        resource = await shop.generations.cancel("ann", running.id)
        assert resource["status"] == "cancelled"
        assert await shop.generations.cancel("ann", running.id) == resource


async def test_cancelling_what_has_ended_returns_it_unchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_workshop() as shop:
        done = await shop.answer()
        assert (await shop.generations.cancel("ann", done.id))["status"] == "completed"
        await expire(shop, monkeypatch, done.id)

        assert (await shop.generations.cancel("ann", done.id))["status"] == "completed"
        await shop.generations.begin_cancel("ann", done.id)


async def test_asking_to_cancel_does_not_wait_for_the_end() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        running = await shop.order()
        await shop.generations.begin_cancel("ann", running.id)
        assert not running.ended
        await ended(running)

        assert running.status == "cancelled"


async def test_a_response_that_was_deleted_is_gone() -> None:
    async with open_workshop() as shop:
        done = await shop.answer()
        await shop.generations.delete("ann", done.id)

        with pytest.raises(ResponseNotFound):
            await shop.generations.get("ann", done.id)
        with pytest.raises(ResponseNotFound):
            await shop.generations.delete("ann", done.id)


async def test_deleting_what_runs_cancels_it_first() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        running = await shop.order()
        await shop.engine.holding.wait()
        await shop.generations.delete("ann", running.id)

        assert_whole(running.log)
        assert shop.engine.running == set()
        assert shop.records.rows == {}


async def test_a_conversation_that_is_cancelled_ends_what_runs_in_it_and_nothing_else() -> None:
    async with open_workshop() as shop:
        for user, conversation in (("ann", "conv_1"), ("ann", "conv_2"), ("bob", "conv_1")):
            shop.records.add_conversation(user, conversation)
        shop.engine.hold_at = 1
        inside = await shop.order(conversation="conv_1")
        elsewhere = await shop.order(conversation="conv_2")
        someone = await shop.order("Hi", BOB, conversation="conv_1")
        await shop.generations.cancel_conversation("ann", "conv_1", forget=True)

        assert inside.status == "cancelled"
        assert not elsewhere.ended
        assert not someone.ended


# Who hears of it


async def test_listeners_hear_of_each_start_and_end_in_a_conversation() -> None:
    async with open_workshop() as shop:
        heard: list[tuple[str, str]] = []
        shop.records.add_conversation("ann", "conv_1")
        shop.generations.subscribe(lambda what, generation: heard.append((what, generation.id)))
        inside = await shop.answer("Hi", Asker("ann", origin="sock_1"), conversation="conv_1")
        await shop.answer()
        await until(lambda: len(heard) == 2)

        assert heard == [("started", inside.id), ("ended", inside.id)]
        assert shop.generations.origin(inside.id) == "sock_1"


# Stopping


async def test_a_server_that_drains_refuses_new_work_and_lets_old_work_end() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        running = await shop.order(asker=PLAIN)
        await shop.engine.holding.wait()
        shop.generations.drain()
        with pytest.raises(ServerDraining):
            await shop.order()
        shop.engine.go.set()
        await shop.generations.settle(10)

        assert running.status == "completed"


async def test_settling_gives_up_after_its_time() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        running = await shop.order(asker=PLAIN)
        await shop.generations.settle(0)

        assert not running.ended


async def test_what_goes_on_with_the_next_server_is_not_waited_for() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 1
        running = await shop.order()
        async with asyncio.timeout(10):
            await shop.generations.settle(3600)

        assert not running.ended


async def test_closing_ends_what_is_plain_whether_it_runs_or_waits_saved() -> None:
    async with open_workshop(limits=AdmissionLimits(max_running=2)) as shop:
        shop.engine.hold_at = 1
        orders = [await shop.order(asker=asker) for asker in (PLAIN, BOB, PLAIN, PLAIN)]
        del orders[1]
        await shop.generations.close()

        for generation in orders:
            assert_whole(generation.log)
            assert last_response(generation.log)["incomplete_details"] == {"reason": "interrupted"}
            events = [event.json for event in generation.log.after(-1)]
            assert shop.records.rows[generation.id].events == events
        assert shop.engine.running == set()


async def test_closing_ends_what_is_only_being_saved() -> None:
    async with open_workshop() as shop:
        shop.engine.hold_at = 0
        shop.records.can_begin.clear()
        accepting = asyncio.create_task(shop.order(asker=PLAIN))
        await shop.records.beginning.wait()
        closing = asyncio.create_task(shop.generations.close())
        await asyncio.sleep(0)
        shop.records.can_begin.set()
        generation = await accepting
        async with asyncio.timeout(10):
            await closing

        assert_whole(generation.log)
        assert types(generation.log) == ["created", "incomplete"]


class SlowReader(ScriptedEngine):
    """Renders only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.rendering = asyncio.Event()

    async def render(self, messages: list[dict[str, object]], form: Form | None = None) -> Prompt:
        self.rendering.set()
        await self.go.wait()
        return await super().render(messages, form or Form())


async def test_a_create_that_was_still_being_read_when_the_server_closed_is_refused() -> None:
    engine = SlowReader()
    async with open_workshop(engine) as shop:
        accepting = asyncio.create_task(shop.order())
        await engine.rendering.wait()
        await shop.generations.close()
        engine.go.set()
        with pytest.raises(ServerDraining):
            await accepting

        assert shop.records.rows == {}


async def test_what_was_saved_can_be_read_as_json() -> None:
    async with open_workshop() as shop:
        done = await shop.answer('quo"te 👋\n')

        for event in shop.records.rows[done.id].events:
            assert json.loads(event)["type"].startswith("response.")


async def test_an_end_is_shown_to_nobody_before_it_is_saved() -> None:
    async with open_workshop() as shop:
        shop.records.can_finish.clear()
        generation = await shop.order()
        await shop.records.finishing.wait()
        assert generation.status == "in_progress"
        asked = asyncio.create_task(shop.generations.get("ann", generation.id))
        await asyncio.sleep(0.02)
        assert not asked.done()
        shop.records.can_finish.set()
        assert (await asked)["status"] == "completed"
        assert generation.log.closed
