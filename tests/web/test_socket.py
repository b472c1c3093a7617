"""The WebSocket door: lanes, bad frames, disconnects, the page's own events, draining."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import websockets
from sqlalchemy import Connection

from support.house import (
    USER,
    House,
    Json,
    events_of,
    open_house,
    open_raw,
    receive,
    receive_until,
    text_of,
)
from support.readers import Reader, assert_whole, page, read
from support.scripted import ScriptedEngine, say
from support.waiting import until
from tokenwire.generation import journal
from tokenwire.generation.admission import AdmissionLimits
from tokenwire.generation.log import Log
from tokenwire.history.store import Store
from tokenwire.history.values import ReadFailed
from tokenwire.web import sockets
from tokenwire.web.parts import DoorLimits
from tokenwire.wire.session import Session, SessionLimits


END = ("response.completed", "response.incomplete", "response.failed")


def create(text: str = "x", **fields: object) -> str:
    return json.dumps({"type": "response.create", "input": text, **fields})


async def assert_usable(socket: websockets.ClientConnection) -> None:
    """The connection still answers."""
    await socket.send(create("Still there?"))
    assert text_of(await receive_until(socket, *END)) == "Hello, world."


@pytest.mark.parametrize(
    ("frame", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[]", "invalid_json", None),
        (b"\x00\x01", "invalid_json", None),
        (b"", "invalid_json", None),
        ("{}", "unknown_event_type", "type"),
        ('{"type":"response.explode"}', "unknown_event_type", "type"),
        ('{"type":"tokenwire:ping"}', "unknown_event_type", "type"),
        (
            '{"type":"response.create","input":"x","stream_id":"a b"}',
            "invalid_stream_id",
            "stream_id",
        ),
        ('{"type":"response.create","input":"x","stream_id":""}', "invalid_stream_id", "stream_id"),
        ('{"type":"response.create","input":"x","stream_id":7}', "invalid_stream_id", "stream_id"),
        ('{"type":"response.cancel"}', "response_not_found", "response_id"),
        ('{"type":"response.cancel","response_id":"resp_no"}', "response_not_found", "response_id"),
    ],
)
async def test_a_bad_frame_is_an_error_event_and_the_connection_stays_usable(
    tmp_path: Path, frame: str | bytes, code: str, param: str | None
) -> None:
    async with open_house(tmp_path) as house, house.connect() as socket:
        await socket.send(frame)
        refusal = await receive(socket)
        assert refusal["type"] == "error"
        assert isinstance(refusal["status"], int)
        error = refusal["error"]
        assert (error["code"], error["param"]) == (code, param)
        assert not house.engine.started
        await assert_usable(socket)


async def test_json_that_is_so_deep_that_it_can_just_be_read_is_refused(tmp_path: Path) -> None:
    tool = '{"type":"function","name":"f","parameters":{"a":%s}}'
    frame = f'{{"type":"response.create","input":"x","tools":[{tool}]}}'
    async with open_house(tmp_path) as house, house.connect() as socket:
        for depth in range(900, 1000, 2):
            await socket.send(frame % ("[" * depth + "]" * depth))
            assert (await receive(socket))["error"]["code"] == "invalid_json"
            if depth % 10 == 0:
                await assert_usable(socket)


async def test_an_error_goes_to_its_lane(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, house.connect() as socket:
        await socket.send(create(stream_id="lane-1", model="none"))
        refusal = await receive(socket)
    assert (refusal["stream_id"], refusal["status"]) == ("lane-1", 404)


async def test_a_client_that_sends_only_garbage_is_closed(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, house.connect() as socket:

        async def babble() -> None:
            for _ in range(100):
                await socket.send("{")
                await receive(socket)

        with pytest.raises(websockets.ConnectionClosed) as closed:
            await babble()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


async def test_a_frame_beyond_the_limit_is_closed_with_1009(tmp_path: Path) -> None:
    limits = DoorLimits(max_message_bytes=4096)
    async with open_house(tmp_path, limits=limits) as house:
        async with house.connect() as socket:
            await socket.send("x" * 8192)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await receive(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        async with house.connect() as other:
            await assert_usable(other)


async def test_another_sites_page_cannot_connect(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        port = int(house.url.rsplit(":", 1)[1])
        for name, origin, status in (
            ("127.0.0.1", "https://evil.example", 403),
            ("evil.example", None, 421),
        ):
            url = f"ws://{name}:{port}/v1/responses"
            headers = {"Origin": origin} if origin else None
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with websockets.connect(
                    url, host="127.0.0.1", port=port, additional_headers=headers
                ):
                    pass
            assert refused.value.response.status_code == status


async def test_lanes_answer_side_by_side_and_each_in_order(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda text, _: say(*(f"{text}{n} " for n in range(5))))
    async with open_house(tmp_path, engine) as house, house.connect() as socket:
        for lane in ("a", "b", "c"):
            await socket.send(create(lane, stream_id=lane))
            await socket.send(create(lane.upper(), stream_id=lane))
        events: list[Json] = []
        while sum(event["type"] in END for event in events) < 6:
            events.append(await receive(socket))
    for lane in ("a", "b", "c"):
        own = [event for event in events if event["stream_id"] == lane]
        first = next(i for i, event in enumerate(own) if event["type"] in END) + 1
        for part, word in ((own[:first], lane), (own[first:], lane.upper())):
            assert [event["sequence_number"] for event in part] == list(range(len(part)))
            assert text_of(part) == "".join(f"{word}{n} " for n in range(5))


async def test_an_unstored_answer_is_continued_on_its_connection_only(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        async with house.connect() as socket:
            await socket.send(create("First", store=False))
            first = (await receive_until(socket, *END))[-1]["response"]
            await socket.send(create("Second", store=False, previous_response_id=first["id"]))
            await receive_until(socket, *END)
            assert [m["content"] for m in house.engine.prompts[-1]] == [
                "First",
                "Hello, world.",
                "Second",
            ]
        async with house.connect() as other:
            await other.send(create("Third", previous_response_id=first["id"]))
            error = (await receive(other))["error"]
            assert error["code"] == "previous_response_not_found"
            await assert_usable(other)


async def test_a_plain_client_that_leaves_frees_the_engine(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 1
    async with open_house(tmp_path, engine) as house:
        async with house.connect() as socket:
            await socket.send(create())
            created = (await receive(socket))["response"]
            await engine.holding.wait()
        source = await house.generations.find(USER, str(created["id"]))
        await house.generations.finished(source)
    assert engine.aborted == [created["id"]]
    assert source.status == "cancelled"


async def test_a_page_that_leaves_at_the_first_event_finds_its_answer_again(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 1
    async with open_house(tmp_path, engine) as house:
        async with house.connect(page=True) as socket:
            await socket.send(create(stream_id="l1"))
            events = await receive_until(socket, "response.created")
            created = next(e for e in events if e["type"] == "response.created")["response"]
            socket.transport.abort()
        engine.go.set()
        async with house.connect(page=True) as socket:
            attach = {"type": "tokenwire:response.attach", "response_id": created["id"]}
            await socket.send(json.dumps({**attach, "starting_after": 0, "stream_id": "l1"}))
            events = await receive_until(socket, *END)
    own = [e for e in events if not str(e["type"]).startswith("tokenwire:")]
    assert text_of(own) == "Hello, world."
    assert [event["sequence_number"] for event in own] == list(range(1, len(own) + 1))
    attached = next(e for e in events if e["type"] == "tokenwire:response.attached")
    assert attached["response_id"] == created["id"]


async def test_a_first_turn_that_is_sent_again_while_it_runs_is_the_same(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 1
    async with open_house(tmp_path, engine) as house:
        made = (await house.http.post("/v1/conversations", content="{}")).json()
        turn = create(conversation=made["id"], tokenwire={"idempotency_key": "k"})
        ids: list[str] = []
        for _ in range(2):
            async with house.connect(page=True) as socket:
                await socket.send(turn)
                events = await receive_until(socket, "response.created", "error")
                ids += [e["response"]["id"] for e in events if e["type"] == "response.created"]
        engine.go.set()
    assert len(ids) == 2
    assert ids[0] == ids[1]


async def test_the_page_is_greeted_with_limits_and_models(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, house.connect(page=True) as socket:
        assert socket.subprotocol == "tokenwire.v1"
        hello, *_ = await receive_until(socket, "tokenwire:model.state")
        assert hello["type"] == "tokenwire:hello"
        assert hello["protocol"] == "tokenwire.v1"
        assert hello["server_id"] == "srv_test"
        await socket.send(json.dumps({"type": "tokenwire:ping", "t": 42}))
        assert (await receive_until(socket, "tokenwire:pong"))[-1]["t"] == 42


async def test_other_tabs_hear_of_a_conversation_and_its_answers(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        house.connect(page=True) as first,
        house.connect(page=True) as second,
    ):
        made = (await house.http.post("/v1/conversations", json={})).json()
        news = (await receive_until(second, "tokenwire:conversation.changed"))[-1]
        assert (news["op"], news["conversation_id"]) == ("created", made["id"])
        await first.send(create("Title please", stream_id="l1", conversation=made["id"]))
        events = await receive_until(second, "tokenwire:conversation.changed")
        titles = [e["conversation"]["title"] for e in events if e.get("conversation")]
        assert titles[-1] == "Title please"
        started = next(e for e in events if e["type"] == "tokenwire:response.started")
        assert started["conversation_id"] == made["id"]
        attach = {"type": "tokenwire:response.attach", "response_id": started["response_id"]}
        await second.send(json.dumps({**attach, "stream_id": "l9"}))
        assert text_of(await receive_until(second, *END)) == "Hello, world."


async def test_cancel_on_the_socket_ends_the_lane(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 2
    async with open_house(tmp_path, engine) as house, house.connect() as socket:
        await socket.send(create(stream_id="a"))
        await engine.holding.wait()
        await socket.send(json.dumps({"type": "response.cancel", "stream_id": "a"}))
        last = (await receive_until(socket, *END))[-1]
    response = last["response"]
    assert (last["type"], response["status"]) == ("response.incomplete", "cancelled")
    assert engine.aborted == [response["id"]]


async def test_the_place_in_the_line_is_told_as_it_changes(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 1
    admission = AdmissionLimits(max_running=1)
    async with open_house(tmp_path, engine, admission=admission) as house:
        async with house.connect() as socket:
            for lane in ("a", "b", "c"):
                await socket.send(create(stream_id=lane))
            events: list[Json] = []
            while not any(_place(event) == 2 for event in events):
                events.append(await receive(socket))
            engine.hold_at = None
            engine.go.set()
            while sum(event["type"] in END for event in events) < 3:
                events.append(await receive(socket))
    third = [event for event in events if event["stream_id"] == "c"]
    assert third[0]["type"] == "response.created"
    assert [place for event in third if (place := _place(event))] in ([2, 1], [2])
    assert third[-1]["type"] == "response.completed"


def _place(event: Json) -> int | None:
    extra = event.get("response", {}).get("tokenwire", {})
    return extra.get("queue", {}).get("position")


def logs_and_sessions() -> set[int]:
    """Those that are there, by their addresses; other tests may hold some."""
    return {id(thing) for thing in gc.get_objects() if type(thing) in (Log, Session)}


async def test_ended_answers_and_connections_go_without_the_garbage_collector(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        gc.collect()
        gc.disable()
        before = logs_and_sessions()
        try:
            for _ in range(3):
                async with house.connect(page=True) as socket:
                    await socket.send(create(store=False))
                    await receive_until(socket, *END)
            # Housekeeping forgets the answers.
            await until(lambda: not logs_and_sessions() - before)
        finally:
            gc.enable()


async def test_a_full_line_refuses_and_says_so_on_the_lane(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 0
    admission = AdmissionLimits(max_running=1, max_waiting=1)
    async with open_house(tmp_path, engine, admission=admission) as house:
        async with house.connect() as socket:
            for lane in ("a", "b", "c"):
                await socket.send(create(stream_id=lane))
            refusal = (await receive_until(socket, "error"))[-1]
            answer = await house.http.post("/v1/responses", json={"input": "x"})
    assert (refusal["status"], refusal["stream_id"]) == (429, "c")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


async def test_a_reader_that_stalls_slows_no_one_and_is_cut(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda _text, _sampling: say(*["word " * 200] * 12_000))
    limits = DoorLimits(send_timeout_s=0.5)
    async with open_house(tmp_path, engine, limits=limits) as house:
        async with house.connect() as stalled, house.connect() as quick:
            stalled.transport.pause_reading()
            await stalled.send(create(store=False))
            await quick.send(create("short", store=False, stream_id="q"))
            engine.script = lambda _text, _sampling: say("short")
            await quick.send(create("short", store=False, stream_id="r"))
            ended = 0
            while ended < 2:
                ended += (await receive(quick))["type"] in END
            await house.generations.settle(10)
        assert house.generations.running == 0


async def until_closed(socket: websockets.ClientConnection) -> AsyncGenerator[Json, None]:
    """All events until the socket is closed, with whatever code."""
    with suppress(websockets.ConnectionClosed):
        while True:
            for event in events_of(await socket.recv()):
                yield event


async def set_room(house: House, pages: int) -> None:
    """Let the file grow by so many pages and no more: a disk that is nearly full."""

    def limit(connection: Connection) -> None:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={used + pages}")

    await house.store._writer.write(limit)  # pyright: ignore[reportPrivateUsage]


async def test_a_full_disk_stops_no_answer_and_is_told_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FIRST_RETRY_S", 0.05)
    words = ["One ", *("x" * 50_000 for _ in range(4))]
    engine = ScriptedEngine(lambda _text, _sampling: say(*words))
    engine.hold_at = 1
    async with open_house(tmp_path, engine) as house, house.connect(page=True) as socket:
        await socket.send(create(stream_id="a"))
        events = await receive_until(socket, "response.output_text.delta")
        await set_room(house, 0)
        engine.go.set()
        events += await receive_until(socket, "response.completed")
        last = events[-1]["response"]
        assert text_of(events) == "".join(words)
        assert last["store"] is False
        assert [e["saving"] for e in events if e["type"] == "tokenwire:saving.changed"] == [False]
        assert (await house.http.get("/readyz")).json()["saving"] is False
        refused = await house.http.post("/v1/responses", json={"input": "x" * 50_000})
        assert refused.json()["error"]["code"] == "not_saved"

        await set_room(house, 10_000)
        told = await receive_until(socket, "tokenwire:saving.changed")
        assert told[-1]["saving"] is True
        stored = await house.store.events(USER, last["id"])
        assert stored is not None
        assert [json.loads(event) for event in stored][-1]["response"] == last
        assert (await house.http.get("/readyz")).json()["saving"] is True


async def test_a_socket_that_is_cut_after_any_event_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    engine = ScriptedEngine(lambda _text, _sampling: say("One", " two", " thr", "ee", "."))
    async with open_house(tmp_path, engine) as house:
        whole = Reader({"input": "x"})
        await read(house.url, [whole])
        for index in range(whole.last + 1):
            cut = Reader({"input": "x"})
            async with page(house.url) as socket:
                await socket.send(json.dumps({"type": "response.create", **cut.ask}))
                while cut.last < index:
                    for event in events_of(await socket.recv()):
                        # What came in the same frame after the cut was never read.
                        if cut.last < index and not event["type"].startswith("tokenwire:"):
                            cut.take(event)
            await read(house.url, [cut])
            assert cut.text == whole.text
            assert_whole([cut])
            stored = await house.store.events(USER, str(cut.id))
            assert stored is not None
            assert len(stored) == cut.last + 1


async def test_a_stalled_reader_of_sse_is_cut_and_its_answer_ended(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda _text, _sampling: say(*["word " * 200] * 12_000))
    async with open_house(tmp_path, engine, limits=DoorLimits(send_timeout_s=0.5)) as house:
        # What nobody takes must not end by itself: only the cut can free the engine.
        engine.hold_at = 11_999
        body = json.dumps({"input": "x", "stream": True, "store": False}).encode()
        where = urlsplit(house.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=1024)
        writer.write(
            b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        assert await reader.readline() == b"HTTP/1.1 200 \r\n"
        await until(lambda: bool(engine.aborted))
        await until(lambda: house.generations.running == 0)
        writer.close()


async def test_a_connection_that_can_no_longer_write_is_closed_as_our_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> list[str]:
        raise LookupError("a bug")

    async with open_house(tmp_path) as house, house.connect(page=True) as socket:
        await socket.recv()
        monkeypatch.setattr(Session, "take", broken)
        await socket.send(json.dumps({"type": "tokenwire:ping", "t": 1}))
        await socket.wait_closed()

        assert socket.close_code == 1011


async def test_a_peer_that_answers_no_ping_is_cut_and_one_that_does_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "BEAT_S", 0.05)
    limits = DoorLimits(heartbeat_s=0.1, ask_s=0.2, gone_s=0.6)
    async with open_house(tmp_path, limits=limits) as house, house.connect() as alive:
        reader, writer = await open_raw(house)
        began = asyncio.get_running_loop().time()
        # It reads, as the kernel of a proxy would for one that is gone.
        heard = bytearray()
        with suppress(ConnectionError):
            while piece := await asyncio.wait_for(reader.read(100), 5):
                heard += piece
        assert set(heard) == {0x89, 0}
        assert 0.5 < asyncio.get_running_loop().time() - began < 3
        await asyncio.sleep(0.6)
        await assert_usable(alive)
        writer.close()


async def test_a_page_that_hears_nothing_else_hears_pings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "BEAT_S", 0.02)
    async with open_house(tmp_path, limits=DoorLimits(heartbeat_s=0.1)) as house:
        async with house.connect(page=True) as socket:
            for number in (1, 2, 3):
                (*_, ping) = await receive_until(socket, "tokenwire:ping")
                assert ping["t"] == number


async def test_an_old_connection_ends_when_it_is_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "BEAT_S", 0.02)
    async with open_house(tmp_path, limits=DoorLimits(max_age_s=0.1)) as house:
        async with house.connect() as socket:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await receive(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


async def test_who_says_more_than_is_read_is_cut(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, house.connect(page=True) as other:
        _, writer = await open_raw(house, b"Sec-WebSocket-Protocol: tokenwire.v1\r\n")
        said = json.dumps({"type": "tokenwire:ping", "t": "x" * 1000}).encode()
        frame = b"\x81\xfe" + len(said).to_bytes(2, "big") + bytes(4) + said

        async def babble() -> None:
            # Not so many and no more: a quick machine has said them all before it is cut.
            while True:
                writer.write(frame)
                await writer.drain()

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(babble(), 20)
        writer.close()
        await assert_usable(other)


async def test_more_attaches_than_can_wait_close_the_connection(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, house.connect(page=True) as socket:
        attach: Json = {
            "type": "tokenwire:response.attach",
            "response_id": "resp_x",
            "starting_after": 0,
        }

        async def babble() -> None:
            for number in range(1000):
                await socket.send(json.dumps({**attach, "stream_id": f"l{number % 20}"}))
            while True:
                await asyncio.wait_for(socket.recv(), 10)

        with pytest.raises(websockets.ConnectionClosed) as closed:
            await babble()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


@pytest.mark.parametrize("page", [True, False])
async def test_draining_ends_what_is_plain_and_leaves_what_is_durable(
    tmp_path: Path, *, page: bool
) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 1
    async with open_house(tmp_path, engine) as house, house.connect(page=page) as socket:
        await socket.send(create(stream_id="l1"))
        await receive_until(socket, "response.output_text.delta")
        house.parts.hub.draining(2.0)
        house.generations.drain()
        refused = await house.http.post("/v1/responses", json={"input": "x"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        await house.generations.close()
        house.parts.sockets.drain()
        events = [event async for event in until_closed(socket)]
    types = [event["type"] for event in events]
    assert ("tokenwire:server.draining" in types) == page
    if page:
        assert not set(END) & set(types)
    else:
        assert events[-1]["response"]["incomplete_details"] == {"reason": "interrupted"}
    assert socket.close_code == 1012


async def test_an_answer_that_stops_for_a_restart_ends_its_sse_without_done(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 1
    async with open_house(tmp_path, engine) as house:
        body = {"input": "x", "background": True, "stream": True}
        async with house.http.stream("POST", "/v1/responses", json=body) as answer:
            lines = answer.aiter_lines()
            while await anext(lines) != "event: response.output_text.delta":
                pass
            closing = asyncio.create_task(house.generations.close())
            left = [line async for line in lines]
            await closing
    assert not any("[DONE]" in line for line in left)


async def test_the_page_hears_when_the_disk_fails(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, house.connect(page=True) as socket:
        hello = (await receive_until(socket, "tokenwire:hello"))[0]
        assert hello["saving"] is True
        house.parts.hub.saving_changed(saving=False)
        changed = (await receive_until(socket, "tokenwire:saving.changed"))[-1]
        assert changed["saving"] is False


async def test_a_33rd_named_lane_is_refused(tmp_path: Path) -> None:
    limits = DoorLimits(session=SessionLimits(max_lanes=2))
    async with open_house(tmp_path, limits=limits) as house, house.connect() as socket:
        for lane in ("a", "b"):
            await socket.send(create(stream_id=lane))
            await receive_until(socket, *END)
        await socket.send(create(stream_id="c"))
        error = (await receive(socket))["error"]
        assert error["code"] == "websocket_stream_limit_reached"
        await assert_usable(socket)


async def test_a_history_that_cannot_be_read_ends_no_connection_and_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ReadFailed("the history could not be read: disk I/O error")

    async with open_house(tmp_path) as house, house.connect(page=True) as socket:
        await receive_until(socket, "tokenwire:model.state")
        monkeypatch.setattr(Store, "_read", broken)
        house.parts.hub.conversation_changed(USER, "conv_1", "updated")
        attach = {"type": "tokenwire:response.attach", "response_id": "resp_1", "stream_id": "a"}
        await socket.send(json.dumps(attach))
        (error,) = await receive_until(socket, "error")
        assert (error["error"]["code"], error["stream_id"]) == ("server_error", "a")
        monkeypatch.undo()
        await socket.send(json.dumps(attach))
        (error,) = await receive_until(socket, "error")
        assert error["error"]["code"] == "response_not_found"
        made = (await house.http.post("/v1/conversations", json={})).json()
        (changed,) = await receive_until(socket, "tokenwire:conversation.changed")
        assert changed["conversation_id"] == made["id"]
