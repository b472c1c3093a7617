"""The patches to Hypercorn and Quart, each on a live server: what breaks without it stays cured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvloop
import websockets
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config
from hypercorn.typing import WebsocketScope
from quart import Quart, websocket
from websockets.exceptions import ConnectionClosed

from support.waiting import until
from tokenwire import compat
from tokenwire.compat import connections
from tokenwire.serve import listen


PING_S = 0.05


@dataclass(frozen=True)
class Door:
    """A server with a few sockets to talk to, and what its handlers saw."""

    port: int
    deaf: asyncio.Event = field(default_factory=asyncio.Event)
    queues: list[asyncio.Queue[str | bytes]] = field(
        default_factory=list[asyncio.Queue[str | bytes]]
    )
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def connect(self, path: str) -> websockets.connect:
        return websockets.connect(f"ws://127.0.0.1:{self.port}/{path}")

    async def connect_unread(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client that shakes hands and then reads nothing."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1024)
        writer.write(
            f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        return reader, writer


def waiting(door: Door) -> Callable[[], Awaitable[str]]:
    async def waits() -> str:
        await door.deaf.wait()
        return "done"

    return waits


def sockets(app: Quart, door: Door) -> None:
    async def echo() -> None:
        while True:
            await websocket.send(repr(await websocket.receive()))

    async def deaf() -> None:
        await websocket.accept()  # pyright: ignore[reportUnknownMemberType]
        try:
            await door.deaf.wait()
        finally:
            door.left.set()

    async def talk() -> None:
        await websocket.accept()  # pyright: ignore[reportUnknownMemberType]
        try:
            while True:
                # Ours does not give the loop away, so that this is for whoever sends.
                await asyncio.sleep(0)
                await websocket.send("x" * 65_536)
        finally:
            door.left.set()

    async def cut() -> None:
        await websocket.receive()
        compat.abort_current()
        await door.deaf.wait()

    async def refuse() -> None:
        await websocket.accept()  # pyright: ignore[reportUnknownMemberType]
        await websocket.close(4400)
        door.left.set()

    for handler in (echo, deaf, talk, cut, refuse):
        app.add_websocket(f"/{handler.__name__}", handler.__name__, handler)

    class Seen(compat.BoundedWebsocketConnection):
        """Shows its queue to the test."""

        def __init__(self, app: Quart, scope: WebsocketScope) -> None:
            super().__init__(app, scope)
            door.queues.append(self._frames)

    app.asgi_websocket_class = Seen


def plain_sockets(app: Quart, door: Door) -> None:
    async def say() -> None:
        while True:
            sizes = [int(size) for size in str(await websocket.receive()).split()]
            texts = ["\u00e9" * (size // 2) + "x" * (size % 2) for size in sizes]
            assert await compat.current_websocket().send_texts(texts, 5)

    async def pour() -> None:
        await websocket.accept()  # pyright: ignore[reportUnknownMemberType]
        while await compat.current_websocket().send_texts(["x" * 65_536] * 4, 0.05):
            pass
        door.left.set()
        await door.deaf.wait()

    for handler in (say, pour):
        app.add_websocket(f"/{handler.__name__}", handler.__name__, handler)


@asynccontextmanager
async def open_door() -> AsyncGenerator[Door, None]:
    app = Quart("door")
    compat.install(app)
    compat.install(app)
    listener = listen("127.0.0.1", 0)
    door = Door(listener.getsockname()[1])
    sockets(app, door)
    plain_sockets(app, door)
    app.add_url_rule("/waits", "waits", waiting(door))
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 0.2
    config.errorlog = None
    config.websocket_ping_interval = None
    stop = asyncio.Event()
    async with asyncio.timeout(30):
        serving = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait))
        try:
            yield door
        finally:
            door.deaf.set()
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


async def flood(socket: websockets.ClientConnection) -> None:
    while True:
        await socket.send("x" * 1000)


async def flood_unread(writer: asyncio.StreamWriter) -> None:
    masked = b"\x81\xfe\x03\xe8" + bytes(4) + b"x" * 1000
    while True:
        writer.write(masked)
        await writer.drain()


async def test_a_flood_of_frames_that_nobody_takes_is_closed_and_kept_in_bounds() -> None:
    async with open_door() as door, door.connect("echo") as other:
        async with door.connect("deaf") as socket:
            with pytest.raises(ConnectionClosed) as caught:
                await flood(socket)
            await door.left.wait()

        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008
        assert max(queue.qsize() for queue in door.queues) <= compat.INBOUND_FRAMES
        await other.send("still here")
        assert await other.recv() == "'still here'"


@pytest.mark.parametrize("path", ["deaf", "refuse"])
async def test_a_flood_that_ignores_its_closing_is_cut_off(path: str) -> None:
    async with open_door() as door:
        _, writer = await door.connect_unread(path)
        with pytest.raises(ConnectionError):
            await flood_unread(writer)
        writer.transport.abort()

        assert door.left.is_set()
        assert max(queue.qsize() for queue in door.queues) <= compat.INBOUND_FRAMES


async def test_a_client_that_does_not_read_can_be_cut_without_hurting_others() -> None:
    async with open_door() as door, door.connect("echo") as other:
        _, writer = await door.connect_unread("talk")
        await until(lambda: compat.unsent() > 0)

        assert not door.left.is_set()
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
        # Pings go out between them meanwhile, and are answered.
        for _ in range(5):
            await socket.send(" ".join(map(str, sizes)))
            for size in sizes:
                assert len(str(await socket.recv()).encode()) == size
            await asyncio.sleep(PING_S)


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


async def test_a_peer_that_answers_no_ping_is_cut_and_one_that_does_is_not() -> None:
    async with open_door() as door, door.connect("echo") as alive:
        _, writer = await door.connect_unread("deaf")
        cut = 0
        # Its kernel still takes what is sent, as that of a proxy would.
        for _ in range(14):
            cut += await compat.ask_silent(PING_S, 6 * PING_S)
            await asyncio.sleep(PING_S)

        assert cut == 1
        await door.left.wait()
        await alive.send("still here")
        assert await alive.recv() == "'still here'"
        writer.transport.abort()


def test_a_connection_that_is_closed_already_is_not_asked_on_the_loop_that_we_run() -> None:
    async def main() -> None:
        async with open_door() as door:
            before = set(connections._connections)  # pyright: ignore[reportPrivateUsage]
            async with door.connect("echo") as socket:
                await socket.send("here")
                await socket.recv()
                (connection,) = set(connections._connections) - before  # pyright: ignore[reportPrivateUsage]
            await until(connection.writer.transport.is_closing)
            await asyncio.sleep(0.05)
            assert connections._silence_of(connection) == 0.0  # pyright: ignore[reportPrivateUsage]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def test_a_silent_download_is_not_taken_for_dead() -> None:
    async with open_door() as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET /waits HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        for _ in range(6):
            await asyncio.sleep(PING_S)
            assert await compat.ask_silent(PING_S, 5 * PING_S) == 0
        door.deaf.set()
        assert await reader.readuntil(b"\r\n") == b"HTTP/1.1 200 \r\n"
        writer.transport.abort()


async def test_with_nothing_unsent_nobody_is_cut() -> None:
    async with open_door() as door, door.connect("echo") as socket:
        assert compat.unsent() == 0
        assert compat.abort_stalled() == 0
        await socket.send("still here")
        assert await socket.recv() == "'still here'"


def test_outside_of_a_connection_there_is_nothing_to_cut() -> None:
    compat.abort_current()
