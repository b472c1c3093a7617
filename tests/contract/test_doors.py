"""One suite over all doors: whatever a log holds, the socket, SSE and the page's feed say it with
the same numbers.

A door is a small client that knows only how its transport carries events.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from support.feed import open_feed
from support.house import House, Json, open_house, parse_sse, receive_until, text_of
from support.scripted import ScriptedEngine, say
from tokenwire.engine.base import Call, Delta, Sampling
from tokenwire.errors import EngineDead


TERMINAL = ("response.completed", "response.incomplete", "response.failed", "error")
ORDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


class Door(Protocol):
    async def create(self, **body: object) -> list[Json]: ...

    async def attach(self, response_id: str, after: int) -> list[Json]: ...


class SseDoor:
    """Speaks SSE. A refusal is returned as one `error` event, as the socket has it."""

    def __init__(self, house: House) -> None:
        self._http = house.http

    async def create(self, **body: object) -> list[Json]:
        answer = await self._http.post("/v1/responses", json={**body, "stream": True})
        return self._events(answer.status_code, answer.text)

    async def attach(self, response_id: str, after: int) -> list[Json]:
        answer = await self._http.get(
            f"/v1/responses/{response_id}", params={"stream": "true", "starting_after": str(after)}
        )
        return self._events(answer.status_code, answer.text)

    @staticmethod
    def _events(status: int, text: str) -> list[Json]:
        if status == 200:
            assert text.endswith("data: [DONE]\n\n")
            return parse_sse(text)
        return [{"type": "error", "status": status, **json.loads(text)}]


class SocketDoor:
    """Speaks WebSocket, as the page does or as an SDK does."""

    def __init__(self, house: House, *, page: bool) -> None:
        self._house = house
        self._page = page

    async def create(self, **body: object) -> list[Json]:
        return await self._exchange({"type": "response.create", **body})

    async def attach(self, response_id: str, after: int) -> list[Json]:
        if not self._page:
            return await SseDoor(self._house).attach(response_id, after)
        message = {"type": "tokenwire:response.attach", "response_id": response_id}
        return await self._exchange({**message, "starting_after": after})

    async def _exchange(self, message: Json) -> list[Json]:
        async with self._house.connect(page=self._page) as socket:
            await socket.send(json.dumps(message))
            events = await receive_until(socket, *TERMINAL)
        return [event for event in events if not str(event["type"]).startswith("tokenwire:")]


class FeedDoor(SocketDoor):
    """Speaks as the page does where no WebSocket gets through."""

    def __init__(self, house: House) -> None:
        super().__init__(house, page=True)
        self._http = house.http

    async def _exchange(self, message: Json) -> list[Json]:
        async with open_feed(self._http) as feed:
            await feed.send(json.dumps(message))
            events = await receive_until(feed, *TERMINAL)
        return [event for event in events if not str(event["type"]).startswith("tokenwire:")]


@asynccontextmanager
async def _house_and_door(
    folder: Path, kind: str, engine: ScriptedEngine | None = None
) -> AsyncGenerator[tuple[House, Door], None]:
    async with open_house(folder, engine) as house:
        doors: dict[str, Callable[[], Door]] = {
            "sse": lambda: SseDoor(house),
            "socket": lambda: SocketDoor(house, page=False),
            "page socket": lambda: SocketDoor(house, page=True),
            "feed": lambda: FeedDoor(house),
        }
        yield house, doors[kind]()


@pytest.fixture(params=["sse", "socket", "page socket", "feed"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def numbers(events: list[Json]) -> list[object]:
    return [event["sequence_number"] for event in events]


async def test_an_answer_is_told_in_the_order_of_the_protocol(tmp_path: Path, kind: str) -> None:
    async with _house_and_door(tmp_path, kind) as (_, door):
        events = await door.create(input="Hi")
    kinds = [event["type"] for event in events]
    assert [k for i, k in enumerate(kinds) if k not in kinds[:i]] == ORDER
    assert numbers(events) == list(range(len(events)))
    assert text_of(events) == "Hello, world."


async def test_the_final_resource_says_what_was_generated(tmp_path: Path, kind: str) -> None:
    async with _house_and_door(tmp_path, kind) as (house, door):
        events = await door.create(input="Hi", metadata={"k": "v"}, temperature=0.5)
        final = events[-1]["response"]
        stored = (await house.http.get(f"/v1/responses/{final['id']}")).json()
    assert final == stored
    assert (final["status"], final["temperature"], final["metadata"]) == (
        "completed",
        0.5,
        {"k": "v"},
    )
    assert final["usage"]["output_tokens"] == 5
    assert final["output"][0]["content"][0]["text"] == "Hello, world."


async def test_every_tail_of_an_ended_answer_is_replayed_exactly(tmp_path: Path, kind: str) -> None:
    async with _house_and_door(tmp_path, kind) as (_, door):
        events = await door.create(input="Hi")
        final = events[-1]["response"]
        for after in range(-1, len(events) - 1):
            assert await door.attach(str(final["id"]), after) == events[after + 1 :]


async def test_an_answer_reads_the_same_after_a_restart(tmp_path: Path, kind: str) -> None:
    engine = ScriptedEngine(lambda _text, _sampling: say("Grüße ", "aus ", "🏔️", ' "Zürich"\n'))
    async with _house_and_door(tmp_path, kind, engine) as (_, door):
        events = await door.create(input="Hi")
    final = events[-1]["response"]
    async with _house_and_door(tmp_path, kind) as (_, door):
        assert await door.attach(str(final["id"]), -1) == events
        assert await door.attach(str(final["id"]), 3) == events[4:]


async def test_a_turn_continues_the_one_before(tmp_path: Path, kind: str) -> None:
    async with _house_and_door(tmp_path, kind) as (house, door):
        first = (await door.create(input="My name is Ada."))[-1]["response"]
        await door.create(input="Who am I?", previous_response_id=first["id"])
    assert [(m["role"], m["content"]) for m in house.engine.prompts[-1]] == [
        ("user", "My name is Ada."),
        ("assistant", "Hello, world."),
        ("user", "Who am I?"),
    ]


@pytest.mark.parametrize("store", [True, False])
async def test_a_warm_up_reads_the_prompt_and_says_nothing(
    tmp_path: Path, kind: str, store: bool
) -> None:
    asked: list[Sampling] = []

    def script(_text: str, sampling: Sampling) -> list[Delta | Exception]:
        asked.append(sampling)
        return [Delta("No", (3,), "length", 7)]

    warm = {"generate": False, "max_output_tokens": 100, "min_tokens": 9, "store": store}
    async with _house_and_door(tmp_path, kind, ScriptedEngine(script)) as (house, door):
        events = await door.create(input="My name is Ada.", **warm)
        assert [event["type"] for event in events] == [
            "response.created",
            "response.in_progress",
            "response.completed",
        ]
        final = events[-1]["response"]
        assert (final["status"], final["output"], final["store"]) == ("completed", [], store)
        usage = final["usage"]
        assert usage["input_tokens"] > 0
        assert usage["input_tokens_details"]["cached_tokens"] == 7
        assert usage["output_tokens"] == 0
        if store:
            await door.create(input="Who am I?", previous_response_id=final["id"])
            assert [m["content"] for m in house.engine.prompts[-1]] == [
                "My name is Ada.",
                "Who am I?",
            ]
    assert (asked[0].max_tokens, asked[0].min_tokens) == (1, 0)
    # Whatever is answered goes first.
    assert all(asked[0].priority > sampling.priority for sampling in asked[1:])


async def test_a_cut_answer_is_gone_on_with(tmp_path: Path, kind: str) -> None:
    def script(_text: str, sampling: Sampling) -> list[Delta | Exception]:
        if sampling.max_tokens:
            return [*say("One", finish=False), Delta(" two", (2,), "length")]
        return say("One", " two", " three.")

    async with _house_and_door(tmp_path, kind, ScriptedEngine(script)) as (_, door):
        cut = (await door.create(input="Hi", max_output_tokens=2))[-1]["response"]
        events = await door.create(tokenwire={"continues": cut["id"]})
        final = events[-1]["response"]
        (refused,) = await door.create(tokenwire={"continues": final["id"]})
        assert await door.attach(str(final["id"]), 1) == events[2:]
    assert numbers(events) == list(range(len(events)))
    deltas = [event["delta"] for event in events if event["type"].endswith("text.delta")]
    assert (deltas[0], "".join(deltas)) == ("One two", "One two three.")
    assert (final["status"], final["tokenwire"]["continues"]) == ("completed", cut["id"])
    error = refused["error"]
    assert (error["code"], error["param"]) == ("response_not_continuable", "tokenwire.continues")


async def test_an_answer_cut_at_its_length_says_so(tmp_path: Path, kind: str) -> None:
    engine = ScriptedEngine(
        lambda _text, _sampling: [
            *say("One ", "two", finish=False),
            Delta(" three", (3,), "length"),
        ]
    )
    async with _house_and_door(tmp_path, kind, engine) as (_, door):
        last = (await door.create(input="Count", max_output_tokens=3))[-1]
    assert last["type"] == "response.incomplete"
    response = last["response"]
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][0]["content"][0]["text"] == "One two three"


PATCH: Json = {"type": "custom", "name": "patch", "description": "Patches."}
FIND: Json = {"type": "function", "name": "find"}


async def test_a_custom_tool_is_called_with_a_text_and_its_output_answered(
    tmp_path: Path, kind: str
) -> None:
    engine = ScriptedEngine(
        lambda text, _sampling: (
            [
                Delta("", (1,), calls=(Call(0, '{"inp', "call_a", "patch"),)),
                Delta("", (2,), calls=(Call(0, 'ut": "a\\nb"}'),)),
                Delta("", (0,), "stop"),
            ]
            if text == "Hi"
            else say("Done.")
        )
    )
    async with _house_and_door(tmp_path, kind, engine) as (house, door):
        events = await door.create(input="Hi", tools=[{"type": "web_search"}, PATCH, FIND])
        response = events[-1]["response"]
        said = [e for e in events if e["type"].startswith("response.custom_tool_call_input.")]
        result = {"type": "custom_tool_call_output", "call_id": "call_a", "output": "patched"}
        last = await door.create(input=[result], previous_response_id=response["id"])
        again = await door.attach(response["id"], -1)

    assert [event.get("delta", event.get("input")) for event in said] == ["a\nb", "a\nb"]
    assert [tool["type"] for tool in response["tools"]] == ["custom", "function"]
    (call,) = response["output"]
    assert (call["type"], call["name"], call["input"]) == ("custom_tool_call", "patch", "a\nb")
    assert text_of(last) == "Done."
    assert [message["role"] for message in house.engine.prompts[-1]] == [
        "user",
        "assistant",
        "tool",
    ]
    assert [e["type"] for e in again if e["type"] in {e["type"] for e in events}] == [
        event["type"] for event in events
    ]


async def test_a_hosted_tool_that_is_forced_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    async with _house_and_door(tmp_path, kind) as (_, door):
        hosted = {"type": "web_search"}
        (refusal,) = await door.create(input="Hi", tools=[hosted, FIND], tool_choice=hosted)
    assert refusal["error"]["code"] == "unsupported_parameter"
    assert "web_search" in refusal["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"generate": False, "tools": [FIND]},
        {"generate": False, "instructions": "Be kind."},
        {"input": "Hi", "prompt_cache_options": {"prewarm": True}},
    ],
)
@pytest.mark.parametrize("store", [True, False])
async def test_what_agents_warm_up_with_is_read_and_gone_on_from(
    tmp_path: Path, kind: str, body: Json, store: bool
) -> None:
    async with _house_and_door(tmp_path, kind) as (_, door):
        events = await door.create(**body, store=store)
        assert (events[-1]["type"], events[-1]["response"]["output"]) == ("response.completed", [])
        if store:
            parent = events[-1]["response"]["id"]
            assert text_of(await door.create(input="Hi", previous_response_id=parent)) == (
                "Hello, world."
            )


async def test_a_failure_in_the_middle_keeps_the_text(tmp_path: Path, kind: str) -> None:
    engine = ScriptedEngine(
        lambda _text, _sampling: [*say("Half ", finish=False), EngineDead("It died.")]
    )
    async with _house_and_door(tmp_path, kind, engine) as (_, door):
        last = (await door.create(input="Hi"))[-1]
    assert last["type"] == "response.failed"
    response = last["response"]
    assert response["error"] == {"code": "engine_error", "message": "It died."}
    assert response["output"][0]["content"][0]["text"] == "Half "


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"input": "x", "model": "no-such"}, 404, "model_not_found", "model"),
        ({"input": 5}, 400, "invalid_request", "input"),
        ({}, 400, "invalid_request", "input"),
        ({"input": []}, 400, "invalid_request", "input"),
        ({"input": [{"role": "wizard", "content": "x"}]}, 400, "invalid_request", "input[0].role"),
        ({"input": "x", "temperature": "hot"}, 400, "invalid_request", "temperature"),
        ({"input": "x", "temperature": 9}, 400, "invalid_request", "temperature"),
        ({"input": "x", "max_output_tokens": 0}, 400, "invalid_request", "max_output_tokens"),
        ({"input": "x", "metadata": {"a": 1}}, 400, "invalid_request", "metadata[...]"),
        (
            {"input": "x", "tools": [{"type": "web_search"}]},
            400,
            "unsupported_parameter",
            "tools[0].type",
        ),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]},
            400,
            "invalid_request",
            "input[0].call_id",
        ),
        (
            {"input": "x", "previous_response_id": "resp_none"},
            400,
            "previous_response_not_found",
            "previous_response_id",
        ),
        ({"input": "x", "conversation": "conv_no"}, 404, "conversation_not_found", "conversation"),
        ({"input": "word " * 2000}, 400, "context_length_exceeded", "input"),
        ({"input": "w" * (2 << 20)}, 400, "context_length_exceeded", "input"),
    ],
)
async def test_a_bad_create_is_refused_and_nothing_is_written(
    tmp_path: Path, kind: str, body: Json, status: int, code: str, param: str
) -> None:
    async with _house_and_door(tmp_path, kind) as (house, door):
        (refusal,) = await door.create(**body)
        error = refusal["error"]
        assert (refusal["status"], error["code"], error["param"]) == (status, code, param)
        assert error["message"]
        assert not house.engine.started
        assert house.generations.running == 0
        assert await house.store.unfinished() == []
        assert text_of(await door.create(input="And now?")) == "Hello, world."
