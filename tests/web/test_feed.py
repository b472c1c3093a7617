"""The feed: the page's connection over HTTP alone. It has the same events, lanes and bounds as a
socket (tests/contract), and its own ways to begin, to end and to be refused.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.feed import Feed, open_feed
from support.house import House, Json, open_house, receive, receive_until, text_of
from support.readers import END
from support.scripted import ScriptedEngine, say
from support.waiting import until
from tokenwire.web import sockets
from tokenwire.web.parts import DoorLimits
from tokenwire.wire.session import Session


def create(text: str = "x", **fields: object) -> str:
    return json.dumps({"type": "response.create", "input": text, **fields})


def attach(response_id: str, lane: str, **fields: object) -> str:
    kind = "tokenwire:response.attach"
    return json.dumps({"type": kind, "response_id": response_id, "stream_id": lane, **fields})


async def rest(feed: Feed) -> list[Json]:
    """All events until the stream ends."""
    events: list[Json] = []
    try:
        while True:
            events.append(await receive(feed))
    except EOFError:
        return events


async def test_it_begins_as_a_page_s_socket(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        open_feed(house.http) as feed,
        house.connect(page=True) as socket,
    ):
        told = [json.loads(feed.hello), await receive(feed)]
        (hello, model) = await receive_until(socket, "tokenwire:model.state")
        assert told[0].pop("connection_id") != hello.pop("connection_id")
        assert told == [hello, model]
        await feed.send(json.dumps({"type": "tokenwire:ping", "t": 42}))
        assert (await receive(feed))["t"] == 42


async def test_several_answers_come_side_by_side_and_errors_on_their_lanes(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, open_feed(house.http) as feed:
        await feed.send(
            create(stream_id="a"), create(stream_id="b"), create(stream_id="c", model="-")
        )
        events: list[Json] = []
        while sum(event["type"] in (*END, "error") for event in events) < 3:
            events.append(await receive(feed))
    for lane in "ab":
        own = [event for event in events if event.get("stream_id") == lane]
        assert text_of(own) == "Hello, world."
        assert [event["sequence_number"] for event in own] == list(range(len(own)))
    (error,) = [event for event in events if event["type"] == "error"]
    assert (error["stream_id"], error["error"]["code"]) == ("c", "model_not_found")


async def test_an_answer_outlives_its_feed_and_is_followed_on_the_next(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 1
    async with open_house(tmp_path, engine) as house:
        async with open_feed(house.http) as feed:
            await feed.send(create(stream_id="a"))
            events = await receive_until(feed, "response.created")
            id = events[-1]["response"]["id"]
        engine.go.set()
        async with open_feed(house.http) as feed:
            await feed.send(attach(id, "b", starting_after=0))
            events = await receive_until(feed, *END)
    own = [event for event in events if event.get("stream_id") == "b"][1:]
    assert text_of(own) == "Hello, world."
    assert [event["sequence_number"] for event in own] == list(range(1, len(own) + 1))


async def test_an_answer_is_cancelled_and_another_is_steered(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 2
    async with open_house(tmp_path, engine) as house, open_feed(house.http) as feed:
        await feed.send(create(stream_id="a"))
        await engine.holding.wait()
        await feed.send(json.dumps({"type": "response.cancel", "stream_id": "a"}))
        last = (await receive_until(feed, *END))[-1]
        assert last["response"]["status"] == "cancelled"
        engine.holding.clear()
        await feed.send(create(stream_id="a"))
        created = (await receive_until(feed, "response.created"))[-1]
        await engine.holding.wait()
        engine.hold_at = None
        said = {"previous_response_id": created["response"]["id"], "input": "Shorter"}
        await feed.send(json.dumps({"type": "response.steer", **said}))
        events = await receive_until(feed, "response.completed")
    assert any(event["type"] == "response.steer.accepted" for event in events)


async def test_other_tabs_hear_of_it_and_it_of_them(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        open_feed(house.http) as feed,
        house.connect(page=True) as socket,
    ):
        made = (await house.http.post("/v1/conversations", json={})).json()
        await feed.send(create("Title please", stream_id="l1", conversation=made["id"]))
        started = (await receive_until(socket, "tokenwire:response.started"))[-1]
        assert started["origin_connection_id"] == feed.id
        news = await receive_until(feed, "response.completed")
        assert not any(event["type"] == "tokenwire:response.started" for event in news)
        await house.http.delete(f"/v1/conversations/{made['id']}")
        while news[-1].get("op") != "deleted":
            news += await receive_until(feed, "tokenwire:conversation.changed")


async def test_what_is_no_feed_of_ours_takes_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        async with open_feed(house.http) as feed:
            path = f"/v1/events/{feed.id}"
        await until(lambda: not house.parts.hub._sockets)  # pyright: ignore[reportPrivateUsage]
        for gone in (path, "/v1/events/sock_none"):
            refused = await house.http.post(gone, json={"events": [{"type": "tokenwire:ping"}]})
            error = refused.json()["error"]
            assert (refused.status_code, error["param"]) == (404, "connection_id")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[]", "invalid_json", None),
        ("{}", "invalid_request", "events"),
        ('{"events": []}', "invalid_request", "events"),
        ('{"events": {}}', "invalid_request", "events"),
        ('{"events": ["x"]}', "invalid_request", "events[0]"),
        (json.dumps({"events": [{}] * 65}), "invalid_request", "events"),
    ],
)
async def test_a_body_that_is_wrong_is_refused_by_its_field(
    tmp_path: Path, body: str, code: str, param: str | None
) -> None:
    async with open_house(tmp_path) as house, open_feed(house.http) as feed:
        refused = await house.http.post(f"/v1/events/{feed.id}", content=body)
        assert refused.status_code == 400
        error = refused.json()["error"]
        assert (error["code"], error["param"]) == (code, param)
        await feed.send('{"type":"response.explode"}')
        assert (await receive_until(feed, "error"))[-1]["error"]["code"] == "unknown_event_type"


async def test_another_site_s_page_can_say_nothing_and_another_name_reads_nothing(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house, open_feed(house.http) as feed:
        said = {"events": [{"type": "tokenwire:ping"}]}
        origin = {"Origin": "https://evil.example"}
        refused = await house.http.post(f"/v1/events/{feed.id}", json=said, headers=origin)
        assert refused.status_code == 403
        misled = await house.http.get("/v1/events", headers={"Host": "evil.example"})
        assert misled.status_code == 421


@pytest.mark.parametrize(("method", "version"), [("GET", "1.0"), ("GET", "1.1"), ("HEAD", "1.1")])
async def test_it_is_read_by_old_proxies_and_a_look_at_it_holds_nothing(
    tmp_path: Path, method: str, version: str
) -> None:
    async with open_house(tmp_path) as house:
        async with raw_feed(house, method, version) as reader:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"text/event-stream" in head
            hub = house.parts.hub
            if method == "HEAD":
                assert not hub._sockets  # pyright: ignore[reportPrivateUsage]
                return
            assert (b"chunked" in head) == (version == "1.1")
            await reader.readuntil(b'"tokenwire:hello"')
            hub.saving_changed(saving=False)
            await reader.readuntil(b'"tokenwire:saving.changed"')
        await until(lambda: not hub._sockets)  # pyright: ignore[reportPrivateUsage]


@asynccontextmanager
async def raw_feed(
    house: House, method: str = "GET", version: str = "1.1"
) -> AsyncGenerator[asyncio.StreamReader, None]:
    """A feed whose bytes are left to the test."""
    where = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=4096)
    writer.write(f"{method} /v1/events HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
    try:
        yield reader
    finally:
        writer.close()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_reader_that_stalls_is_cut_and_its_answer_goes_on(
    tmp_path: Path, version: str
) -> None:
    engine = ScriptedEngine(lambda _text, _sampling: say(*["word " * 200] * 12_000))
    limits = DoorLimits(send_timeout_s=0.5)
    async with open_house(tmp_path, engine, limits=limits) as house:
        async with raw_feed(house, version=version) as reader:
            told = await reader.readuntil(b'"server_id"')
            id = told.rpartition(b'"connection_id":"')[2].partition(b'"')[0].decode()
            said = {"events": [json.loads(create(store=False))]}
            assert (await house.http.post(f"/v1/events/{id}", json=said)).status_code == 204
            await until(lambda: not house.parts.hub._sockets)  # pyright: ignore[reportPrivateUsage]
        await house.generations.settle(10)
        assert house.generations.running == 0
        assert not engine.aborted


async def test_who_hears_nothing_else_hears_pings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "BEAT_S", 0.02)
    # It is never asked whether it lives: a stream can't answer.
    limits = DoorLimits(heartbeat_s=0.1, ask_s=0.05, gone_s=0.1)
    async with open_house(tmp_path, limits=limits) as house, open_feed(house.http) as feed:
        for number in (1, 2, 3):
            (*_, ping) = await receive_until(feed, "tokenwire:ping")
            assert ping["t"] == number


async def test_an_old_feed_ends_when_it_is_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "BEAT_S", 0.02)
    async with open_house(tmp_path, limits=DoorLimits(max_age_s=0.1)) as house:
        async with open_feed(house.http) as feed:
            await rest(feed)


async def test_a_server_that_stops_says_so_and_ends_it(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 1
    async with open_house(tmp_path, engine) as house, open_feed(house.http) as feed:
        await feed.send(create(stream_id="l1"))
        await receive_until(feed, "response.output_text.delta")
        house.parts.hub.draining(2.0)
        house.generations.drain()
        await house.generations.close()
        house.parts.sockets.drain()
        kinds = {event["type"] for event in await rest(feed)}
    assert "tokenwire:server.draining" in kinds
    assert not kinds & set(END)


async def test_one_that_can_no_longer_write_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> list[str]:
        raise LookupError("a bug")

    async with open_house(tmp_path) as house, open_feed(house.http) as feed:
        await receive_until(feed, "tokenwire:model.state")
        monkeypatch.setattr(Session, "take", broken)
        await feed.send(json.dumps({"type": "tokenwire:ping", "t": 1}))
        assert await rest(feed) == []


async def test_a_feed_goes_without_the_garbage_collector(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        gc.collect()
        gc.disable()
        before = sessions()
        try:
            for _ in range(3):
                async with open_feed(house.http) as feed:
                    await feed.send(create(store=False))
                    await receive_until(feed, *END)
            await until(lambda: not sessions() - before)
        finally:
            gc.enable()


def sessions() -> set[int]:
    return {id(one) for one in gc.get_objects() if type(one) is Session}
