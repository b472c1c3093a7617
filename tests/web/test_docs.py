"""`/docs`: the documents are whole and valid, every route and every event is in them, and what goes
over the wire is as they say. (The client of the open house checks the answers of all tests.)
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast
from unittest.mock import create_autospec

import httpx
import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from support.house import House, events_of, open_house, parse_sse, receive, receive_until
from support.promised import (
    HTTP,
    SOCKET,
    check,
    check_answer,
    check_said,
    check_streamed,
    check_told,
    references,
    resolve,
)
from support.scripted import Script, ScriptedEngine
from tokenwire.engine.base import Call, Delta, Sampling
from tokenwire.errors import EngineDead
from tokenwire.web.app import create_app
from tokenwire.web.parts import DoorLimits, Parts
from tokenwire.wire.described import REQUESTS, components
from tokenwire.wire.meanings import MEANINGS


Json = dict[str, Any]

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
LIKELY = {"token": "A", "logprob": -0.5, "bytes": [65]}


def rules(*, websocket: bool) -> set[tuple[str, str]]:
    """Every route of the app, as (method, path)."""
    parts = create_autospec(Parts, instance=True, limits=DoorLimits(), page=Path())
    return {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in create_app(parts).url_map.iter_rules()
        if rule.websocket == websocket
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }


def test_every_route_is_described_and_every_described_one_is_there() -> None:
    described = {(m.upper(), path) for path, methods in HTTP["paths"].items() for m in methods}
    assert described == rules(websocket=False)
    addresses = {channel["address"] for channel in SOCKET["channels"].values()}
    assert addresses == {path for _, path in rules(websocket=True)}


def test_the_http_document_is_valid() -> None:
    assert jsonschema_rs.is_valid(OPENAPI_31, HTTP)
    ids = [one["operationId"] for methods in HTTP["paths"].values() for one in methods.values()]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in HTTP["tags"]}
    used = {one["tags"][0] for methods in HTTP["paths"].values() for one in methods.values()}
    assert used == tags


@pytest.mark.parametrize("document", [HTTP, SOCKET], ids=["http", "socket"])
def test_a_document_names_only_what_it_has(document: Json) -> None:
    for reference in references(document):
        assert resolve(document, reference) is not None
    schemas = document["components"]["schemas"]
    named = {reference.rpartition("/")[2] for reference in references(document)}
    assert set(schemas) <= named
    for name, schema in schemas.items():
        # Two structs of one name would be told apart by their modules.
        assert re.fullmatch(r"[A-Za-z]+", name)
        jsonschema_rs.Draft202012Validator(schema | {"components": document["components"]})


def test_the_socket_document_keeps_the_rules_of_asyncapi() -> None:
    assert SOCKET["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(SOCKET["info"])
    for kind in ("messages", "schemas"):
        assert all(re.fullmatch(r"[\w.-]+", key) for key in SOCKET["components"][kind])
    # It knows JSON schemas of draft 7 and a discriminator of its own.
    for schema in SOCKET["components"]["schemas"].values():
        jsonschema_rs.Draft7Validator(schema | {"components": SOCKET["components"]})
        assert "discriminator" not in json.dumps(schema)
    for operation in SOCKET["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = operation["channel"]["$ref"]
        assert all(one["$ref"].startswith(f"{channel}/messages/") for one in operation["messages"])
    for message in SOCKET["components"]["messages"].values():
        assert {"name", "payload"} <= set(message)


def test_every_field_of_a_request_is_explained_and_nothing_else() -> None:
    parts = HTTP["components"]["schemas"] | SOCKET["components"]["schemas"]
    bodies = {"ConversationCreate", "ConversationUpdate", "ItemsCreate", "ChosenModel"}
    bodies.add("ClientEvents")
    fields = {
        (name, field): inner
        for name in bodies | set(components(REQUESTS))
        for field, inner in parts[name].get("properties", {}).items()
    }
    assert [where for where, inner in fields.items() if not inner.get("description")] == []
    known = {field for _, field in fields} | {f"{name}.{field}" for name, field in fields}
    assert set(MEANINGS) <= known


async def test_the_page_shows_it_all_and_asks_for_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        page = await house.http.get("/docs")
        styles = await house.http.get("/docs/docs.css")
        assert (await house.http.get("/docs/openapi.json")).json()["paths"] == HTTP["paths"]
        told = (await house.http.get("/docs/asyncapi.json")).json()
        assert told["channels"] == SOCKET["channels"]
        assert (await house.http.head("/docs")).headers["Content-Type"].startswith("text/html")
        assert (await house.http.post("/docs")).status_code == 405
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    html = page.text
    assert not re.search(r"<script|<style|style=|\son\w+=|<img|@import|url\(", html + styles.text)
    assert set(re.findall(r'(?:href|src)="([^"#]+)', html)) == {
        "/favicon.svg",
        "/docs/docs.css",
        "/docs/openapi.json",
        "/docs/asyncapi.json",
    }
    assert "prefers-color-scheme: dark" in styles.text
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)', html)) <= set(ids)
    for path in HTTP["paths"]:
        assert f"<code>{path}</code>" in html
    for message in SOCKET["components"]["messages"].values():
        assert f"<code>{message['name']}</code>" in html


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"status": "ok", "more": 1}),
        (200, {"status": "well"}),
        (200, {}),
        (418, {"status": "ok"}),
    ],
)
async def test_an_answer_that_is_not_as_described_is_found(status: int, body: Json) -> None:
    request = httpx.Request("GET", "http://host/healthz")
    with pytest.raises(AssertionError):
        await check_answer(httpx.Response(status, json=body, request=request))


def thinks_and_calls() -> Script:
    """An answer of all kinds of items, its text with likelihoods."""
    steps = [
        Delta("", (1,), reasoning="Hm."),
        Delta("A", (2,), logprobs=({**LIKELY, "top_logprobs": [LIKELY]},)),
        Delta("", (3,), calls=(Call(0, id="call_1", name="f"),)),
        Delta("", (4,), calls=(Call(0, arguments='{"a": 1}'),)),
        Delta("", (0,), "stop"),
    ]

    def script(text: str, _: Sampling) -> list[Delta | Exception]:
        return [EngineDead("It died.")] if text == "die" else [*steps]

    return script


MESSAGES = [{"role": "user", "content": "x"}]
CHAT = {
    "messages": MESSAGES,
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "logprobs": True,
    "stream_options": {"include_usage": True},
}
OF_ALL_KINDS: list[Json] = [
    {
        "type": "custom",
        "name": "f",
        "format": {"type": "grammar", "syntax": "regex", "definition": "."},
    },
    {"type": "namespace", "name": "n", "tools": [TOOL, {"type": "custom", "name": "g"}]},
    {"type": "web_search", "filters": {}},
]
SOME = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "f"}]}
CREATES: list[tuple[str, Json]] = [
    ("/v1/responses", {"input": "x", "tools": [TOOL], "include": ["message.output_text.logprobs"]}),
    ("/v1/responses", {"input": "x", "text": {"format": {"type": "json_object"}}, "store": False}),
    ("/v1/responses", {"input": "x", "tools": OF_ALL_KINDS, "tool_choice": SOME}),
    ("/v1/responses", {"generate": False, "instructions": "x", "tools": OF_ALL_KINDS}),
    ("/v1/chat/completions", {**CHAT, "n": 2}),
    ("/v1/completions", {"prompt": "x", "logprobs": 1, "echo": True}),
    ("/v1/messages", {"model": "scripted", "max_tokens": 9, "messages": MESSAGES}),
]


@pytest.mark.parametrize(("path", "body"), CREATES)
async def test_all_that_an_answer_can_have_is_described(
    tmp_path: Path, path: str, body: Json
) -> None:
    async with open_house(tmp_path, ScriptedEngine(thinks_and_calls())) as house:
        assert (await house.http.post(path, json=body)).status_code == 200
        streamed = await house.http.post(path, json={**body, "stream": True})
        for event in parse_sse(streamed.text):
            check_streamed("POST", path, event)


@pytest.mark.parametrize(("path", "body"), CREATES)
async def test_a_stream_that_fails_is_described(tmp_path: Path, path: str, body: Json) -> None:
    text = json.dumps({**body, "stream": True}).replace('"x"', '"die"')
    async with open_house(tmp_path, ScriptedEngine(thinks_and_calls())) as house:
        streamed = await house.http.post(path, content=text)
        events = parse_sse(streamed.text)
        assert any("error" in json.dumps(event) for event in events[-2:])
        for event in events:
            check_streamed("POST", path, event)


async def test_what_goes_over_a_page_s_socket_is_described(tmp_path: Path) -> None:
    said: list[Json] = [
        {"type": "tokenwire:ping", "t": "x"},
        {"type": "response.create", "input": "x", "stream_id": "a", "tools": [TOOL]},
    ]
    async with open_house(tmp_path, ScriptedEngine(thinks_and_calls())) as house:
        async with house.connect(page=True) as socket, house.connect(page=True) as other:
            told: list[Json] = []
            for event in said:
                check_said(event, page=True)
                await socket.send(json.dumps(event))
            told += await receive_until(socket, "response.completed")
            id = told[-1]["response"]["id"]
            for event in (
                {"type": "tokenwire:response.attach", "response_id": id, "stream_id": "b"},
                {"type": "response.cancel", "stream_id": "none"},
            ):
                check_said(event, page=True)
                await socket.send(json.dumps(event))
            told += await receive_until(socket, "response.completed")
            told += await told_elsewhere(house, other)
            house.parts.hub.saving_changed(False)
            house.parts.hub.draining(1)
            told += await receive_until(socket, "tokenwire:server.draining")
    kinds = {event["type"] for event in told}
    for event in told:
        check_told(event, page=True)
    described = {message["name"] for message in SOCKET["components"]["messages"].values()}
    said_only = {"tokenwire:response.attach", "tokenwire:response.detach", "tokenwire:ping"}
    assert {kind for kind in described if kind.startswith("tokenwire:")} - kinds == said_only


async def told_elsewhere(house: House, socket: Any) -> list[Json]:
    """What another tab hears of a turn in a conversation."""
    made = (await house.http.post("/v1/conversations", json={})).json()
    await house.http.post("/v1/responses", json={"input": "x", "conversation": made["id"]})
    await house.http.delete(f"/v1/conversations/{made['id']}")
    told: list[Json] = []
    while not any(event.get("op") == "deleted" for event in told):
        told += events_of(await socket.recv())
    return told


async def test_a_refused_frame_is_answered_as_described(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, house.connect() as socket:
        await socket.send('{"type": "response.create", "input": 1, "stream_id": "a"}')
        check_told(await receive(socket))


async def test_conversations_of_all_kinds_of_items_are_described(tmp_path: Path) -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "x"}]},
        {"role": "assistant", "content": "y", "phase": "commentary"},
        {"type": "reasoning", "content": [{"text": "z"}]},
        call,
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"type": "custom_tool_call", "call_id": "d", "name": "f", "input": "x", "namespace": "n"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "2"},
        {"type": "local_shell_call", "call_id": "e", "action": {"type": "exec"}},
        {"type": "local_shell_call_output", "id": "e", "output": "3"},
    ]
    async with open_house(tmp_path, ScriptedEngine(thinks_and_calls())) as house:
        made = (await house.http.post("/v1/conversations", json={"items": items})).json()
        path = f"/v1/conversations/{made['id']}"
        asked = {"input": "x", "conversation": made["id"]}
        first = (await house.http.post("/v1/responses", json=asked)).json()
        short = {"model": "scripted", "previous_response_id": first["id"]}
        compact = (await house.http.post("/v1/responses/compact", json=short)).json()
        given = {"items": compact["output"]}
        assert (await house.http.post(f"{path}/items", json=given)).status_code == 200
        listed = (await house.http.get(f"{path}/items")).json()["data"]
        assert len(listed) == len(items) + 5
        for item in listed:
            assert (await house.http.get(f"{path}/items/{item['id']}")).status_code == 200
        assert (await house.http.get(f"{path}/responses")).status_code == 200
        await house.http.get("/v1/conversations/search?q=x")
        await house.http.get(f"/v1/responses/{first['id']}/input_items")
        await house.http.delete(f"/v1/responses/{first['id']}")


async def test_every_refusal_has_the_shape_of_its_dialect(tmp_path: Path) -> None:
    async with open_house(tmp_path, limits=DoorLimits(max_message_bytes=1000)) as house:
        for path in ("/v1/messages", "/v1/responses", "/v1/messages/count_tokens"):
            for content, headers in (
                ("{", {}),
                ("{}", {}),
                ("x" * 2000, {}),
                ("{}", {"Host": "elsewhere"}),
                ("{}", {"Origin": "http://elsewhere"}),
            ):
                refused = await house.http.post(path, content=content, headers=headers)
                schema = "AnthropicError" if "messages" in path else "ErrorBody"
                reference = {"$ref": f"#/components/schemas/{schema}"}
                check(HTTP, reference, refused.json(), strict=True)


def test_a_request_that_the_checks_take_is_one_that_the_document_takes() -> None:
    for path, body in CREATES:
        schema = HTTP["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        check(HTTP, cast("Json", schema), body, strict=False)
