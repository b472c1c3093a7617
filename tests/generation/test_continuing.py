"""A cut answer is gone on with: another stands beside it, begins with all that it had said, and
goes on from its tokens; or the create is refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from support.records import MemoryRecords
from support.scripted import ScriptedEngine, bounded, say
from support.waiting import until
from support.workshop import (
    ANN,
    BOB,
    PLAIN,
    Workshop,
    ask,
    assert_whole,
    bodies,
    ended,
    last_response,
    open_workshop,
    text,
    types,
)
from tokenwire.engine.base import Call, Delta, Sampling
from tokenwire.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    NotContinuable,
    ResponseNotFound,
    TokenwireError,
)
from tokenwire.generation.admission import AdmissionLimits
from tokenwire.generation.generation import Generation
from tokenwire.generation.intake import Asker
from tokenwire.wire.commands import parse_create
from tokenwire.wire.items import Item, item_text


WORDS = ("One", " two", " thr", "ee", " four", " five.")
WHOLE = "".join(WORDS)
FIELD = "tokenwire.continues"
Steps = Sequence[Delta | Exception]


def engine(steps: Steps | None = None, **fields: int) -> ScriptedEngine:
    made = say(*WORDS) if steps is None else steps
    return ScriptedEngine(lambda _text, sampling: bounded(made, sampling), **fields)


def thinking() -> list[Delta | Exception]:
    """Thoughts and a text, a token each."""
    thoughts = [f" thought {number}" for number in range(20)]
    steps: list[Delta | Exception] = [
        Delta("", (number,), reasoning=thought) for number, thought in enumerate(thoughts, 1)
    ]
    return [
        *steps,
        *(Delta(word, (100 + n,)) for n, word in enumerate(WORDS)),
        Delta("", (0,), "stop"),
    ]


async def go_on(shop: Workshop, response_id: str, asker: Asker = ANN, **fields: Any) -> Generation:
    own = {"continues": response_id, **fields.pop("tokenwire", {})}
    source = await shop.generations.start(parse_create({"tokenwire": own, **fields}), asker)
    assert isinstance(source, Generation)
    return source


def said(generation: Generation) -> list[tuple[object, str]]:
    return [(item["type"], item_text(item)) for item in generation.response.output]


@pytest.mark.parametrize("cut", range(1, len(WORDS) + 1))
async def test_it_begins_with_all_that_was_said_and_goes_on_from_there(cut: int) -> None:
    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi", max_output_tokens=cut)
        assert old.status == "incomplete"
        new = await go_on(shop, old.id)
        await ended(new)

        assert_whole(new.log)
        assert (new.status, said(new)) == ("completed", [("message", WHOLE)])
        deltas = [event.delta for event in new.log.after(-1) if event.delta]
        assert deltas[0] == "".join(WORDS[:cut])
        assert types(new.log)[:4] == [
            "created",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
        ]
        row = shop.records.rows[new.id]
        assert row.finish is not None
        assert list(row.finish.token_ids) == [1, 2, 3, 4, 5, 6, 0]
        assert shop.engine.made == cut + (7 - cut)
        last: Any = last_response(new.log)
        assert last["usage"]["output_tokens"] == 7
        assert last["tokenwire"]["continues"] == old.id
        assert last["tokenwire"]["kept_tokens"] == cut
        # The old one stays as it was.
        assert text(old.log) == "".join(WORDS[:cut])


async def test_it_stands_where_the_cut_one_stands() -> None:
    async with open_workshop(engine()) as shop:
        shop.records.add_conversation("ann", "conv")
        parent = await shop.answer("First", conversation="conv")
        old = await shop.answer(
            "Second", conversation="conv", instructions="Be kind.", max_output_tokens=2
        )
        new = await go_on(shop, old.id)
        await ended(new)

        assert new.response.previous_response_id == parent.id
        assert new.response.conversation == {"id": "conv"}
        assert new.response.instructions == "Be kind."
        assert shop.records.heads["ann", "conv"] == new.id
        rows = shop.records.rows
        assert (rows[new.id].parent_id, rows[new.id].input) == (parent.id, rows[old.id].input)
        assert shop.engine.prompts[-1] == shop.engine.prompts[-2]
        after = await shop.answer("Third", conversation="conv")
        assert after.response.previous_response_id == new.id
        said_before = [message["content"] for message in shop.engine.prompts[-1]]
        assert said_before == ["First", WHOLE, "Second", WHOLE, "Third"]


async def test_what_is_left_unsaid_is_as_it_was_and_the_bound_counts_what_is_new() -> None:
    asked: list[Sampling] = []

    def script(_text: str, sampling: Sampling) -> list[Delta | Exception]:
        asked.append(sampling)
        return bounded(say(*WORDS), sampling)

    async with open_workshop(ScriptedEngine(script)) as shop:
        old = await shop.answer(
            "Hi",
            max_output_tokens=2,
            temperature=0.5,
            seed=7,
            top_k=3,
            min_tokens=2,
            logit_bias={"5": 1.0},
        )
        one = await go_on(shop, old.id, max_output_tokens=1, temperature=0.25)
        await ended(one)
        assert (one.status, said(one)) == ("incomplete", [("message", "One two thr")])
        two = await go_on(shop, one.id, max_output_tokens=2, min_tokens=1)
        await ended(two)
        assert said(two) == [("message", "One two three four")]
        assert (two.response.max_output_tokens, two.response.temperature) == (2, 0.25)

    first, second, third = asked
    assert (first.max_tokens, first.min_tokens, first.before) == (2, 2, 0)
    assert second == replace(first, max_tokens=1, min_tokens=0, temperature=0.25, before=2)
    assert third == replace(second, max_tokens=2, min_tokens=1, before=3)


async def test_a_minimum_that_was_not_reached_is_still_one() -> None:
    asked: list[Sampling] = []

    def script(_text: str, sampling: Sampling) -> list[Delta | Exception]:
        asked.append(sampling)
        return say(*WORDS)

    async with open_workshop(ScriptedEngine(script)) as shop:
        shop.engine.hold_at = 3
        old = await shop.order("Hi", min_tokens=5)
        await shop.engine.holding.wait()
        old.cancel()
        await ended(old)
        shop.engine.hold_at = None
        await ended(await go_on(shop, old.id))
    assert [(each.before, each.min_tokens) for each in asked] == [(0, 5), (3, 2)]


@pytest.mark.parametrize("asker", [ANN, PLAIN])
async def test_a_cancelled_answer_is_gone_on_with(asker: Asker) -> None:
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = 3
        old = await shop.order("Hi", asker)
        await until(lambda: text(old.log) == "One two thr")
        old.cancel()
        await ended(old)
        shop.engine.hold_at = None
        new = await go_on(shop, old.id, asker)
        await ended(new)
        assert (new.status, said(new)) == ("completed", [("message", WHOLE)])


async def test_what_was_said_is_told_before_its_turn_comes_and_kept_if_that_never_comes() -> None:
    steps = thinking()
    async with open_workshop(engine(steps), limits=AdmissionLimits(max_running=1)) as shop:
        old = await shop.answer("Hi", max_output_tokens=15)
        whole = "".join(f" thought {number}" for number in range(15))
        shop.engine.hold_at = 0
        await shop.order("Held")
        new = await go_on(shop, old.id)
        await until(lambda: "queued" in types(new.log))
        told = "".join(str(body.get("delta", "")) for body in bodies(new.log))
        # The end of a thought may turn out to be something else.
        assert told == whole[: len(told)]
        assert 0 < len(whole) - len(told) <= 64
        new.cancel()
        await ended(new)

        assert_whole(new.log)
        assert (new.status, said(new)) == ("cancelled", [("reasoning", whole)])
        shop.engine.go.set()
        shop.engine.hold_at = None
        again = await go_on(shop, new.id)
        await ended(again)
        everything = "".join(f" thought {number}" for number in range(20))
        assert said(again) == [("reasoning", everything), ("message", WHOLE)]


@pytest.mark.parametrize("cut", range(1, 27))
async def test_a_thinking_answer_goes_on_wherever_it_was_cut(cut: int) -> None:
    async with open_workshop(engine(thinking())) as shop:
        undisturbed = await shop.answer("Hi")
        old = await shop.answer("Hi", max_output_tokens=cut)
        new = await go_on(shop, old.id)
        await ended(new)
        assert_whole(new.log)
        assert said(new) == said(undisturbed)


async def test_a_stop_string_that_was_begun_is_still_found() -> None:
    """At its bound an engine gives out what it held back for a stop string."""
    steps: Steps = [Delta("Say ", (1,)), Delta("ST", (2,))]
    ended_by_stop: Steps = [Delta("Say ", (1,)), Delta("", (2,)), Delta("", (3,), "stop")]

    def script(_text: str, sampling: Sampling) -> list[Delta | Exception]:
        return bounded([*steps, Delta("")], sampling) if not sampling.before else [*ended_by_stop]

    async with open_workshop(ScriptedEngine(script)) as shop:
        old = await shop.answer("Hi", stop=["STOP"], max_output_tokens=2)
        assert said(old) == [("message", "Say ST")]
        new = await go_on(shop, old.id)
        await ended(new)
        assert (new.status, said(new)) == ("completed", [("message", "Say ")])


async def test_what_is_read_otherwise_than_it_was_told_fails() -> None:
    def script(_text: str, sampling: Sampling) -> list[Delta | Exception]:
        return (
            say("Another", " way", " of it") if sampling.before else bounded(say(*WORDS), sampling)
        )

    async with open_workshop(ScriptedEngine(script)) as shop:
        old = await shop.answer("Hi", max_output_tokens=2)
        new = await go_on(shop, old.id)
        await ended(new)
        assert_whole(new.log)
        assert (new.status, text(new.log)) == ("failed", "One two")


async def test_the_same_key_gives_the_answer_that_goes_on() -> None:
    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi", max_output_tokens=2)
        new = await go_on(shop, old.id, tokenwire={"idempotency_key": "k"})
        await ended(new)
        again = await go_on(shop, old.id, tokenwire={"idempotency_key": "k"})
        assert again.id == new.id


async def test_what_is_not_stored_can_go_on_with_what_is() -> None:
    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi", max_output_tokens=2)
        new = await go_on(shop, old.id, store=False)
        await ended(new)
        assert said(new) == [("message", WHOLE)]
        assert [item_text(item) for item in new.chain() or []] == ["Hi", WHOLE]


async def test_what_is_steered_is_not_gone_on_with_again() -> None:
    from tokenwire.generation.steering import Followed, Steering
    from tokenwire.wire.steering import Steer

    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi", max_output_tokens=2)
        shop.engine.hold_at = 4
        new = await go_on(shop, old.id)
        await until(lambda: text(new.log) == "One two three")
        fates: list[object] = []
        steering = Steering(shop.generations, shop.tasks)
        steering.steer(
            Steer(previous_response_id=new.id, input="Shorter"),
            ANN,
            lambda _, fate: fates.append(fate),
        )
        await until(lambda: bool(fates))
        (fate,) = fates
        assert isinstance(fate, Followed)
        assert isinstance(fate.source, Generation)
        assert fate.source.response.previous_response_id == new.id
        assert fate.source.order.kept is None
        shop.engine.go.set()
        await ended(fate.source)
        assert said(fate.source) == [("message", WHOLE)]


# After a restart


def copied(records: MemoryRecords) -> MemoryRecords:
    copy = MemoryRecords()
    copy.rows = {
        id: replace(row, journal=[*row.journal], resource=dict(row.resource))
        for id, row in records.rows.items()
    }
    return copy


@pytest.mark.parametrize("at", range(3, len(WORDS) + 1))
async def test_it_goes_on_after_its_server_was_killed(at: int) -> None:
    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi", max_output_tokens=2)
        shop.engine.hold_at = at
        new = await go_on(shop, old.id)
        await until(lambda: text(new.log) == "".join(WORDS[:at]))
        seen = [event.json for event in new.log.after(-1)]
        records = copied(shop.records)
    async with open_workshop(engine(), records=records) as shop:
        assert await shop.take_up() == 1
        again = await shop.generations.find("ann", new.id)
        assert isinstance(again, Generation)
        await ended(again)
        assert_whole(again.log)
        assert [event.json for event in again.log.after(-1)][: len(seen)] == seen
        assert said(again) == [("message", WHOLE)]
        row = records.rows[new.id]
        assert row.finish is not None
        assert list(row.finish.token_ids) == [1, 2, 3, 4, 5, 6, 0]
        tokenwire: Any = last_response(again.log)["tokenwire"]
        assert tokenwire["kept_tokens"] == 2
        assert tokenwire["taken_up"] == 1


async def test_what_was_saved_and_never_told_begins_with_what_was_said_too() -> None:
    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi", max_output_tokens=2)
        shop.records.can_journal.clear()
        new = await go_on(shop, old.id)
        await until(lambda: new.id in shop.engine.started)
        assert new.log.last_sequence_number == -1
        records = copied(shop.records)
    gone = copied(records)
    del gone.rows[old.id]
    async with open_workshop(engine(), records=records) as shop:
        assert await shop.take_up() == 1
        again = await shop.generations.find("ann", new.id)
        assert isinstance(again, Generation)
        await ended(again)
        assert_whole(again.log)
        assert said(again) == [("message", WHOLE)]
    async with open_workshop(engine(), records=gone) as shop:
        assert await shop.take_up() == 0
        again = await shop.generations.find("ann", new.id)
        assert isinstance(again, Generation)
        await ended(again)
        assert again.status == "failed"


async def test_its_own_bound_holds_after_a_restart() -> None:
    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi", max_output_tokens=2)
        shop.engine.hold_at = 3
        new = await go_on(shop, old.id, max_output_tokens=2)
        await until(lambda: text(new.log) == "One two thr")
        records = copied(shop.records)
    async with open_workshop(engine(), records=records) as shop:
        await shop.take_up()
        again = await shop.generations.find("ann", new.id)
        assert isinstance(again, Generation)
        await ended(again)
        assert (again.status, said(again)) == ("incomplete", [("message", "One two three")])
        # And it can be gone on with in its turn.
        last = await go_on(shop, new.id)
        await ended(last)
        assert said(last) == [("message", WHOLE)]


# What is refused


async def refused(
    shop: Workshop, response_id: str, asker: Asker = ANN, **fields: Any
) -> TokenwireError:
    before = set(shop.records.rows)
    with pytest.raises(TokenwireError) as caught:
        await go_on(shop, response_id, asker, **fields)
    assert set(shop.records.rows) == before
    return caught.value


async def test_what_is_unknown_or_foreign_or_deleted_is_not_found() -> None:
    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi", max_output_tokens=2)
        for asker, id in ((ANN, "resp_none"), (BOB, old.id)):
            error = await refused(shop, id, asker)
            assert isinstance(error, ResponseNotFound)
            assert error.param == FIELD
        await shop.generations.delete("ann", old.id)
        assert isinstance(await refused(shop, old.id), ResponseNotFound)


async def test_what_can_not_be_gone_on_with_is_refused_with_the_reason() -> None:
    failing: list[Delta | Exception] = [*say("One", finish=False), RuntimeError("broken")]
    async with open_workshop(engine()) as shop:
        whole = await shop.answer("Hi")
        shop.engine.hold_at = 2
        running = await shop.order("Hi")
        await shop.engine.holding.wait()
        silent = await shop.order("Hi", max_output_tokens=2, store=False)
        found = {
            "complete": await refused(shop, whole.id),
            "ended": await refused(shop, running.id),
            "stored": await refused(
                shop, silent.id, replace(ANN, cached={silent.id: list[Item]()}.get)
            ),
        }
        shop.engine.script = lambda _text, _sampling: failing
        shop.engine.hold_at = None
        failed = await shop.answer("Hi")
        found["failed"] = await refused(shop, failed.id)
        shop.engine.hold_at = 0
        never = await shop.order("Hi")
        never.cancel()
        await ended(never)
        found["generated"] = await refused(shop, never.id)
        cut = await shop_cut(shop)
        shop.records.rows[cut.id].plan = None
        found["tokens are not stored"] = await refused(shop, cut.id)
        shop.records.rows[cut.id].plan = {"strange": 1}
        found["Another version"] = await refused(shop, cut.id)
    for word, error in found.items():
        assert isinstance(error, NotContinuable), word
        assert error.param == FIELD
        assert word in error.message


async def shop_cut(shop: Workshop) -> Generation:
    shop.engine.hold_at = None
    shop.engine.script = lambda _text, sampling: bounded(say(*WORDS), sampling)
    return await shop.answer("Hi", max_output_tokens=2)


async def test_an_answer_that_calls_is_not_gone_on_with() -> None:
    tool = {"type": "function", "name": "find", "parameters": {"type": "object"}}
    steps: Steps = [
        Delta("Look", (1,)),
        Delta("", (2,), calls=(Call(0, "", "call_1", "find"),)),
        Delta("", (3,), calls=(Call(0, "{}"),)),
        Delta("", (0,), "stop"),
    ]
    async with open_workshop(engine(steps)) as shop:
        before = await shop.answer("Hi", max_output_tokens=1, tools=[tool])
        new = await go_on(shop, before.id)
        await ended(new)
        assert [kind for kind, _ in said(new)] == ["message", "function_call"]
        within = await shop.answer("Hi", max_output_tokens=2, tools=[tool])
        error = await refused(shop, within.id)
        assert isinstance(error, NotContinuable)
        assert (error.param, "tool" in error.message) == (FIELD, True)


async def test_another_model_is_refused() -> None:
    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi", max_output_tokens=2)
        plan = shop.records.rows[old.id].plan
        assert plan is not None
        shop.records.rows[old.id].plan = plan | {"model": "other"}
        error = await refused(shop, old.id, model="scripted")
        assert (error.param, "`model`" in error.message) == (FIELD, True)
        shop.records.rows[old.id].plan = plan
        same = await go_on(shop, old.id, model="scripted")
        await ended(same)
        assert said(same) == [("message", WHOLE)]


async def test_a_full_context_is_refused() -> None:
    async with open_workshop(engine(context=6)) as shop:
        old = await shop.answer("Hi", max_output_tokens=4)  # its prompt has two tokens
        error = await refused(shop, old.id)
        assert isinstance(error, ContextLengthExceeded)
        assert error.param == FIELD


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": "More"}, "input"),
        ({"generate": False}, "generate"),
        ({"previous_response_id": "resp_none"}, "previous_response_id"),
        ({"conversation": "conv_none"}, "conversation"),
        ({"text": {"format": {"type": "json_object"}}}, "text"),
        ({"tools": [{"type": "function", "name": "find"}]}, "tools"),
        ({"tool_choice": "none"}, "tool_choice"),
        ({"reasoning": {"effort": "none"}}, "reasoning"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "chat_template_kwargs"),
        ({"tokenwire": {"raw": True}}, "tokenwire.raw"),
        ({"stop": "e t"}, "stop"),
    ],
)
async def test_what_would_make_it_another_answer_is_refused_by_name(
    fields: dict[str, Any], param: str
) -> None:
    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi", max_output_tokens=2)
        error = await refused(shop, old.id, **fields)
        assert isinstance(error, InvalidRequest)
        assert error.param == param


@pytest.mark.parametrize("format", ["text", "json_object"])
async def test_what_is_said_as_it_was_is_taken(format: str) -> None:
    same: dict[str, Any] = {
        "text": {"format": {"type": format}},
        "reasoning": {"effort": "low"},
        "tools": [{"type": "function", "name": "find"}],
        "tool_choice": "none",
    }
    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi", max_output_tokens=2, **same)
        others: list[dict[str, Any]] = [{}, {"input": [], "previous_response_id": None}]
        for fields in (same, *others):
            new = await go_on(shop, old.id, **fields)
            await ended(new)
            assert said(new) == [("message", WHOLE)]
            assert new.order.form() == old.order.form()
            assert new.response.text == old.response.text
            assert new.response.tools == old.response.tools


async def test_its_prompt_is_counted_as_it_will_be() -> None:
    async with open_workshop(engine()) as shop:
        old = await shop.answer("Hi there", max_output_tokens=2)
        create = parse_create({"tokenwire": {"continues": old.id}})
        plain = await shop.generations.count_input(ask("Hi there"), ANN)
        assert await shop.generations.count_input(create, ANN) == plain
