"""The patches to Hypercorn and Quart, each on a live server: what breaks without it stays cured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvloop
import websockets
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config
from quart import Quart, websocket
from websockets.exceptions import ConnectionClosed
from werkzeug.exceptions import HTTPVersionNotSupported

from support.waiting import until
from tokenwire import compat
from tokenwire.compat import connections
from tokenwire.serve import listen


MOST_BYTES = 10_000
HANDSHAKE = (
    b"GET /%s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@dataclass(frozen=True)
class Door:
    """A server with a few sockets to talk to, and what its handlers saw."""

    port: int
    left: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def connect(self, path: str) -> websockets.connect:
        return websockets.connect(f"ws://127.0.0.1:{self.port}/{path}")

    async def connect_unread(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client that shakes hands and then reads nothing."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1024)
        writer.write(HANDSHAKE % path.encode())
        await reader.readuntil(b"\r\n\r\n")
        return reader, writer


class Deaf:
    """Serves a WebSocket, and says nothing."""

    def __init__(self, peer: compat.WebSocket, door: Door) -> None:
        self.peer = peer
        self.door = door
        self.over = asyncio.Event()

    def received(self, frame: str | bytes) -> None: ...

    def ended(self) -> None:
        self.over.set()

    async def serve(self) -> None:
        await self.over.wait()
        self.door.left.set()


class Echo(Deaf):
    def received(self, frame: str | bytes) -> None:
        self.peer.write_texts([repr(frame)])


class Say(Deaf):
    """Says texts of the sizes that it is asked for."""

    def __init__(self, peer: compat.WebSocket, door: Door) -> None:
        super().__init__(peer, door)
        self.asked: list[str] = []
        self.called = asyncio.Event()

    def received(self, frame: str | bytes) -> None:
        sizes = [int(size) for size in str(frame).split()]
        self.asked += ["\u00e9" * (size // 2) + "x" * (size % 2) for size in sizes]
        self.called.set()

    def ended(self) -> None:
        super().ended()
        self.called.set()

    async def serve(self) -> None:
        while not self.over.is_set():
            await self.called.wait()
            self.called.clear()
            texts, self.asked = self.asked, []
            assert await self.peer.send_texts(texts, 5)


class Pour(Deaf):
    """Says more than anyone takes."""

    async def serve(self) -> None:
        while self.peer.open and await self.peer.send_texts(["x" * 65_536] * 4, 0.05):
            pass
        self.door.left.set()
        await self.over.wait()


class Cut(Deaf):
    def received(self, frame: str | bytes) -> None:
        self.peer.abort()


class Refuse(Deaf):
    async def serve(self) -> None:
        self.peer.close(4400, "no")
        self.door.left.set()


class Broken(Deaf):
    async def serve(self) -> None:
        raise OSError("for a reason of its own")


def sockets(app: Quart, door: Door) -> None:
    def add(kind: type[Deaf]) -> None:
        async def handler() -> None:
            offered = websocket.requested_subprotocols
            compat.accept(lambda peer: kind(peer, door), offered[0] if offered else None)

        name = kind.__name__.lower()
        app.add_websocket(f"/{name}", name, handler)

    async def late() -> None:
        """Accepts when bytes have come that Hypercorn's reader has not been woken for yet."""
        connection = connections._current.get()  # pyright: ignore[reportPrivateUsage]
        assert connection is not None
        door.asked.set()
        while not connection.reader._buffer:  # noqa: ASYNC110 # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            await asyncio.sleep(0)
        compat.accept(lambda peer: Echo(peer, door))

    async def gone() -> None:
        compat.abort_current()
        compat.accept(lambda peer: Echo(peer, door))

    app.add_websocket("/late", "late", late)
    app.add_websocket("/gone", "gone", gone)
    for kind in (Deaf, Echo, Say, Pour, Cut, Refuse, Broken):
        add(kind)


@asynccontextmanager
async def open_door() -> AsyncGenerator[Door, None]:
    app = Quart("door")
    compat.install()
    compat.install()
    listener = listen("127.0.0.1", 0)
    door = Door(listener.getsockname()[1])
    sockets(app, door)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 0.2
    config.errorlog = None
    config.websocket_max_message_size = MOST_BYTES
    stop = asyncio.Event()
    async with asyncio.timeout(30):
        serving = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait))
        try:
            yield door
        finally:
            compat.abort_stalled()
            stop.set()
            await serving


