"""Titles that models make: when they are asked for, to whom they give way, when it is let be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from support.scripted import Script, ScriptedEngine, say
from support.waiting import until
from support.workshop import BOB, PLAIN, Workshop, ended, open_workshop
from tokenwire.engine.base import Capabilities, Delta, Sampling
from tokenwire.engine.models import ModelPhase
from tokenwire.errors import EngineDead, NotSaved
from tokenwire.generation import titles
from tokenwire.generation.titles import Titler
from tokenwire.wire.titles import title_messages


ASKED = "<chat>"


@dataclass
class KeptTitles:
    """Titles in a dict; `typed` are those of their users."""

    kept: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    typed: set[str] = field(default_factory=set[str])
    wrong: Exception | None = None

    async def untitled(self, user_id: str, conversation_id: str) -> bool:
        del user_id
        return conversation_id not in self.kept and conversation_id not in self.typed

    async def settle_title(self, user_id: str, conversation_id: str, title: str | None) -> bool:
        if self.wrong is not None:
            raise self.wrong
        if not await self.untitled(user_id, conversation_id):
            return False
        self.kept[conversation_id] = title
        return title is not None


@dataclass
class Room:
    """A workshop with a titler at work, and what it told."""

    shop: Workshop
    titles: KeptTitles
    told: list[tuple[str, str]]

    @property
    def asked(self) -> list[str]:
        """What each request for a title was about."""
        prompts = [str(prompt[-1]["content"]) for prompt in self.shop.engine.prompts]
        return [prompt for prompt in prompts if ASKED in prompt]

    async def answer(self, conversation: str, text: str = "Hi") -> None:
        if ("ann", conversation) not in self.shop.records.heads:
            self.shop.records.add_conversation("ann", conversation)
        await self.shop.answer(text, conversation=conversation)

    async def begin(self, conversation: str) -> None:
        """An answer, and its title to where it is held."""
        self.shop.engine.holding.clear()
        await self.answer(conversation)
        await asyncio.wait_for(self.shop.engine.holding.wait(), 10)


def speaking(title: Script, engine: ScriptedEngine, hold: int | None = None) -> Script:
    """Answers are as ever; titles as `title` says, held before their delta `hold`."""

    def script(text: str, sampling: Sampling) -> list[Delta | Exception]:
        engine.hold_at = hold if ASKED in text else None
        return title(text, sampling) if ASKED in text else say("Hello", ".")

    return script


def saying(text: str) -> Script:
    return lambda _text, _sampling: say(text)


@asynccontextmanager
async def open_room(
    title: Script | None = None, *, hold: int | None = None, asks: titles.Asks = "auto"
) -> AsyncGenerator[Room, None]:
    engine = ScriptedEngine()
    engine.script = speaking(title or saying("A greeting"), engine, hold)
    async with open_workshop(engine) as shop:
        kept, told = KeptTitles(), list[tuple[str, str]]()
        titler = Titler(
            shop.generations,
            shop.engines,
            kept,
            lambda user_id, conversation_id: told.append((user_id, conversation_id)),
            asks=asks,
            pause_s=0,
        )
        running = shop.tasks.create_task(titler.run())
        try:
            yield Room(shop, kept, told)
        finally:
            running.cancel()


async def settled(room: Room, *conversations: str) -> None:
    async with asyncio.timeout(10):
        await until(lambda: set(conversations) <= set(room.titles.kept))


async def rested() -> None:
    """What could have begun would have."""
    for _ in range(50):
        await asyncio.sleep(0)


# When


async def test_the_first_answer_of_a_conversation_brings_a_title() -> None:
    async with open_room() as room:
        await room.answer("c1", "Where do penguins live?")
        await settled(room, "c1")
        assert (room.titles.kept, room.told) == ({"c1": "A greeting"}, [("ann", "c1")])
        assert room.asked == [
            str(title_messages("Where do penguins live?", "Hello.")[0]["content"])
        ]
        assert len(room.shop.records.rows) == 1

        await room.answer("c1", "And bears?")
        await rested()
        assert len(room.asked) == 1


async def test_a_model_is_asked_behind_all_others_and_not_to_think() -> None:
    seen: list[Sampling] = []

    def script(_text: str, sampling: Sampling) -> list[Delta | Exception]:
        seen.append(sampling)
        return say("A greeting")

    async with open_room(script) as room:
        await room.answer("c1")
        await settled(room, "c1")
        form = room.shop.engine.forms[-1]
        assert (form.template["enable_thinking"], form.offers_tools) == (False, False)
        assert seen[0].priority > titles.WARM_PRIORITY
        assert (seen[0].temperature, seen[0].seed) == (0, None)
        assert seen[0].max_tokens == titles.MOST_TOKENS_THINKING


async def test_a_model_that_does_not_think_may_say_less() -> None:
    seen: list[int | None] = []

    def script(_text: str, sampling: Sampling) -> list[Delta | Exception]:
        seen.append(sampling.max_tokens)
        return say("A greeting")

    async with open_room(script) as room:
        limits = room.shop.engine.limits
        room.shop.engine.limits = type(limits)(
            limits.context_length, 8, 10_000, capabilities=Capabilities(reasoning=False)
        )
        await room.answer("c1")
        await settled(room, "c1")
        assert seen == [titles.MOST_TOKENS]


async def test_what_is_said_after_the_title_is_not_waited_for() -> None:
    async with open_room(lambda _t, _s: say("A greeting\n", "and", "more")) as room:
        await room.answer("c1")
        await settled(room, "c1")
        assert room.titles.kept == {"c1": "A greeting"}
        assert len(room.shop.engine.aborted) == 1


async def test_thoughts_are_no_title() -> None:
    thinking: list[Delta | Exception] = [
        Delta("", (1,), reasoning="I should greet.\n"),
        Delta("A greeting", (2,)),
        Delta("", (0,), "stop"),
    ]
    async with open_room(lambda _t, _s: thinking) as room:
        await room.answer("c1")
        await settled(room, "c1")
        assert room.titles.kept == {"c1": "A greeting"}


@pytest.mark.parametrize("said", ["", "<tool_call>", "the the the the the"])
async def test_nonsense_leaves_the_provisional_title_and_is_not_asked_for_again(said: str) -> None:
    async with open_room(saying(said)) as room:
        await room.answer("c1")
        await settled(room, "c1")
        await room.answer("c1")
        await rested()
        assert (room.titles.kept, room.told, len(room.asked)) == ({"c1": None}, [], 1)


async def test_a_typed_title_is_not_asked_for() -> None:
    async with open_room() as room:
        room.titles.typed.add("c1")
        await room.answer("c1")
        await rested()
        assert (room.asked, room.told) == ([], [])


async def test_a_title_typed_while_one_is_made_stays() -> None:
    async with open_room(hold=0) as room:
        await room.begin("c1")
        room.titles.typed.add("c1")
        room.shop.engine.go.set()
        await rested()
        assert (room.titles.kept, room.told) == ({}, [])


async def test_only_a_whole_answer_that_is_kept_and_said_brings_a_title() -> None:
    async with open_room() as room:
        engine, answers = room.shop.engine, room.shop.engine.script
        room.shop.records.add_conversation("ann", "c1")
        await room.shop.answer(conversation="c1", store=False)
        await room.shop.answer(conversation="c1", generate=False)
        engine.script = lambda _t, _s: [Delta("Hel", (1,)), Delta("", (2,), "length")]
        await room.shop.answer(conversation="c1")
        engine.script = lambda _t, _s: say("  ")
        await room.shop.answer(conversation="c1", previous_response_id=None)
        engine.script = answers
        await room.shop.answer()
        await rested()
        assert room.asked == []
        await room.shop.answer(conversation="c1", previous_response_id=None)
        await settled(room, "c1")
        # What is read ahead after an answer is no answer.
        room.titles.kept.clear()
        await room.shop.answer(conversation="c1", generate=False)
        await rested()
        assert len(room.asked) == 1
        # What was said first is what it is about.
        await room.shop.answer("At last", conversation="c1")
        await settled(room, "c1")
        assert "User: Hi" in room.asked[1]
        assert "Assistant: Hello." in room.asked[1]


# Giving way


async def test_nobody_is_asked_while_anyone_has_an_answer_made() -> None:
    async with open_room() as room:
        engine = room.shop.engine
        titled, engine.script = engine.script, saying("Hello")
        engine.hold_at = 0
        running = await room.shop.order(asker=BOB)
        await asyncio.wait_for(engine.holding.wait(), 10)
        engine.script = titled
        await room.answer("c1")
        await rested()
        assert room.asked == []
        engine.go.set()
        await ended(running)
        await settled(room, "c1")


@pytest.mark.parametrize("fields", [{}, {"generate": False}, {"store": False}])
async def test_a_title_gives_way_at_once_and_is_made_afterwards(fields: dict[str, object]) -> None:
    async with open_room(hold=1) as room:
        engine = room.shop.engine
        await room.begin("c1")
        title = engine.started[-1]
        answer = await room.shop.order("Me first", PLAIN, **fields)
        await until(lambda: title in engine.aborted)
        assert engine.running <= {answer.id}
        await ended(answer)
        assert answer.status == "completed"
        assert room.titles.kept == {}
        engine.go.set()
        await settled(room, "c1")
        assert (room.titles.kept, len(room.asked)) == ({"c1": "A greeting"}, 2)


async def test_an_answer_that_waits_for_its_place_is_given_way_to() -> None:
    async with open_room(hold=1) as room:
        await room.begin("c1")
        room.shop.engines.ready_event.clear()
        waiting = await room.shop.order()
        await until(lambda: bool(room.shop.engine.aborted))
        assert waiting.status == "queued"
        room.shop.engines.ready_event.set()
        await ended(waiting)
        room.shop.engine.go.set()
        await settled(room, "c1")


async def test_tries_are_bounded_and_the_next_answer_brings_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(titles, "MOST_TRIES", 3)
    async with open_room(hold=0) as room:
        await room.begin("c1")
        for _ in range(2):
            room.shop.engine.holding.clear()
            await room.shop.answer()
            await asyncio.wait_for(room.shop.engine.holding.wait(), 10)
        await room.shop.answer()
        await rested()
        assert (len(room.asked), room.titles.kept) == (3, {})
        room.shop.engine.go.set()
        await room.answer("c1")
        await settled(room, "c1")
        assert len(room.asked) == 4


async def test_a_model_that_is_not_there_is_not_loaded_for_a_title() -> None:
    async with open_room() as room:
        room.shop.generations.quiet.enter()
        await room.answer("c1")
        room.shop.engines.ready_event.clear()
        room.shop.generations.quiet.leave()
        await rested()
        assert (room.asked, room.shop.engines.leases) == ([], 0)
        assert room.titles.kept == {}


async def test_a_model_that_goes_while_the_titles_are_looked_up_is_not_loaded_for_one() -> None:
    async with open_room() as room:
        looking = room.titles.untitled

        async def untitled(user_id: str, conversation_id: str) -> bool:
            room.shop.engines.ready_event.clear()
            return await looking(user_id, conversation_id)

        room.titles.untitled = untitled
        await room.answer("c1")
        await rested()
        assert (room.asked, room.shop.engines.leases) == ([], 0)


@pytest.mark.parametrize("phase", ["draining", "recovering"])
async def test_a_model_that_has_to_go_is_not_kept(phase: ModelPhase) -> None:
    async with open_room(hold=0) as room:
        await room.begin("c1")
        room.shop.engines.tell(phase)
        await until(lambda: bool(room.shop.engine.aborted))
        room.shop.engine.go.set()
        await settled(room, "c1")
        assert room.titles.kept == {"c1": "A greeting"}


async def test_a_server_that_stops_waits_for_no_title() -> None:
    async with open_room(hold=0) as room:
        await room.begin("c1")
        room.shop.generations.drain()
        await until(lambda: bool(room.shop.engine.aborted))
        await rested()
        assert len(room.asked) == 1


# Which models, and what goes wrong


@pytest.mark.parametrize(
    ("size", "asks", "asked"),
    [
        (None, "auto", True),
        (titles.LEAST_BYTES, "auto", True),
        (titles.LEAST_BYTES - 1, "auto", False),
        (titles.LEAST_BYTES - 1, "always", True),
        (titles.LEAST_BYTES, "never", False),
    ],
)
async def test_small_models_are_asked_only_where_it_was_set(
    size: int | None, asks: titles.Asks, *, asked: bool
) -> None:
    async with open_room(asks=asks) as room:
        room.shop.engines.size_bytes = size
        await room.answer("c1")
        await rested()
        assert bool(room.asked) == asked


async def test_a_prompt_that_leaves_no_room_is_let_be() -> None:
    async with open_room() as room:
        limits = room.shop.engine.limits
        room.shop.engine.limits = type(limits)(
            titles.MOST_TOKENS_THINKING, 8, 10_000, capabilities=Capabilities(reasoning=True)
        )
        await room.answer("c1")
        await settled(room, "c1")
        assert room.titles.kept == {"c1": None}


@pytest.mark.parametrize("wrong", [EngineDead("It died."), RuntimeError("a bug")])
async def test_a_title_that_fails_is_tried_again_and_holds_up_no_other(
    wrong: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "tokenwire")
    failures: list[Delta | Exception] = [wrong]
    async with open_room(lambda text, _s: failures if "bad" in text else say("Good")) as room:
        await room.answer("c1", "bad")
        await room.answer("c2", "good")
        await settled(room, "c2")
        room.shop.engine.alive = True
        await until(lambda: sum("bad" in asked for asked in room.asked) == titles.MOST_TRIES)
        await rested()
        assert room.titles.kept == {"c2": "Good"}
        assert sum("bad" in asked for asked in room.asked) == titles.MOST_TRIES


async def test_a_disk_that_fails_costs_the_title_alone() -> None:
    async with open_room() as room:
        room.titles.wrong = NotSaved("The disk is full.")
        await room.answer("c1")
        await until(lambda: len(room.asked) == titles.MOST_TRIES)
        room.titles.wrong = None
        await room.answer("c2")
        await settled(room, "c2")
        assert room.told == [("ann", "c2")]


async def test_as_many_wait_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(titles, "MOST_WAITING", 2)
    async with open_room() as room:
        room.shop.generations.quiet.enter()
        for name in ("c1", "c2", "c3"):
            await room.answer(name)
        await rested()
        room.shop.generations.quiet.leave()
        await settled(room, "c2", "c3")
        await rested()
        assert set(room.titles.kept) == {"c2", "c3"}
