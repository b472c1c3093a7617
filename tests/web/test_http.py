"""The HTTP doors beyond creating: who may ask, errors, models, conversations, health, the page."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.house import USER, error_of, open_house, parse_sse, receive
from support.scripted import MODEL, ScriptedEngine
from support.waiting import until
from tokenwire.engine.base import Capabilities
from tokenwire.web.parts import DoorLimits


if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
async def test_a_foreign_host_name_is_refused(tmp_path: Path, host: str) -> None:
    async with open_house(tmp_path) as house:
        answer = await house.http.get("/v1/models", headers={"Host": host})
    assert answer.status_code in (400, 421)
    if host:
        assert error_of(answer) == (421, "misdirected_host", None)


@pytest.mark.parametrize("host", ["localhost:1234", "LOCALHOST", "127.0.0.1", "[::1]:80"])
async def test_a_loopback_name_is_served(tmp_path: Path, host: str) -> None:
    async with open_house(tmp_path) as house:
        assert (await house.http.get("/healthz", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_another_sites_page_cannot_post(tmp_path: Path, origin: str) -> None:
    async with open_house(tmp_path) as house:
        answer = await house.http.post(
            "/v1/responses", json={"input": "x"}, headers={"Origin": origin}
        )
        assert error_of(answer) == (403, "forbidden_origin", None)
        assert not house.engine.started


async def test_our_own_page_can_post(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        answer = await house.http.post(
            "/v1/responses", json={"input": "x"}, headers={"Origin": house.url}
        )
    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff\xfe", b""])
async def test_a_body_that_is_no_json_object_is_refused(tmp_path: Path, body: bytes) -> None:
    async with open_house(tmp_path) as house:
        for path in ("/v1/responses", "/v1/chat/completions", "/v1/conversations"):
            answer = await house.http.post(path, content=body)
            assert error_of(answer) == (400, "invalid_json", None)


async def test_a_body_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, limits=DoorLimits(max_message_bytes=1000)) as house:
        answer = await house.http.post("/v1/responses", json={"input": "x" * 2000})
        assert error_of(answer) == (413, "request_too_large", None)
        assert (await house.http.get("/healthz")).status_code == 200


async def test_unknown_paths_and_methods_are_errors_in_the_same_shape(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        assert error_of(await house.http.get("/v2/x")) == (404, "not_found", None)
        assert error_of(await house.http.put("/v1/models")) == (405, "method_not_allowed", None)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/models", "GET, HEAD, OPTIONS"),
        ("GET", "/v1/messages", "OPTIONS, POST"),
        ("TRACE", "/v1/responses", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/docs", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    tmp_path: Path, method: str, path: str, allowed: str
) -> None:
    async with open_house(tmp_path) as house:
        answer = await house.http.request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


async def test_the_socket_address_without_an_upgrade_says_426(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        answer = await house.http.get("/v1/responses")
    assert error_of(answer) == (426, "upgrade_required", None)
    assert answer.headers["Upgrade"] == "websocket"


@pytest.mark.parametrize("after", ["-2", "x", "1.5"])
async def test_a_bad_cursor_names_its_field(tmp_path: Path, after: str) -> None:
    async with open_house(tmp_path) as house:
        made = (await house.http.post("/v1/responses", json={"input": "x"})).json()
        answer = await house.http.get(
            f"/v1/responses/{made['id']}?stream=true&starting_after={after}"
        )
        assert error_of(answer) == (400, "invalid_request", "starting_after")
        answer = await house.http.get(f"/v1/responses/{made['id']}?starting_after={after}")
        assert error_of(answer) == (400, "invalid_request", "starting_after")
        answer = await house.http.get(f"/v1/responses/{made['id']}?stream={after}")
        assert error_of(answer) == (400, "invalid_request", "stream")
        answer = await house.http.get(f"/v1/responses/{made['id']}?stream=true&starting_after=99")
        assert error_of(answer) == (400, "invalid_starting_after", "starting_after")


async def test_an_unknown_response_is_not_found_by_any_method(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for answer in (
            await house.http.get("/v1/responses/resp_no"),
            await house.http.get("/v1/responses/resp_no?stream=true"),
            await house.http.post("/v1/responses/resp_no/cancel"),
            await house.http.delete("/v1/responses/resp_no"),
        ):
            assert error_of(answer) == (404, "response_not_found", "response_id")


async def test_what_a_response_was_made_from_is_listed(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        first = (await house.http.post("/v1/responses", json={"input": "One"})).json()
        told = [{"role": "user", "content": text} for text in ("Two", "Three")]
        body = {"input": told, "previous_response_id": first["id"]}
        made = (await house.http.post("/v1/responses", json=body)).json()
        path = f"/v1/responses/{made['id']}/input_items"

        def texts(answer: httpx.Response) -> list[str]:
            return [item["content"][0]["text"] for item in answer.json()["data"]]

        whole = ["One", "Hello, world.", "Two", "Three"]
        for again in range(2):
            assert texts(await house.http.get(path)) == whole[::-1]
            page = await house.http.get(f"{path}?order=asc&limit=3")
            assert (texts(page), page.json()["has_more"]) == (whole[:3], True)
            ids = [item["id"] for item in page.json()["data"]]
            assert (page.json()["first_id"], page.json()["last_id"]) == (ids[0], ids[2])
            rest = await house.http.get(f"{path}?order=asc&limit=3&after={ids[2]}")
            assert (texts(rest), rest.json()["has_more"]) == (whole[3:], False)
            newest = await house.http.get(f"{path}?after={ids[1]}")
            assert texts(newest) == whole[:1]
            if not again:  # from the memory, too
                house.generations._live.clear()  # pyright: ignore[reportPrivateUsage]
        for query, param in (
            ("order=up", "order"),
            ("limit=0", "limit"),
            ("after=msg_no", "after"),
        ):
            answer = await house.http.get(f"{path}?{query}")
            assert error_of(answer) == (400, "invalid_request", param)
        answer = await house.http.get("/v1/responses/resp_no/input_items")
        assert error_of(answer) == (404, "response_not_found", "response_id")


async def test_the_tokens_of_a_prompt_are_counted_and_nothing_is_made(tmp_path: Path) -> None:
    async with open_house(tmp_path, ScriptedEngine(context=10), ready=False) as house:
        made = house.http.post("/v1/responses/input_tokens", json={"input": "word " * 20})
        counting = asyncio.create_task(made)
        # It waits for the model, and may be more than fits.
        await until(lambda: house.engines.leases == 1)
        house.engines.ready_event.set()
        assert (await counting).json() == {"object": "response.input_tokens", "input_tokens": 21}
        answer = (await house.http.post("/v1/responses", json={"input": "one two"})).json()
        body = {"input": "three", "previous_response_id": answer["id"], "instructions": "Be kind"}
        counted = (await house.http.post("/v1/responses/input_tokens", json=body)).json()
        next_one = (await house.http.post("/v1/responses", json=body)).json()
        assert counted["input_tokens"] == next_one["usage"]["input_tokens"]
        assert len(house.engine.started) == 2
        for wrong, code, param in (
            ({}, "invalid_request", "input"),
            ({"input": "x", "model": "none"}, "model_not_found", "model"),
            (
                {"input": "x", "previous_response_id": "resp_no"},
                "previous_response_not_found",
                "previous_response_id",
            ),
        ):
            refused = await house.http.post("/v1/responses/input_tokens", json=wrong)
            assert error_of(refused)[1:] == (code, param)


async def test_cancel_ends_a_running_answer_and_is_idempotent(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 2
    async with open_house(tmp_path, engine) as house:
        made = (
            await house.http.post("/v1/responses", json={"input": "x", "background": True})
        ).json()
        await engine.holding.wait()
        ended = (await house.http.post(f"/v1/responses/{made['id']}/cancel")).json()
        assert (ended["status"], ended["incomplete_details"]) == (
            "cancelled",
            {"reason": "cancelled"},
        )
        assert ended["output"][0]["content"][0]["text"] == "Hello, "
        assert engine.aborted == [made["id"]]
        assert (await house.http.post(f"/v1/responses/{made['id']}/cancel")).json() == ended
        stream = await house.http.get(f"/v1/responses/{made['id']}?stream=true")
        assert parse_sse(stream.text)[-1]["type"] == "response.incomplete"


async def test_a_deleted_response_is_gone(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = (await house.http.post("/v1/responses", json={"input": "x"})).json()
        answer = await house.http.delete(f"/v1/responses/{made['id']}")
        assert answer.json() == {"id": made["id"], "object": "response.deleted", "deleted": True}
        assert (await house.http.get(f"/v1/responses/{made['id']}")).status_code == 404


async def test_an_unstored_response_is_nowhere_on_disk(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = (await house.http.post("/v1/responses", json={"input": "x", "store": False})).json()
        assert made["store"] is False
        assert await house.store.get(USER, made["id"]) is None


async def test_a_background_response_goes_on_without_a_reader(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 1
    async with open_house(tmp_path, engine) as house:
        made = (
            await house.http.post("/v1/responses", json={"input": "x", "background": True})
        ).json()
        assert made["status"] in ("queued", "in_progress")
        engine.go.set()
        stream = await house.http.get(f"/v1/responses/{made['id']}?stream=true")
        assert parse_sse(stream.text)[-1]["type"] == "response.completed"


async def test_a_plain_stream_that_is_dropped_frees_the_engine(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 2
    async with open_house(tmp_path, engine) as house:
        body = {"input": "x", "stream": True}
        async with house.http.stream("POST", "/v1/responses", json=body) as answer:
            async for line in answer.aiter_lines():
                if "output_text.delta" in line:
                    break
            (generation_id,) = engine.running
        source = await house.generations.find(USER, generation_id)
        await house.generations.finished(source)
    assert engine.aborted == [generation_id]
    assert source.status == "cancelled"


async def test_chat_completions_stream_as_the_standard_says(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        answer = await house.http.post(
            "/v1/chat/completions",
            json={
                "messages": [{"role": "user", "content": "x"}],
                "stream": True,
                "stream_options": {"include_usage": True},
            },
        )
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "event:" not in answer.text
    chunks = parse_sse(answer.text)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert deltas[0]["role"] == "assistant"
    assert "".join(d.get("content", "") for d in deltas) == "Hello, world."
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 5


async def test_chat_completions_name_their_own_fields(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:

        async def post(**body: object) -> tuple[int, object, object]:
            return error_of(await house.http.post("/v1/chat/completions", json=body))

        one = [{"role": "user", "content": "x"}]
        assert await post() == (400, "invalid_request", "messages")
        assert await post(messages=[{"role": "x", "content": ""}]) == (
            400,
            "invalid_request",
            "messages[0].role",
        )
        assert await post(messages=one, n=17) == (400, "invalid_request", "n")
        assert await post(messages=one, model="none") == (404, "model_not_found", "model")


async def test_models_say_where_they_stand(tmp_path: Path) -> None:
    async with open_house(tmp_path, ready=False) as house:
        listing = (await house.http.get("/v1/models")).json()
        assert [m["id"] for m in listing["data"]] == [MODEL]
        assert listing["data"][0]["tokenwire"]["state"] == "loading"
        ready = await house.http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "loading")
        house.engines.ready_event.set()
        assert (await house.http.get("/readyz")).status_code == 200
        house.engines.recovering = True
        ready = await house.http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "recovering")
        assert ready.json()["model"]["tokenwire"]["state"] == "recovering"
        assert (await house.http.get(f"/v1/models/{MODEL}")).json()["id"] == MODEL
        loaded = await house.http.post("/v1/models/load", json={"model": MODEL})
        assert (loaded.status_code, house.engines.loads) == (202, [MODEL])
        assert error_of(await house.http.post("/v1/models/load", json={"model": 1})) == (
            400,
            "invalid_request",
            "model",
        )
        for act in ("load", "unload", "cancel"):
            unknown = await house.http.post(f"/v1/models/{act}", json={"model": "none"})
            assert error_of(unknown) == (404, "model_not_found", "model")
        gone = await house.http.post("/v1/models/unload", json={"model": MODEL})
        assert (gone.status_code, house.engines.unloads) == (202, [MODEL])
        fetched = await house.http.post("/v1/models/download", json={"model": "org/name"})
        assert fetched.status_code == 202
        assert fetched.json()["tokenwire"]["download"]["done"] == 0
        refused = await house.http.post("/v1/models/download", json={"model": "nothing"})
        assert error_of(refused) == (400, "invalid_request", "model")
        stopped = await house.http.post("/v1/models/cancel", json={"model": MODEL})
        assert (stopped.status_code, stopped.json()["id"]) == (202, MODEL)


async def test_models_say_what_they_can_do(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.engines.capabilities = Capabilities(tools=False, structured_output=True)
        own = {"temperature": 0.3, "max_tokens": 50}
        house.engine.limits = replace(house.engine.limits, defaults=own)
        said = (await house.http.get("/v1/models")).json()["data"][0]["tokenwire"]
    assert (said["context_length"], said["max_output_tokens"]) == (1000, None)
    assert said["input_modalities"] == said["output_modalities"] == ["text"]
    assert said["capabilities"] == {"tools": False, "reasoning": None, "structured_output": True}
    assert said["sampling"] == {"temperature": 0.3, "max_output_tokens": 50}


FUNCTION = {"name": "f", "parameters": {"type": "object"}}
SAID = {"messages": [{"role": "user", "content": "x"}]}
WITH_TOOLS: list[tuple[str, dict[str, object]]] = [
    ("/v1/responses", {"input": "x", "tools": [{"type": "function", **FUNCTION}]}),
    ("/v1/responses/input_tokens", {"input": "x", "tools": [{"type": "function", **FUNCTION}]}),
    (
        "/v1/chat/completions",
        {**SAID, "n": 2, "tools": [{"type": "function", "function": FUNCTION}]},
    ),
    ("/v1/messages", {**SAID, "max_tokens": 9, "tools": [{"name": "f", "input_schema": {}}]}),
    ("/v1/messages/count_tokens", {**SAID, "tools": [{"name": "f", "input_schema": {}}]}),
]


@pytest.mark.parametrize(("path", "body"), WITH_TOOLS)
@pytest.mark.parametrize("more", [{}, {"stream": True}])
async def test_tools_for_a_model_that_can_not_call_them_are_refused_before_it_is_loaded(
    tmp_path: Path, path: str, body: dict[str, object], more: dict[str, object]
) -> None:
    async with open_house(tmp_path, ready=False) as house:
        house.engines.capabilities = Capabilities(tools=False)
        answer = await house.http.post(path, json={"model": MODEL, **body, **more})
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert "can't call tools" in error["message"]
        if path.startswith("/v1/messages"):
            assert error["type"] == "invalid_request_error"
        else:
            assert error_of(answer) == (400, "unsupported_parameter", "tools")
        assert house.generations.running == house.engines.leases == 0


async def test_tools_are_refused_on_the_socket_too_and_not_where_none_is_to_be_called(
    tmp_path: Path,
) -> None:
    path, body = WITH_TOOLS[0]
    frame = {"type": "response.create", **body}
    async with open_house(tmp_path, ready=False) as house, house.connect() as socket:
        house.engines.capabilities = Capabilities(tools=False)
        await socket.send(json.dumps(frame))
        refusal = await receive(socket)
        assert (refusal["status"], refusal["error"]["param"]) == (400, "tools")
        await socket.send(json.dumps({**frame, "tool_choice": "none"}))
        assert (await receive(socket))["type"] == "response.created"
        # Nobody knows: then the model is asked, when it is there.
        house.engines.capabilities = Capabilities()
        made = await house.http.post(path, json={**body, "background": True})
        assert made.json()["status"] == "queued"
        house.engines.ready_event.set()


async def test_a_conversation_is_made_renamed_listed_and_deleted(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = (await house.http.post("/v1/conversations", json={})).json()
        await house.http.post("/v1/responses", json={"input": "Hi all", "conversation": made["id"]})
        opened = (await house.http.get(f"/v1/conversations/{made['id']}")).json()
        assert (opened["title"], opened["title_source"]) == ("Hi all", "auto")
        renamed = await house.http.post(f"/v1/conversations/{made['id']}", json={"title": "Mine"})
        assert (renamed.json()["title"], renamed.json()["title_source"]) == ("Mine", "user")
        turns = (await house.http.get(f"/v1/conversations/{made['id']}/responses")).json()["data"]
        assert [t["input"][0]["content"][0]["text"] for t in turns] == ["Hi all"]
        assert turns[0]["response"]["output"][0]["content"][0]["text"] == "Hello, world."
        listing = (await house.http.get("/v1/conversations?limit=1")).json()
        assert [c["id"] for c in listing["data"]] == [made["id"]]
        assert (await house.http.delete(f"/v1/conversations/{made['id']}")).json()["deleted"]
        gone = await house.http.get(f"/v1/conversations/{made['id']}")
        assert error_of(gone) == (404, "conversation_not_found", "conversation")


async def test_what_was_said_is_found_in_its_conversation(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = (await house.http.post("/v1/conversations", json={})).json()
        body = {"input": 'A "strange" word', "conversation": made["id"]}
        asked = (await house.http.post("/v1/responses", json=body)).json()
        search = "/v1/conversations/search"
        (hit,) = (await house.http.get(search, params={"q": '"strange'})).json()["data"]
        assert (hit["conversation_id"], hit["response_id"]) == (made["id"], asked["id"])
        assert [piece["text"] for piece in hit["snippet"] if piece["match"]] == ["strange"]
        both = (await house.http.get(search, params={"q": "w", "limit": 1})).json()
        assert (both["has_more"], both["data"][0]["role"]) == (True, "assistant")
        rest = await house.http.get(search, params={"q": "w", "after": both["last_cursor"]})
        assert [each["role"] for each in rest.json()["data"]] == ["user"]
        for wrong, field in (
            ({}, "q"),
            ({"q": " \0 "}, "q"),
            ({"q": "x" * 201}, "q"),
            ({"q": "x", "after": "y"}, "after"),
            ({"q": "x", "limit": "0"}, "limit"),
        ):
            refused = await house.http.get(search, params=wrong)
            assert error_of(refused) == (400, "invalid_request", field)


async def test_a_conversations_next_turn_goes_to_its_head(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = (await house.http.post("/v1/conversations", json={})).json()
        body = {"input": "One", "conversation": made["id"]}
        first = (await house.http.post("/v1/responses", json=body)).json()
        second = (await house.http.post("/v1/responses", json={**body, "input": "Two"})).json()
        assert second["previous_response_id"] == first["id"]
        assert len(house.engine.prompts[-1]) == 3
        root = {**body, "input": "New root", "previous_response_id": None}
        await house.http.post("/v1/responses", json=root)
        assert len(house.engine.prompts[-1]) == 1


async def test_bad_conversation_requests_name_the_field(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = (await house.http.post("/v1/conversations", json={})).json()
        path = f"/v1/conversations/{made['id']}"
        assert error_of(await house.http.post(path, json={"title": 3})) == (
            400,
            "invalid_request",
            "title",
        )
        for body, field in (
            ({}, "metadata"),
            ({"title": None}, "title"),
            ({"metadata": {"k": 1}}, "metadata[...]"),
            ({"metadata": {"k" * 65: "v"}}, "metadata"),
        ):
            answer = await house.http.post(path, json=body)
            assert error_of(answer) == (400, "invalid_request", field)
        assert error_of(await house.http.get("/v1/conversations?limit=0")) == (
            400,
            "invalid_request",
            "limit",
        )
        assert error_of(await house.http.get("/v1/conversations?after=zzz")) == (
            400,
            "invalid_request",
            "after",
        )
        assert error_of(await house.http.get("/v1/conversations?order=up")) == (
            400,
            "invalid_request",
            "order",
        )


async def test_conversations_are_listed_both_ways_by_cursor_and_by_id(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made: list[str] = []
        for n in range(3):
            answer = await house.http.post("/v1/conversations", json={"title": f"{n}"})
            made.append(answer.json()["id"])
        whole = (await house.http.get("/v1/conversations?after=")).json()
        assert [each["id"] for each in whole["data"]] == made[::-1]
        for order, expected in (("asc", made), ("desc", made[::-1])):
            for next_of in ("last_id", "last_cursor"):
                query = {"order": order, "limit": "2"}
                first = (await house.http.get("/v1/conversations", params=query)).json()
                assert (first["first_id"], first["last_id"]) == tuple(expected[:2])
                query["after"] = first[next_of]
                rest = (await house.http.get("/v1/conversations", params=query)).json()
                assert [each["id"] for each in first["data"] + rest["data"]] == expected
                assert (first["has_more"], rest["has_more"]) == (True, False)


async def test_metadata_is_replaced_and_the_title_stays(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        body = {"title": "Mine", "metadata": {"a": "1"}}
        made = (await house.http.post("/v1/conversations", json=body)).json()
        path = f"/v1/conversations/{made['id']}"
        for sent, kept in (({"b": "2"}, {"b": "2"}), (None, {})):
            changed = (await house.http.post(path, json={"metadata": sent})).json()
            assert changed == made | {"metadata": kept}
            assert (await house.http.get(path)).json() == changed


async def test_the_same_idempotency_key_gives_the_same_response(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        headers = {"Idempotency-Key": "k1"}
        first = await house.http.post("/v1/responses", json={"input": "x"}, headers=headers)
        again = await house.http.post("/v1/responses", json={"input": "x"}, headers=headers)
        assert again.json() == first.json()
        assert len(house.engine.started) == 1


async def test_the_page_is_served_compressed_and_under_its_policy(tmp_path: Path) -> None:
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>x</title>")
    (page / "assets" / "app-1.js").write_text("1")
    (page / "assets" / "app-1.js.br").write_bytes(b"packed")
    (tmp_path / "secret").write_text("s")
    async with open_house(tmp_path) as house:
        index = await house.http.get("/")
        assert index.headers["Cache-Control"] == "no-cache"
        policy = index.headers["Content-Security-Policy"].split("; ")
        assert {"require-trusted-types-for 'script'", "trusted-types tokenwire-worker"} <= {*policy}
        assert index.headers["X-Content-Type-Options"] == "nosniff"
        request = house.http.build_request(
            "GET", "/assets/app-1.js", headers={"Accept-Encoding": "br"}
        )
        answer = await house.http.send(request, stream=True)
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
        assert (raw, answer.headers["Content-Encoding"]) == (b"packed", "br")
        assert "immutable" in answer.headers["Cache-Control"]
        for name, kind in (
            ("sw.js", "text/javascript; charset=utf-8"),
            ("manifest.webmanifest", "application/manifest+json"),
        ):
            assert (await house.http.get(f"/{name}")).status_code == 404
            (page / name).write_text("{}")
            answer = await house.http.get(f"/{name}")
            assert answer.headers["Content-Type"] == kind
            assert answer.headers["Cache-Control"] == "no-cache"
        for path in ("/assets/../../secret", "/assets/%2e%2e/%2e%2e/secret", "/assets/none.js"):
            assert (await house.http.get(path)).status_code == 404


async def test_events_of_a_stream_are_named_like_their_type(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        text = (await house.http.post("/v1/responses", json={"input": "x", "stream": True})).text
    blocks = [block for block in text.split("\n\n") if block.startswith("event: ")]
    assert len(blocks) > 5
    for block in blocks:
        name, data = block.split("\n")
        assert name.removeprefix("event: ") == json.loads(data.removeprefix("data: "))["type"]


async def test_a_key_in_the_header_takes_nothing_from_our_own_fields(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        body = {"input": "x", "tokenwire": {"raw": True}}
        first, second = [
            await house.http.post("/v1/responses", json=body, headers={"Idempotency-Key": "k"})
            for _ in range(2)
        ]

        assert first.json()["id"] == second.json()["id"]
        assert house.engine.forms[0].raw