async def test_compression_is_not_agreed_on_although_it_was_offered() -> None:
    async with open_door() as door, door.connect("echo") as socket:
        assert socket.request is not None
        assert socket.response is not None
        assert "permessage-deflate" in socket.request.headers["Sec-WebSocket-Extensions"]
        assert "Sec-WebSocket-Extensions" not in socket.response.headers


@pytest.mark.parametrize(
    ("frame", "heard"), [(b"", "b''"), ("", "''"), (b"x", "b'x'"), ("x", "'x'")]
)
async def test_a_frame_arrives_as_the_kind_that_it_was_even_when_it_is_empty(
    frame: str | bytes, heard: str
) -> None:
    async with open_door() as door, door.connect("echo") as socket:
        await socket.send(frame)

        assert await socket.recv() == heard


async def test_a_subprotocol_that_was_offered_is_agreed_on() -> None:
    async with open_door() as door:
        url = f"ws://127.0.0.1:{door.port}/echo"
        async with websockets.connect(url, subprotocols=[websockets.Subprotocol("b")]) as socket:
            assert socket.subprotocol == "b"


async def test_a_message_in_pieces_arrives_as_one() -> None:
    async with open_door() as door, door.connect("echo") as socket:
        await socket.send(["a", "", "b\u00e9", "c"])
        assert await socket.recv() == repr("ab\u00e9c")
        await socket.send([b"a", b"", b"c"])
        assert await socket.recv() == repr(b"ac")


async def test_pieces_without_a_byte_are_not_kept() -> None:
    peer = compat.WebSocket(asyncio.Transport(), MOST_BYTES)
    peer.data_received(b"\x01\x81" + bytes(4) + b"x" + (b"\x00\x80" + bytes(4)) * 1000)
    assert peer._parts == ["x"]  # pyright: ignore[reportPrivateUsage]


async def test_a_ping_is_answered_with_what_it_carries() -> None:
    async with open_door() as door, door.connect("deaf") as socket:
        await asyncio.wait_for(await socket.ping(b"there?"), 5)


@pytest.mark.parametrize("pieces", [1, 4])
async def test_a_message_of_too_many_bytes_is_closed_with_1009(pieces: int) -> None:
    async with open_door() as door, door.connect("echo") as socket:
        await socket.send("x" * MOST_BYTES)
        assert len(str(await socket.recv())) == MOST_BYTES + 2
        # Fewer characters than that, and more bytes.
        await socket.send(["\u00e9" * (MOST_BYTES // 2 // pieces)] * pieces + ["x"])
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        await asyncio.wait_for(door.left.wait(), 5)


async def closed_with(reader: asyncio.StreamReader) -> int:
    """The code of the close frame that comes next, and nothing after it."""
    frame = await asyncio.wait_for(reader.read(), 5)
    assert frame[0] == 0x88
    assert len(frame) == 2 + frame[1]
    return int.from_bytes(frame[2:4], "big")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x81\x01x", 1002),  # not masked
        (b"\x83\x80" + bytes(4), 1002),  # no such kind of frame
        (b"\x80\x81" + bytes(4) + b"x", 1002),  # goes on with nothing
        (b"\x81\x81" + bytes(4) + b"\xff", 1007),  # not UTF-8
        (b"\x88\x82" + bytes(4) + b"\x03\xe8", 1000),
        (b"\x88\x80" + bytes(4) + b"and more", 1005),
    ],
)
async def test_what_is_no_frame_is_closed_with_its_code_and_a_goodbye_is_answered(
    sent: bytes, code: int
) -> None:
    async with open_door() as door, door.connect("echo") as other:
        reader, writer = await door.connect_unread("deaf")
        writer.write(sent)
        if code == 1005:
            assert await asyncio.wait_for(reader.read(), 5) == b"\x88\x00"
        else:
            assert await closed_with(reader) == code
        await asyncio.wait_for(door.left.wait(), 5)
        writer.close()
        await other.send("still here")
        assert await other.recv() == "'still here'"


async def test_what_was_read_and_not_looked_at_when_it_was_accepted_is_not_lost() -> None:
    async with open_door() as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(HANDSHAKE % b"late")
        await door.asked.wait()
        writer.write(b"\x81\x81" + bytes(4) + b"x")
        await asyncio.wait_for(reader.readuntil(b" 101 \r\n"), 5)
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert await asyncio.wait_for(reader.readexactly(5), 5) == b"\x81\x03'x'"
        writer.transport.abort()


async def flood_unread(writer: asyncio.StreamWriter) -> None:
    masked = b"\x81\xfe\x03\xe8" + bytes(4) + b"x" * 1000
    while True:
        writer.write(masked)
        await writer.drain()


async def test_a_flood_that_ignores_its_closing_is_cut_off() -> None:
    async with open_door() as door:
        _, writer = await door.connect_unread("refuse")
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(flood_unread(writer), 10)
        writer.transport.abort()

        assert door.left.is_set()


async def test_pings_of_who_does_not_read_are_not_kept() -> None:
    async with open_door() as door, door.connect("echo") as other:
        _, writer = await door.connect_unread("pour")
        await door.left.wait()
        unsent = compat.unsent()
        writer.write((b"\x89\xfd" + bytes(4) + b"x" * 125) * 1000)
        await other.send("still here")
        assert await other.recv() == "'still here'"
        await asyncio.sleep(0.1)
        assert compat.unsent() <= unsent
        writer.transport.abort()


async def test_who_serves_one_and_fails_hurts_no_other() -> None:
    async with open_door() as door, door.connect("echo") as other:
        async with door.connect("broken") as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        await other.send("still here")
        assert await other.recv() == "'still here'"


async def test_a_client_that_does_not_read_can_be_cut_without_hurting_others() -> None:
    async with open_door() as door, door.connect("echo") as other:
        _, writer = await door.connect_unread("pour")
        await until(lambda: compat.unsent() > 0)

        assert compat.abort_stalled() == 1
        await door.left.wait()
        await until(lambda: compat.unsent() == 0)
        await other.send("still here")
        assert await other.recv() == "'still here'"
        writer.transport.abort()


async def test_a_handler_can_cut_its_own_connection() -> None:
    async with open_door() as door, door.connect("echo") as other, door.connect("cut") as socket:
        await socket.send("now")
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()

        assert caught.value.rcvd is None
        await other.send("still here")
        assert await other.recv() == "'still here'"


async def test_texts_of_every_size_arrive_whole_and_in_order() -> None:
    sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 65_537, 200_000, 2, *range(100)]
    async with open_door() as door, door.connect("say") as socket:
        for _ in range(5):
            await socket.send(" ".join(map(str, sizes)))
            for size in sizes:
                assert len(str(await socket.recv()).encode()) == size


