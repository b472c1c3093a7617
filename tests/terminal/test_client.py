"""The client over real sockets: every event once, whatever is cut; what it says when it can't."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from support.cable import cable_to
from support.house import House, Json, open_house, text_of
from support.scripted import ScriptedEngine, say
from support.waiting import until
from tokenwire.terminal import client
from tokenwire.terminal.client import (
    Answer,
    ClientError,
    Left,
    Lost,
    NoServer,
    Refused,
    Server,
)


WORDS = tuple(f" Wort {index} ☕\t" for index in range(12))
TEXT = "".join(WORDS)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE_S", 0)


def wordy() -> ScriptedEngine:
    return ScriptedEngine(lambda _text, _sampling: say(*WORDS))


@dataclass
class Reading:
    """One answer as it is read."""

    answer: Answer
    events: list[Json] = field(default_factory=list[Json])
    away: int = 0

    async def read(self) -> Json:
        return await self.answer.read(self.events.append, self._gone)

    @property
    def text(self) -> str:
        return text_of(self.events)

    def _gone(self) -> None:
        self.away += 1


def reading(url: str, **create: object) -> Reading:
    return Reading(Answer(Server.at(url, None), {"input": "x", **create}))


def assert_whole(done: Reading) -> None:
    numbers = [event["sequence_number"] for event in done.events]
    assert numbers == list(range(len(numbers)))
    assert done.text == TEXT


async def test_an_answer_is_read_to_its_end(tmp_path: Path) -> None:
    async with open_house(tmp_path, wordy()) as house:
        one = reading(house.url)
        response = await one.read()
        assert_whole(one)
        assert response["status"] == "completed"
        assert one.events[-1]["response"] == response
        assert one.away == 0


async def test_a_socket_that_is_cut_at_any_byte_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path, wordy()) as house:
        async with cable_to(house.url) as cable:
            await reading(cable.url).read()
            whole = cable.passed
            assert whole > 5000
            cuts = range(0, whole, 41)
            for most in cuts:
                cable.most = most
                one = reading(cable.url)
                await one.read()
                assert_whole(one)
            # All but the last few were cut before they had heard the end.
            assert cable.connections > 2 * len(cuts) * 0.9
        # None of the creates was run twice, wherever its acknowledgement was lost.
        assert len(house.engine.started) == len(cuts) + 1


async def test_a_create_whose_acknowledgement_was_lost_is_not_run_twice(tmp_path: Path) -> None:
    engine = wordy()
    engine.hold_at = 3
    async with open_house(tmp_path, engine) as house, cable_to(house.url) as cable:
        cable.deaf = True
        one = reading(cable.url)
        task = asyncio.create_task(one.read())
        await engine.holding.wait()
        assert one.events == []
        cable.cut()
        engine.go.set()
        assert (await task)["status"] == "completed"
        assert_whole(one)
        assert cable.connections == 2
        assert len(engine.started) == 1


async def test_a_server_that_goes_away_is_waited_for_and_said_once(tmp_path: Path) -> None:
    engine = wordy()
    engine.hold_at = 5
    async with open_house(tmp_path, engine) as house, cable_to(house.url) as cable:
        one = reading(cable.url)
        task = asyncio.create_task(one.read())
        await until(lambda: "Wort 4" in one.text)
        cable.unplug()
        await until(lambda: one.away == 1)
        engine.go.set()
        await until(lambda: house.generations.running == 0)
        # Long enough for another attempt: the first delay is half a second at most.
        await asyncio.sleep(0.6)
        await cable.plug()
        assert (await task)["status"] == "completed"
        assert_whole(one)
        assert one.away == 1


async def test_an_answer_that_runs_already_is_followed_from_its_start(tmp_path: Path) -> None:
    engine = wordy()
    engine.hold_at = 5
    async with open_house(tmp_path, engine) as house:
        one = reading(house.url)
        first = asyncio.create_task(one.read())
        await until(lambda: "Wort 4" in one.text)
        late = Reading(Answer(Server(house.url), response_id=one.events[0]["response"]["id"]))
        second = asyncio.create_task(late.read())
        await until(lambda: late.text == one.text)
        engine.go.set()
        assert await first == await second
        assert_whole(late)
        assert len(engine.started) == 1


async def test_cancelling_stops_the_answer_and_keeps_what_was_written(tmp_path: Path) -> None:
    engine = wordy()
    engine.hold_at = 5
    async with open_house(tmp_path, engine) as house:
        one = reading(house.url)
        task = asyncio.create_task(one.read())
        await until(lambda: "Wort 4" in one.text)
        task.cancel()
        response = await task
        assert response["status"] == "cancelled"
        assert one.text == "".join(WORDS[:5])
        assert engine.aborted == engine.started


async def test_an_answer_is_stopped_though_the_socket_is_cut_at_once(tmp_path: Path) -> None:
    engine = wordy()
    engine.hold_at = 5
    async with open_house(tmp_path, engine) as house, cable_to(house.url) as cable:
        one = reading(cable.url)
        task = asyncio.create_task(one.read())
        await until(lambda: "Wort 4" in one.text)
        task.cancel()
        await asyncio.sleep(0)
        cable.cut()
        assert (await task)["status"] == "cancelled"


async def test_cancelling_twice_leaves(tmp_path: Path) -> None:
    engine = wordy()
    engine.hold_at = 5
    async with open_house(tmp_path, engine) as house, cable_to(house.url) as cable:
        one = reading(cable.url)
        task = asyncio.create_task(one.read())
        await until(lambda: "Wort 4" in one.text)
        cable.unplug()
        await until(lambda: one.away == 1)
        await cable.plug()
        await until(lambda: not task.done() and cable.connections == 2)
        task.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_who_leaves_while_the_server_is_away_is_told_that_it_goes_on(tmp_path: Path) -> None:
    engine = wordy()
    engine.hold_at = 5
    async with open_house(tmp_path, engine) as house, cable_to(house.url) as cable:
        one = reading(cable.url)
        task = asyncio.create_task(one.read())
        await until(lambda: "Wort 4" in one.text)
        cable.unplug()
        await until(lambda: one.away == 1)
        task.cancel()
        with pytest.raises(Left, match="goes on there"):
            await task
        assert house.generations.running == 1


async def test_an_answer_that_cannot_be_shown_is_stopped(tmp_path: Path) -> None:
    engine = wordy()
    engine.hold_at = 5

    def refuse(event: Json) -> None:
        if event["type"] == "response.output_text.delta":
            raise BrokenPipeError

    async with open_house(tmp_path, engine) as house:
        with pytest.raises(BrokenPipeError):
            await Answer(Server(house.url), {"input": "x"}).read(refuse, lambda: None)
        await until(lambda: house.generations.running == 0)
        assert engine.aborted == engine.started


async def test_an_unstored_answer_that_the_server_forgot_is_lost(tmp_path: Path) -> None:
    engine = wordy()
    engine.hold_at = 5
    async with open_house(tmp_path, engine) as house, cable_to(house.url) as cable:
        one = reading(cable.url, store=False)
        task = asyncio.create_task(one.read())
        await until(lambda: "Wort 4" in one.text)
        cable.unplug()
        await until(lambda: one.away == 1)
        response_id = one.events[0]["response"]["id"]
        engine.go.set()
        async with asyncio.timeout(10):
            while (await house.http.get(f"/v1/responses/{response_id}")).status_code != 404:
                pass
        await cable.plug()
        with pytest.raises(Lost, match="not stored"):
            await task


async def test_what_the_server_refuses_is_its_own_sentence(house: House) -> None:
    with pytest.raises(Refused, match="The model 'none' does not exist here"):
        await reading(house.url, model="none").read()
    with pytest.raises(Refused, match="'conv_none' not found"):
        await asyncio.to_thread(Server(house.url).call, "GET", "/v1/conversations/conv_none")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    async with open_house(tmp_path) as opened:
        yield opened


async def test_where_no_server_is_it_says_how_to_start_one() -> None:
    with pytest.raises(NoServer, match="`tokenwire serve` starts one"):
        await reading("http://127.0.0.1:9").read()
    with pytest.raises(NoServer, match=r"at http://127\.0\.0\.1:9;"):
        Server.at("http://127.0.0.1:9/", None).call("GET", "/v1/models")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ClientError, match="is no address"):
        Server.at(url, None)


# A server of the test's own, for what the real one doesn't do.

Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def lying(
    handler: Handler, process: Callable[[ServerConnection, Request], Response | None] | None = None
) -> AsyncGenerator[str, None]:
    listening = serve(
        handler,
        "127.0.0.1",
        0,
        process_request=process,
        select_subprotocol=lambda _connection, offered: offered[0],
    )
    async with listening as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


def event(number: int, kind: str = "response.output_text.delta", **fields: Any) -> Json:
    return {"type": kind, "sequence_number": number, "delta": f"{number}.", **fields}


RESPONSE = {"id": "resp_1", "status": "completed"}
LOG = [
    event(0, "response.created", response=RESPONSE),
    *map(event, range(1, 6)),
    event(6, "response.completed", response=RESPONSE),
]


async def test_a_hole_is_not_trusted_and_a_double_is_not_shown() -> None:
    asked: list[Json] = []

    async def handler(socket: ServerConnection) -> None:
        wanted = json.loads(await socket.recv())
        asked.append(wanted)
        after = wanted.get("starting_after", -1)
        # The first socket leaves out 3; the second tells again what was read.
        shown = [0, 1, 2, 4, 5, 6] if after < 0 else range(max(0, after - 1), 7)
        await socket.send(json.dumps([LOG[number] for number in shown]))
        await socket.wait_closed()

    async with lying(handler) as url:
        one = reading(url)
        assert await one.read() == RESPONSE
        assert one.text == "1.2.3.4.5."
    assert [wanted["type"] for wanted in asked] == ["response.create", "tokenwire:response.attach"]
    assert asked[1]["response_id"] == "resp_1"
    assert asked[1]["starting_after"] == 2


async def test_a_create_that_a_stopping_server_refuses_is_sent_again_with_its_key() -> None:
    asked: list[Json] = []

    async def handler(socket: ServerConnection) -> None:
        asked.append(json.loads(await socket.recv()))
        if len(asked) == 1:
            error = {"code": "server_draining", "message": "Stopping."}
            await socket.send(json.dumps({"type": "error", "error": error}))
            await socket.close(1012)
            return
        await socket.send(json.dumps(LOG))

    async with lying(handler) as url:
        assert await reading(url).read() == RESPONSE
    assert len(asked) == 2
    assert asked[0] == asked[1]
    assert asked[0]["tokenwire"]["idempotency_key"]


async def test_a_final_close_code_ends_it() -> None:
    sockets = 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal sockets
        sockets += 1
        await socket.close(4400)

    async with lying(handler) as url:
        with pytest.raises(Refused, match="code 4400"):
            await reading(url).read()
    assert sockets == 1


async def test_a_key_goes_with_the_upgrade_and_a_refusal_of_it_is_said() -> None:
    def process(_socket: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") == "Bearer good":
            return None
        body = json.dumps({"error": {"message": "This key is not known."}})
        return _socket.respond(HTTPStatus.UNAUTHORIZED, body)

    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(json.dumps(LOG))
        await socket.wait_closed()

    async with lying(handler, process) as url:
        with pytest.raises(Refused, match=r"This key is not known\."):
            await reading(url).read()
        one = Reading(Answer(Server.at(url, "good"), {"input": "x"}))
        assert await one.read() == RESPONSE


async def test_a_key_goes_with_plain_requests() -> None:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        server = Server(f"http://127.0.0.1:{port}", "good")
        assert await asyncio.to_thread(server.call, "GET", "/v1/models") == {}
    assert b"Authorization: Bearer good\r\n" in seen[0]


async def test_what_is_no_tokenwire_is_said_so() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-something\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        with pytest.raises(NoServer):
            await reading(url).read()
        with pytest.raises(NoServer):
            await asyncio.to_thread(Server(url).call, "GET", "/v1/models")
