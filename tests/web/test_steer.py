"""Steering over the WebSocket: an answer ends at a token, another goes on with what was said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import websockets

from support.house import House, Json, open_house, receive, receive_until, text_of
from support.scripted import ScriptedEngine, say
from support.waiting import until
from tokenwire.engine.base import Call, Delta, Prompt
from tokenwire.generation import steering


END = ("response.completed", "response.incomplete", "response.failed")
TOOL = {"type": "function", "name": "find"}


def create(text: str = "Tell", **fields: object) -> str:
    return json.dumps({"type": "response.create", "input": text, **fields})


def steer(response_id: str, said: object = "Shorter") -> str:
    return json.dumps(
        {"type": "response.steer", "previous_response_id": response_id, "input": said}
    )


def held(at: int = 2) -> ScriptedEngine:
    """It stops before a token until it is told to go on; what follows a steer is not stopped."""
    engine = ScriptedEngine(
        lambda text, _sampling: say("One ", "two ", "three") if text == "Tell" else say("Short.")
    )
    engine.hold_at = at
    return engine


async def begin(
    engine: ScriptedEngine, socket: websockets.ClientConnection, **fields: object
) -> str:
    """A create that has said two words and stands still."""
    await socket.send(create("Tell", **fields))
    events = await receive_until(socket, "response.output_text.delta")
    id = next(e["response"]["id"] for e in events if e["type"] == "response.created")
    await engine.holding.wait()
    engine.hold_at = None
    return id


async def steered(socket: websockets.ClientConnection) -> list[Json]:
    """What comes until the successor has ended."""
    events = await receive_until(socket, *END)
    while sum(event["type"] in END for event in events) < 2:
        events += await receive_until(socket, *END)
    return events


@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize("page", [True, False])
async def test_a_steer_ends_the_answer_and_another_goes_on_from_there(
    tmp_path: Path, store: bool, page: bool
) -> None:
    engine = held()
    async with open_house(tmp_path, engine) as house, house.connect(page=page) as socket:
        fields = {"stream_id": "a", "instructions": "Be kind.", "store": store}
        id = await begin(engine, socket, **fields, temperature=0.5)
        await socket.send(steer(id))
        events = await steered(socket)

        accepted = next(event for event in events if event["type"] == "response.steer.accepted")
        told = [event for event in events if "response" in event or "delta" in event]
        assert accepted["steer"]["previous_response_id"] == id
        assert {event["stream_id"] for event in (accepted, *told)} == {"a"}
        end = next(index for index, e in enumerate(told) if e["type"] == "response.incomplete")
        assert told[end]["response"]["incomplete_details"] == {"reason": "steered"}
        assert told[end]["response"]["status"] == "incomplete"
        created, last = told[end + 1], told[-1]["response"]
        assert created["type"] == "response.created"
        assert created["sequence_number"] == 0
        assert created["response"]["previous_response_id"] == id
        assert (last["status"], text_of(told[end:])) == ("completed", "Short.")
        assert (last["temperature"], last["instructions"]) == (0.5, "Be kind.")
        assert engine.prompts[-1] == [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Tell"},
            {"role": "assistant", "content": "One two "},
            {"role": "user", "content": "Shorter"},
        ]
        assert engine.aborted == [id]
        await socket.send(create("And now?", previous_response_id=last["id"], stream_id="a"))
        await receive_until(socket, "response.completed")
        assert [message["content"] for message in engine.prompts[-1][-2:]] == ["Short.", "And now?"]


async def test_what_follows_comes_before_what_waits_on_the_lane(tmp_path: Path) -> None:
    engine = held()
    async with open_house(tmp_path, engine) as house, house.connect() as socket:
        id = await begin(engine, socket)
        await socket.send(create("Waits"))
        await socket.send(steer(id))
        await steered(socket)
        await receive_until(socket, *END)
    assert [len(messages) for messages in engine.prompts] == [1, 3, 1]


async def test_what_is_said_while_a_tool_is_called_waits_for_its_result(tmp_path: Path) -> None:
    engine = calling()
    async with open_house(tmp_path, engine) as house, house.connect() as socket:
        id = await begin(engine, socket, tools=[TOOL], stream_id="a")
        await socket.send(steer(id))
        assert (await receive_until(socket, "response.steer.accepted"))[-1]["stream_id"] == "a"
        engine.go.set()
        end = (await receive_until(socket, *END))[-1]
        pending = await receive(socket)
        assert end["type"] == "response.completed"
        assert (pending["type"], pending["stream_id"]) == ("response.steer.pending", "a")
        assert pending["reason"] == "waiting_for_required_input"
        stub = {"type": "function_call_output", "call_id": "call_a", "name": "find"}
        assert pending["required_input"] == [stub]

        refused = create(previous_response_id=id, input=[stub | {"call_id": "x", "output": "42"}])
        await socket.send(refused)
        assert (await receive(socket))["error"]["param"] == "input[1].call_id"
        filled = [{"type": "function_call_output", "call_id": "call_a", "output": "42"}]
        await socket.send(create(previous_response_id=id, input=filled, stream_id="a"))
        last = (await receive_until(socket, *END))[-1]["response"]
        items = await house.http.get(f"/v1/responses/{last['id']}/input_items?order=asc")
        await socket.send(create("More", previous_response_id=last["id"]))
        await receive_until(socket, *END)

    types = [item["type"] for item in items.json()["data"]]
    assert types[-2:] == ["message", "function_call_output"]
    told = [(message["role"], message["content"]) for message in engine.prompts[-1]]
    assert told == [
        *(("user", "Tell"), ("assistant", "I look."), ("tool", "42"), ("user", "Shorter")),
        *(("assistant", "Short."), ("user", "More")),
    ]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([], "`input` must be a non-empty array."),
        (None, "`input` must be a non-empty array."),
        ([{"role": "assistant", "content": "x"}], "`input[0]` must be a message of the user."),
        ([{"role": "user", "content": 5}], "`input[0].content`"),
        (
            [{"type": "function_call_output", "call_id": "c", "output": "x"}],
            "`input[0]` must be a message of the user.",
        ),
    ],
)
async def test_input_that_cannot_be_said_is_given_back(
    tmp_path: Path, said: object, message: str
) -> None:
    engine = held()
    async with open_house(tmp_path, engine) as house, house.connect() as socket:
        id = await begin(engine, socket, stream_id="a")
        await socket.send(steer(id, said))
        failed = await receive(socket)
        assert (failed["type"], failed["stream_id"]) == ("response.steer.failed", "a")
        assert failed["error"]["code"] == "invalid_input"
        assert message in failed["error"]["message"]
        assert failed["steer"] == {"previous_response_id": id, "input": said}
        engine.go.set()
        assert (await receive_until(socket, *END))[-1]["type"] == "response.completed"


async def test_who_is_not_there_or_has_ended_is_not_steered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "MOST_FOR_ONE", 0)
    engine = held()

    async def refused(socket: websockets.ClientConnection, id: str) -> object:
        await socket.send(steer(id))
        failed = await receive(socket)
        assert failed["type"] == "response.steer.failed"
        assert failed["error"]["type"] == "invalid_request_error"
        assert failed["steer"] == {"previous_response_id": id, "input": "Shorter"}
        return failed["error"]["code"]

    async with open_house(tmp_path, engine) as house:
        async with house.connect() as socket, house.connect() as other:
            assert await refused(socket, "resp_none") == "response_not_found"
            id = await begin(engine, socket)
            assert await refused(other, id) == "response_not_found"
            assert await refused(socket, id) == "too_many_pending_steers"
            engine.go.set()
            await receive_until(socket, *END)
            assert await refused(socket, id) == "response_already_completed"
            engine.hold_at = 0
            engine.go.clear()
            engine.holding.clear()
            await socket.send(create(generate=False))
            warms = (await receive_until(socket, "response.in_progress"))[0]["response"]["id"]
            await engine.holding.wait()
            assert await refused(socket, warms) == "steering_not_supported"


async def test_a_successor_that_is_refused_gives_the_input_back_and_the_lane_is_free(
    tmp_path: Path,
) -> None:
    engine = held()
    too_long = "word " * 2000
    async with open_house(tmp_path, engine) as house, house.connect() as socket:
        id = await begin(engine, socket, stream_id="a")
        await socket.send(steer(id, too_long))
        events = await receive_until(socket, "response.steer.failed")
        accepted = next(event for event in events if event["type"] == "response.steer.accepted")
        failed = events[-1]
        assert "response.incomplete" in [event["type"] for event in events]
        assert failed["error"]["code"] == "successor_creation_failed"
        assert "context" in failed["error"]["message"]
        assert failed["steer"] == {**accepted["steer"], "input": too_long}
        await socket.send(create("Hi", stream_id="a", previous_response_id=id))
        assert text_of(await receive_until(socket, *END)) == "Short."


async def cut(socket: websockets.ClientConnection) -> None:
    socket.transport.abort()


async def detach(socket: websockets.ClientConnection) -> None:
    await socket.send(json.dumps({"type": "tokenwire:response.detach", "stream_id": "a"}))


@pytest.mark.parametrize("leave", [cut, detach])
async def test_what_was_accepted_is_said_also_when_nobody_reads_on(
    tmp_path: Path, leave: Callable[[websockets.ClientConnection], Awaitable[None]]
) -> None:
    engine = held()
    async with open_house(tmp_path, engine) as house, house.connect(page=True) as socket:
        made = await house.http.post("/v1/conversations", json={})
        id = await begin(engine, socket, stream_id="a", conversation=made.json()["id"])
        await socket.send(steer(id))
        await leave(socket)
        await until(lambda: len(engine.started) > 1 and not engine.running)
        assert await _last_said(house, made.json()["id"]) == [
            "Tell",
            "One two ",
            "Shorter",
            "Short.",
        ]


async def _last_said(house: House, conversation_id: str) -> list[str]:
    items: list[Json] = []
    while len(items) < 4 or items[0]["status"] != "completed":
        got = await house.http.get(f"/v1/conversations/{conversation_id}/items")
        items = got.json()["data"]
    return [item["content"][0]["text"] for item in reversed(items)]


def calling() -> ScriptedEngine:
    """It calls a tool when it is told to, and stands still before it has."""
    called = Delta("I look.", (1,), calls=(Call(0, "{}", "call_a", "find"),))
    steps: list[Delta | Exception] = [called, Delta("", (2,)), Delta("", (0,), "stop")]
    engine = ScriptedEngine(lambda text, _s: steps if text == "Tell" else say("Short."))
    engine.hold_at = 1
    return engine


FILLED = [{"type": "function_call_output", "call_id": "call_a", "output": "42"}]


async def leave_waiting(
    house: House, socket: websockets.ClientConnection
) -> tuple[str, dict[str, Any]]:
    """A conversation whose last answer waits for the result of a call, and words wait with it."""
    inside: dict[str, Any] = {
        "conversation": (await house.http.post("/v1/conversations", json={})).json()["id"]
    }
    id = await begin(house.engine, socket, tools=[TOOL], **inside)
    await socket.send(steer(id))
    await receive_until(socket, "response.steer.accepted")
    house.engine.go.set()
    await receive_until(socket, "response.steer.pending")
    return id, inside


async def test_in_a_conversation_the_words_that_wait_are_said_once(tmp_path: Path) -> None:
    async with open_house(tmp_path, calling()) as house, house.connect() as socket:
        id, inside = await leave_waiting(house, socket)
        for lane in ("a", "b"):
            await socket.send(create(input=FILLED, previous_response_id=id, stream_id=lane))
        await socket.send(create("More", stream_id="c", previous_response_id=None, **inside))
        ended = 0
        while ended < 3:
            ended += sum(e["type"] in END for e in await receive_until(socket, *END))
    prompts = house.engine.prompts
    said = [[m["content"] for m in prompt if m["role"] == "user"] for prompt in prompts]
    assert sorted(said[1:]) == [["More"], ["Tell"], ["Tell", "Shorter"]]


async def test_the_words_that_wait_go_to_the_head_of_their_conversation(tmp_path: Path) -> None:
    async with open_house(tmp_path, calling()) as house, house.connect() as socket:
        _, inside = await leave_waiting(house, socket)
        await socket.send(create(input=FILLED, **inside))
        await receive_until(socket, *END)
    last = house.engine.prompts[-1]
    assert [m["content"] for m in last] == ["Tell", "I look.", "42", "Shorter"]


async def test_an_old_steer_does_not_touch_a_lane_that_was_left(tmp_path: Path) -> None:
    engine = calling()
    async with open_house(tmp_path, engine) as house, house.connect(page=True) as socket:
        first = await begin(engine, socket, tools=[TOOL], stream_id="a")
        await socket.send(steer(first))
        await receive_until(socket, "response.steer.accepted")
        await detach(socket)
        await socket.send(create("Hi", stream_id="a"))
        events = await receive_until(socket, *END)
        engine.go.set()
        pending = (await receive_until(socket, "response.steer.pending"))[-1]
        await socket.send(create("Hi", stream_id="a"))
        again = await receive_until(socket, *END)
    assert text_of(events) == text_of(again) == "Short."
    assert pending["steer"]["previous_response_id"] == first


async def test_a_cancel_of_the_lane_reaches_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = held()
    async with open_house(tmp_path, engine) as house, house.connect() as socket:
        id = await begin(engine, socket, stream_id="a")
        rendered, go = engine.render, asyncio.Event()

        async def slow(*arguments: Any) -> Prompt:
            await go.wait()
            return await rendered(*arguments)

        monkeypatch.setattr(engine, "render", slow)
        engine.hold_at = 0
        await socket.send(steer(id))
        await receive_until(socket, *END)
        await socket.send(json.dumps({"type": "response.cancel", "stream_id": "a"}))
        await socket.send(json.dumps({"type": "response.cancel", "response_id": "resp_none"}))
        assert (await receive(socket))["error"]["code"] == "response_not_found"
        go.set()
        last = (await receive_until(socket, *END))[-1]
    assert last["response"]["status"] == "cancelled"
    assert last["response"]["previous_response_id"] == id
