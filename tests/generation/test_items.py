"""Answers that think, speak and call: their items, their cost, and that a restart doubles none."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, cast

import pytest
from tests.generation.test_takeup import copied, live

from support.scripted import MODEL, ScriptedEngine
from support.waiting import until
from support.workshop import PLAIN, assert_whole, ended, last_response, open_workshop, types
from tokenwire.engine.base import Call, Delta
from tokenwire.errors import InvalidRequest
from tokenwire.generation.generation import Generation
from tokenwire.generation.orders import turns
from tokenwire.wire.commands import parse_create


TOOL: dict[str, object] = {"type": "function", "name": "find"}
STEPS: list[Delta | Exception] = [
    Delta("", (1,), reasoning="H"),
    Delta("", (2,), reasoning="m."),
    Delta("I look", (3,)),
    Delta(".", (4,), calls=(Call(0, "", "call_a", "find"),)),
    Delta("", (5,), calls=(Call(0, '{"x":'),)),
    Delta("", (6,), calls=(Call(0, "1}"), Call(1, '{"y"', "call_b", "find"))),
    Delta("", (7,), calls=(Call(1, ":2}"),)),
    Delta("", (0,), "stop", reasoning_tokens=2),
]
OUTPUT = [
    ("reasoning", "Hm."),
    ("message", "I look."),
    ("call_a", '{"x":1}'),
    ("call_b", '{"y":2}'),
]


def engine() -> ScriptedEngine:
    return ScriptedEngine(lambda _text, _sampling: STEPS)


def words(messages: list[dict[str, object]]) -> list[str]:
    return " ".join(str(message["content"]) for message in messages).split()


def told(response: dict[str, object]) -> list[tuple[object, object]]:
    """What kind of item, or which call; what it says."""
    found: list[tuple[object, object]] = []
    output = cast("list[Any]", response["output"])
    for item in output:
        if item["type"] == "function_call":
            found.append((item["call_id"], item["arguments"]))
        else:
            found.append((item["type"], item["content"][0]["text"]))
    return found


async def test_an_answer_is_the_items_that_it_made_in_their_order() -> None:
    async with open_workshop(engine()) as shop:
        generation = await shop.answer("Hi", tools=[TOOL])

        assert_whole(generation.log)
        response = last_response(generation.log)
        assert told(response) == OUTPUT
        usage = response["usage"]
        assert isinstance(usage, dict)
        assert usage["output_tokens_details"] == {"reasoning_tokens": 2}
        assert shop.records.rows[generation.id].finish is not None


async def test_what_comes_together_is_one_event_of_its_kind() -> None:
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = 1
        generation = await shop.order("Hi", tools=[TOOL])
        await shop.engine.holding.wait()
        shop.engine.go.set()
        await ended(generation)

        deltas = [name for name in types(generation.log) if name.endswith(".delta")]
        assert deltas == [
            *("reasoning_text.delta", "reasoning_text.delta", "output_text.delta"),
            *("function_call_arguments.delta", "function_call_arguments.delta"),
        ]


@pytest.mark.parametrize("delta", range(1, len(STEPS)))
async def test_after_a_restart_nothing_is_lost_or_doubled(delta: int) -> None:
    async with open_workshop(engine()) as shop:
        shop.engine.hold_at = delta
        generation = await shop.order("Hi", tools=[TOOL])
        await shop.engine.holding.wait()
        await asyncio.sleep(0.1)
        await until(lambda: len(generation.log.after(-1)) > 3)
        seen = [event.json for event in generation.log.after(-1)]
        records = copied(shop.records)
    async with open_workshop(engine(), records=records) as shop:
        assert await shop.take_up() == 1
        again = await live(shop, generation.id)
        await ended(again)

        assert_whole(again.log)
        assert [event.json for event in again.log.after(-1)][: len(seen)] == seen
        assert told(last_response(again.log)) == OUTPUT
        finish = records.rows[generation.id].finish
        assert finish is not None
        assert list(finish.token_ids) == [1, 2, 3, 4, 5, 6, 7, 0]


CUSTOM: dict[str, object] = {"type": "custom", "name": "patch"}
PATCH = '*** "Begin"\n+ é 😀'
PIECES = re.findall(r".{1,5}", json.dumps({"input": PATCH}))
PATCHING: list[Delta | Exception] = [
    Delta("I patch.", (1,)),
    Delta("", (2,), calls=(Call(0, "", "call_a", "patch"),)),
    *(Delta("", (3 + at,), calls=(Call(0, piece),)) for at, piece in enumerate(PIECES)),
    Delta("", (0,), "stop"),
]


@pytest.mark.parametrize("delta", [1, 2, *range(4, len(PATCHING), 3)])
async def test_after_a_restart_the_input_of_a_custom_tool_is_not_doubled(delta: int) -> None:
    async with open_workshop(ScriptedEngine(lambda _text, _sampling: PATCHING)) as shop:
        shop.engine.hold_at = delta
        generation = await shop.order("Hi", tools=[CUSTOM])
        await shop.engine.holding.wait()
        await asyncio.sleep(0.1)
        await until(lambda: len(generation.log.after(-1)) > 3)
        records = copied(shop.records)
    async with open_workshop(
        ScriptedEngine(lambda _text, _sampling: PATCHING), records=records
    ) as shop:
        assert await shop.take_up() == 1
        again = await live(shop, generation.id)
        await ended(again)

        assert_whole(again.log)
        output = cast("list[Any]", last_response(again.log)["output"])
        assert [item["type"] for item in output] == ["message", "custom_tool_call"]
        assert output[1]["input"] == PATCH
        result = {"type": "custom_tool_call_output", "call_id": "call_a", "output": "ok"}
        create = parse_create({"input": [result], "previous_response_id": again.id})
        second = await shop.generations.start(create, PLAIN)
        assert isinstance(second, Generation)
        await ended(second)
        (called,) = cast("list[Any]", shop.engine.prompts[-1][1]["tool_calls"])
        assert json.loads(called["function"]["arguments"]) == {"input": PATCH}
        assert shop.engine.forms[0].tools == ()


async def test_what_came_of_its_calls_follows_it_and_what_nobody_called_is_refused() -> None:
    async with open_workshop(engine()) as shop:
        first = await shop.answer("Hi", tools=[TOOL])
        result = {"type": "function_call_output", "call_id": "call_a", "output": "42"}
        create = parse_create({"input": [result], "previous_response_id": first.id})
        second = await shop.generations.start(create, PLAIN)
        assert isinstance(second, Generation)
        await ended(second)
        roles = [message["role"] for message in shop.engine.prompts[-1]]
        assert roles == ["user", "assistant", "tool"]
        assert shop.engine.prompts[-1][1]["reasoning"] == "Hm."

        create = parse_create({"input": [result | {"call_id": "call_x"}], "model": MODEL})
        with pytest.raises(InvalidRequest) as refused:
            await shop.generations.start(create, PLAIN)
        assert refused.value.param == "input[0].call_id"


@pytest.mark.parametrize(("context", "kept"), [(100, 4), (24, 3), (17, 2), (13, 1)])
async def test_as_few_of_the_oldest_turns_as_need_be_are_left_out(context: int, kept: int) -> None:
    turn = [
        {"role": "user", "content": "one two three four"},
        {"role": "assistant", "content": "five six"},
    ]
    asked = [{"role": "system", "content": "zero"}, *turn, *turn, *turn, turn[0]]
    async with open_workshop(ScriptedEngine(context=context)) as shop:
        create = parse_create({"input": asked, "truncation": "auto", "max_output_tokens": 4})
        generation = await shop.generations.start(create, PLAIN)
        assert isinstance(generation, Generation)
        await ended(generation)
        # Of all that were tried, the longest that leaves room.
        sizes = {len(turns(tried)): len(words(tried)) for tried in shop.engine.prompts}
        assert max(n for n, size in sizes.items() if size + 1 <= context - 4) == kept
        assert {str(tried[0]["content"]) for tried in shop.engine.prompts} == {"zero"}
        response = shop.records.rows[generation.id].finish
        assert response is not None
        assert response.prompt_tokens == sizes[kept] + 1
