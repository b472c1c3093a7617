"""Steering without a door: what was said to a running answer has one fate, and hears of it once."""

from __future__ import annotations

from typing import Literal

import pytest

from support.scripted import ScriptedEngine, say
from support.waiting import until
from support.workshop import ANN, BOB, PLAIN, Workshop, ended, open_workshop, text
from tokenwire.engine.base import Call, Delta
from tokenwire.errors import AlreadyCompleted, EngineDead, NotActive, NotSteered
from tokenwire.generation import steering
from tokenwire.generation.generation import Generation
from tokenwire.generation.intake import Asker
from tokenwire.generation.steering import Fate, Followed, Steering, Submission, Waits
from tokenwire.wire.steering import Steer


Told = list[tuple[str, Fate]]
TOOLS: dict[str, object] = {"tools": [{"type": "function", "name": "find"}]}
CUSTOM: dict[str, object] = {"tools": [{"type": "custom", "name": "find"}]}


def held(*steps: Delta | Exception) -> ScriptedEngine:
    engine = ScriptedEngine(
        lambda said, _s: [*steps] or say("One ", "two ", "three") if said == "Hi" else say("Short.")
    )
    engine.hold_at = 2
    return engine


async def running(
    shop: Workshop, fields: dict[str, object] | None = None, asker: Asker = ANN
) -> Generation:
    """An answer that stands still before its third step."""
    generation = await shop.order("Hi", asker, **fields or {})
    await shop.engine.holding.wait()
    shop.engine.hold_at = None
    return generation


def listener(told: Told) -> steering.Tell:
    def tell(submission: Submission, fate: Fate) -> None:
        told.append((submission.steer.previous_response_id, fate))

    return tell


async def test_what_was_said_in_the_order_it_was_said_goes_on_with_the_settings() -> None:
    told: Told = []
    async with open_workshop(held()) as shop:
        steerer = Steering(shop.generations, shop.tasks)
        fields: dict[str, object] = {"seed": 7, "metadata": {"a": "b"}, "max_output_tokens": 9}
        own: dict[str, object] = {
            "tokenwire": {"idempotency_key": "k"},
            "continue_final_message": False,
        }
        first = await running(shop, fields | own)
        for said in ("Shorter", "Kinder"):
            steerer.steer(Steer(previous_response_id=first.id, input=said), ANN, listener(told))
        await ended(first)
        await until(lambda: len(told) == 2)
        fates = [fate for _, fate in told]
        assert fates[0] is fates[1]
        assert isinstance(fates[0], Followed)
        second = fates[0].source
        assert isinstance(second, Generation)
        await ended(second)
        create = second.order.create
        assert (create.seed, create.metadata, create.max_output_tokens) == (7, {"a": "b"}, 9)
        assert (create.idempotency_key, second.response.previous_response_id) == (None, first.id)
        assert text(second.log) == "Short."
        assert [m["content"] for m in shop.engine.prompts[-1]] == [
            *("Hi", "One two ", "Shorter", "Kinder")
        ]


@pytest.mark.parametrize("asker", [ANN, PLAIN])
async def test_a_cancel_takes_what_was_said_with_it(asker: Asker) -> None:
    told: Told = []
    async with open_workshop(held()) as shop:
        steerer = Steering(shop.generations, shop.tasks)
        first = await running(shop, {"store": asker is ANN}, asker)
        steerer.steer(Steer(previous_response_id=first.id, input="x"), asker, listener(told))
        first.cancel()
        await until(lambda: bool(told))
        assert first.status == "cancelled"
        assert isinstance(told[0][1], NotActive)
        assert len(shop.engine.started) == 1
        with pytest.raises(AlreadyCompleted):
            steerer.steer(Steer(previous_response_id=first.id, input="x"), asker, listener(told))


@pytest.mark.parametrize("tools", [TOOLS, CUSTOM])
@pytest.mark.parametrize(("finish", "fate"), [("stop", Waits), ("length", Followed)])
async def test_an_answer_that_calls_a_tool_goes_on_to_its_end(
    finish: Literal["stop", "length"], fate: type[Fate], tools: dict[str, object]
) -> None:
    """No result is owed for a call that was cut short."""
    told: Told = []
    called = Delta("", (2,), calls=(Call(0, "{}", "call_a", "find"),))
    steps = [Delta("I look.", (1,)), called, Delta("", (3,)), Delta("", (0,), finish)]
    async with open_workshop(held(*steps)) as shop:
        steerer = Steering(shop.generations, shop.tasks)
        first = await running(shop, tools)
        steerer.steer(Steer(previous_response_id=first.id, input="x"), ANN, listener(told))
        assert not first.ending
        shop.engine.go.set()
        await until(lambda: bool(told))
        assert isinstance(told[0][1], fate)


async def test_an_answer_that_fails_gives_back_what_was_said() -> None:
    told: Told = []
    called = Delta("", (2,), calls=(Call(0, "{}", "call_a", "find"),))
    async with open_workshop(held(Delta("One", (1,)), called, EngineDead("Dead."))) as shop:
        steerer = Steering(shop.generations, shop.tasks)
        first = await running(shop, TOOLS)
        steerer.steer(Steer(previous_response_id=first.id, input="x"), ANN, listener(told))
        shop.engine.go.set()
        await until(lambda: bool(told))
        assert isinstance(told[0][1], NotActive)


async def test_nobody_steers_what_is_not_theirs() -> None:
    async with open_workshop(held()) as shop:
        steerer = Steering(shop.generations, shop.tasks)
        first = await running(shop)
        with pytest.raises(NotSteered):
            steerer.steer(Steer(previous_response_id=first.id, input="x"), BOB, listener([]))
        assert not first.ending
        first.cancel()
        await ended(first)


async def test_what_waits_for_results_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "MOST_THAT_WAIT", 1)
    told: Told = []
    call = Delta("", (1,), calls=(Call(0, "{}", "call_a", "find"),))
    async with open_workshop(held(call, Delta("", (2,)), Delta("", (0,), "stop"))) as shop:
        steerer = Steering(shop.generations, shop.tasks)
        both = [await running(shop, TOOLS), await shop.order("Hi", ANN, **TOOLS)]
        for one in both:
            steerer.steer(Steer(previous_response_id=one.id, input="x"), ANN, listener(told))
        shop.engine.go.set()
        await until(lambda: len(told) == 3)
    ids = [id for id, fate in told if isinstance(fate, Waits)]
    dropped = [id for id, fate in told if isinstance(fate, NotActive)]
    assert sorted(ids) == sorted(one.id for one in both)
    assert dropped == ids[:1]