async def test_who_sends_to_a_peer_that_takes_nothing_is_told_and_holds_little() -> None:
    async with open_door() as door:
        _, writer = await door.connect_unread("pour")
        await door.left.wait()

        assert 0 < compat.unsent() < 4 * compat.CHUNK
        writer.transport.abort()


async def test_texts_for_a_connection_that_closes_are_dropped() -> None:
    async with open_door() as door, door.connect("echo") as other:
        async with door.connect("say") as socket:
            for _ in range(20):
                await socket.send("60000 60000")
        assert socket.close_code == 1000
        await other.send("still here")
        assert await other.recv() == "'still here'"


async def test_with_nothing_unsent_nobody_is_cut() -> None:
    async with open_door() as door, door.connect("echo") as socket:
        assert compat.unsent() == 0
        assert compat.abort_stalled() == 0
        await socket.send("still here")
        assert await socket.recv() == "'still here'"


def test_clients_that_leave_while_they_shake_hands_trouble_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def leave(door: Door, number: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(HANDSHAKE % (b"gone" if number % 2 else b"echo"))
        for _ in range(number % 12):
            await asyncio.sleep(0)
        if number % 2:  # the handler itself cuts it before it accepts
            await asyncio.sleep(0.05)
        writer.transport.abort()

    async def main() -> None:
        async with open_door() as door:
            await leave(door, 11)
            await asyncio.sleep(0.2)
            tasks = len(asyncio.all_tasks())
            await asyncio.gather(*(leave(door, number) for number in range(240)))
            await until(lambda: len(asyncio.all_tasks()) <= tasks)
            async with door.connect("echo") as socket:
                await socket.send("still here")
                assert await socket.recv() == "'still here'"

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    assert [record.getMessage() for record in caplog.records if record.levelno > 20] == []


def test_outside_of_a_connection_there_is_nothing_to_cut_and_nothing_to_accept() -> None:
    compat.abort_current()
    with pytest.raises(HTTPVersionNotSupported):
        compat.accept(lambda peer: pytest.fail(f"{peer} was accepted"))
