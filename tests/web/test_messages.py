"""Anthropic Messages: their official Python SDK against the open house."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic, BadRequestError, InternalServerError, NotFoundError

from support.house import House, open_house
from support.scripted import MODEL, ScriptedEngine
from tokenwire.engine.base import Call, Delta
from tokenwire.errors import EngineDead


TOOL: Any = {
    "name": "find",
    "description": "Finds.",
    "input_schema": {"type": "object", "properties": {"x": {"type": "integer"}}},
}
STEPS: list[Delta | Exception] = [
    Delta("", (1,), reasoning="Hm.", cached_tokens=1),
    Delta("I look", (2,)),
    Delta(".", (3,), calls=(Call(0, "", "call_a", "find"),)),
    Delta("", (4,), calls=(Call(0, '{"x":'),)),
    Delta("", (5,), calls=(Call(0, "1}"),)),
    Delta("", (0,), "stop"),
]
ASK: Any = {
    "model": MODEL,
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "one two three"}],
}


@asynccontextmanager
async def open_client(
    folder: Path, engine: ScriptedEngine | None = None
) -> AsyncGenerator[tuple[AsyncAnthropic, House], None]:
    async with (
        open_house(folder, engine) as house,
        AsyncAnthropic(base_url=house.url, api_key="none", max_retries=0) as client,
    ):
        yield client, house


def blocks(message: Any) -> list[tuple[str, object]]:
    return [
        (block.type, getattr(block, "input" if block.type == "tool_use" else block.type))
        for block in message.content
    ]


# Of a call that nobody made; and a thought that nobody can read.
RESULT = {"type": "tool_result", "tool_use_id": "call_none", "content": "1"}
REDACTED = {"type": "redacted_thinking", "data": "zzz"}
SAID = [("thinking", "Hm."), ("text", "I look."), ("tool_use", {"x": 1})]


async def test_a_message_is_answered_with_its_blocks(tmp_path: Path) -> None:
    async with open_client(tmp_path, ScriptedEngine(lambda _text, _sampling: STEPS)) as (client, _):
        message = await client.messages.create(**ASK, tools=[TOOL])

    assert blocks(message) == SAID
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (3, 1)
    assert message.usage.output_tokens == 6


async def test_a_stream_gathers_the_same_message(tmp_path: Path) -> None:
    async with open_client(tmp_path, ScriptedEngine(lambda _text, _sampling: STEPS)) as (client, _):
        async with client.messages.stream(**ASK, tools=[TOOL]) as stream:
            kinds = [event.type async for event in stream]
            message = await stream.get_final_message()

    assert blocks(message) == SAID
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens == 6
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 3


async def test_what_came_of_a_tool_and_who_speaks_reach_the_model(tmp_path: Path) -> None:
    used: Any = {"type": "tool_use", "id": "call_a", "name": "find", "input": {"x": 1}}
    result: Any = {"type": "tool_result", "tool_use_id": "call_a"}
    messages: Any = [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": ""},
                {"type": "redacted_thinking", "data": "zzz"},
                {"type": "text", "text": "I look."},
                used,
            ],
        },
        {
            "role": "user",
            "content": [
                result | {"content": [{"type": "text", "text": "42"}]},
                {"type": "text", "text": "And?"},
            ],
        },
    ]
    async with open_client(tmp_path) as (client, house):
        message = await client.messages.create(
            model=MODEL,
            max_tokens=50,
            messages=messages,
            system=[{"type": "text", "text": "Be kind."}],
            thinking={"type": "disabled"},
            stop_sequences=["END"],
            tools=[TOOL],
            tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        )
        (prompt,) = house.engine.prompts

    assert blocks(message) == [("text", "Hello, world.")]
    assert message.stop_reason == "end_turn"
    assert [one["role"] for one in prompt] == ["system", "user", "assistant", "tool", "user"]
    assert prompt[2]["reasoning"] == "Hm."
    assert prompt[2]["tool_calls"] == [
        {"id": "call_a", "type": "function", "function": {"name": "find", "arguments": '{"x":1}'}}
    ]
    assert prompt[3] == {"role": "tool", "tool_call_id": "call_a", "content": "42"}


SCHEMA: Any = {"type": "object", "properties": {"x": {"type": "integer"}}}
FORMAT: Any = {"type": "json_schema", "schema": SCHEMA}


async def test_a_format_an_effort_and_a_strict_tool_reach_the_model(tmp_path: Path) -> None:
    async with open_client(tmp_path) as (client, house):
        await client.messages.create(
            **ASK,
            output_config={"effort": "max", "format": FORMAT},
            tools=[TOOL | {"strict": True}],
        )
        await client.messages.create(**ASK, extra_body={"output_format": FORMAT})
        await client.messages.create(**ASK)
        told, older, plain = house.engine.forms

    assert told.text_format["schema"] == older.text_format["schema"] == SCHEMA
    assert told.template["reasoning_effort"] == "max"
    assert told.tools[0]["strict"] is True
    assert (plain.text_format, plain.template) == ({"type": "text"}, {})


async def test_a_tool_of_their_servers_is_left_out_among_others(tmp_path: Path) -> None:
    hosted: Any = {"type": "web_search_20250305", "name": "web_search"}
    async with open_client(tmp_path) as (client, house):
        await client.messages.create(**ASK, tools=[hosted, TOOL])
        with pytest.raises(BadRequestError, match="web_search"):
            await client.messages.create(
                **ASK, tools=[hosted, TOOL], tool_choice={"type": "tool", "name": "web_search"}
            )
        (form,) = house.engine.forms

    assert [tool["name"] for tool in form.tools] == ["find"]


async def test_an_answer_that_was_begun_is_gone_on_with(tmp_path: Path) -> None:
    begun: Any = [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Be kind."},
        {"role": "assistant", "content": "I"},
    ]
    async with open_client(tmp_path) as (client, house):
        await client.messages.create(model=MODEL, max_tokens=50, messages=begun)
        (form,), (prompt,) = house.engine.forms, house.engine.prompts

    assert form.continues
    assert form.template["enable_thinking"] is False
    assert [one["role"] for one in prompt] == ["user", "system", "assistant"]


async def test_a_thread_is_refused_in_the_way_that_their_sdk_goes_on_from(tmp_path: Path) -> None:
    async with open_client(tmp_path) as (client, house):
        answer = await house.http.post("/v1/messages", json=ASK | {"thread": {"type": "create"}})
        assert (await client.messages.create(**ASK)).content

    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == {
        "error_code": "thread_unsupported_request",
        "unsupported": ["thread"],
    }


async def test_an_answer_that_was_cut_says_so(tmp_path: Path) -> None:
    cut: list[Delta | Exception] = [Delta("One", (1,)), Delta("", (2,), "length")]
    async with open_client(tmp_path, ScriptedEngine(lambda _text, _sampling: cut)) as (client, _):
        assert (await client.messages.create(**ASK)).stop_reason == "max_tokens"


async def test_tokens_are_counted(tmp_path: Path) -> None:
    async with open_client(tmp_path) as (client, _):
        counted = await client.messages.count_tokens(model=MODEL, messages=ASK["messages"])
    assert counted.input_tokens == 4


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "z"}]}
                ]
            },
            "messages",
        ),
        ({"output_config": {"format": {"type": "xml"}}}, "xml"),
        ({"output_config": {"effort": "some"}}, "output_config.effort"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "image"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "content[0].text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
            "messages[0].content[0].tool_use_id",
        ),
        (
            {"messages": [{"role": "user", "content": [RESULT]}]},
            "messages[0].content[0].tool_use_id",
        ),
        ({"messages": [{"role": "user", "content": [REDACTED]}]}, "messages"),
        ({"tools": [{"type": "web_search_20250305", "name": "x"}]}, "web_search_20250305"),
        ({"tools": [{"name": "a b", "input_schema": {}}]}, "tools[0].name"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tool_choice": {"type": "tool", "name": "none"}}, "tool_choice"),
        ({"system": [{"type": "image"}]}, "system[0]"),
    ],
)
async def test_what_is_wrong_is_refused_by_its_name(
    tmp_path: Path, fields: dict[str, Any], field: str
) -> None:
    async with open_client(tmp_path) as (client, _):
        with pytest.raises(BadRequestError) as refused:
            await client.messages.create(**ASK | fields)
        body: Any = refused.value.body
        assert body["type"] == "error"
        assert body["error"]["type"] == "invalid_request_error"
        assert field in body["error"]["message"]
        assert (await client.messages.create(**ASK)).content


async def test_a_model_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with open_client(tmp_path) as (client, _):
        with pytest.raises(NotFoundError):
            await client.messages.create(**ASK | {"model": "none"})


async def test_a_failure_is_an_error_also_in_a_stream(tmp_path: Path) -> None:
    broken: list[Delta | Exception] = [Delta("One", (1,)), EngineDead("It died.")]
    engine = ScriptedEngine(lambda _text, _sampling: broken)
    async with open_client(tmp_path, engine) as (client, _):
        with pytest.raises(InternalServerError, match="It died"):
            await client.messages.create(**ASK)
        with pytest.raises(Exception, match="It died"):
            async with client.messages.stream(**ASK) as stream:
                await stream.get_final_message()


async def test_who_comes_when_the_server_stops_is_told_when_to_come_again(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.generations.drain()
        answer = await house.http.post("/v1/messages", json=ASK)

    assert answer.status_code == 503
    assert answer.json()["error"]["type"] == "overloaded_error"
    assert answer.headers["Retry-After"]
