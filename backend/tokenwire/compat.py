"""The few patches to Hypercorn and Quart that long streams need, each pinned by a test. Knows
nothing of Tokenwire.

Pinned to hypercorn 0.18 and quart 0.22; why each is needed stands beside it.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
import sys
import weakref
from typing import TYPE_CHECKING, Any, cast

import h11
import hypercorn.asyncio.run as hypercorn_run
import hypercorn.protocol.ws_stream as hypercorn_ws
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream
from quart import websocket
from quart.asgi import ASGIWebsocketConnection
from quart.wrappers import Websocket
from wsproto.connection import ConnectionState


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, WebsocketScope
    from quart import Quart


INBOUND_FRAMES = 64
GOODBYE_S = 1.0
POLICY_VIOLATION = 1008
# Bytes that are written at once, and that wait for a peer before whoever sends waits too.
CHUNK = 65_536
_WHOLE_TEXT, _TWO_BYTES, _EIGHT_BYTES = 0x81, 126, 127
# The place of `tcpi_last_data_recv`, in milliseconds, in Linux's `struct tcp_info`.
_LAST_DATA_RECEIVED = 52

_connections: weakref.WeakSet[TrackedTCPServer] = weakref.WeakSet()
_current: contextvars.ContextVar[TrackedTCPServer | None] = contextvars.ContextVar(
    "tokenwire_connection", default=None
)


class TrackedTCPServer(TCPServer):
    """Knows itself from inside its own tasks, so that a connection that does not read can be cut.

    Hypercorn's shutdown waits for ever for a client that has stopped reading.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _connections.add(self)
        self.answers_pings = False

    async def run(self) -> None:
        _current.set(self)
        await super().run()

    def abort(self) -> None:
        self.writer.transport.abort()

    @property
    def unsent(self) -> int:
        """Bytes that the peer has not taken yet."""
        return self.writer.transport.get_write_buffer_size()

    @property
    def is_http1(self) -> bool:
        """Whether a WebSocket has the connection for itself, so that its frames are its bytes."""
        return isinstance(self.protocol.protocol, H11Protocol)

    @property
    def takes_frames(self) -> bool:
        """Whether a WebSocket is open here, on our side and on the peer's."""
        protocol = self.protocol.protocol
        stream = protocol.stream if isinstance(protocol, H11Protocol) else None
        return isinstance(stream, WSStream) and stream.connection.state is ConnectionState.OPEN

    @property
    def takes_chunks(self) -> bool:
        """Whether a response without a length is under way here, in HTTP/1.1's chunks."""
        protocol = self.protocol.protocol
        if not isinstance(protocol, H11Protocol) or not isinstance(
            protocol.connection, h11.Connection
        ):
            return False
        stream, connection = protocol.stream, protocol.connection
        chunked = connection.our_state is h11.SEND_BODY and connection.their_http_version == b"1.1"
        return chunked and isinstance(stream, HTTPStream) and stream.scope["method"] != "HEAD"

    async def put(self, data: bytes, seconds: float) -> bool:
        """Write whole frames. False: the peer did not make room in time, or is gone."""
        self.writer.write(data)
        if self.unsent > CHUNK or self.writer.transport.is_closing():
            try:
                async with asyncio.timeout(seconds):
                    await self.writer.drain()
            except (TimeoutError, ConnectionError):
                return False
        return True

    async def put_chunk(self, data: bytes, seconds: float) -> bool:
        """Write a piece of the body, as `put`, past Quart, Hypercorn and h11: they need five times
        as long for it as it takes to make it.
        """
        return await self.put(b"%x\r\n%b\r\n" % (len(data), data), seconds)

    @property
    def silence_s(self) -> float:
        """Seconds since the last byte from the peer, as the kernel knows it."""
        peer = self.writer.get_extra_info("socket")
        facts = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
        return int.from_bytes(facts[_LAST_DATA_RECEIVED:], sys.byteorder) / 1000


class PlainWebsocket(Websocket):
    """Sends what it is given and nothing else. Quart's own gives the loop away and asks to be
    accepted for each frame, with new headers; Hypercorn takes six calls to put a few bytes before
    it. Together that was half of what a streamed answer cost. Whoever sends has accepted, and
    yields.
    """

    async def send(self, data: str | bytes) -> None:
        await self._send(data)  # pyright: ignore[reportUnknownMemberType]

    async def send_texts(self, texts: Sequence[str], seconds: float) -> bool:
        """Send text frames, those that fit together in one write. False: the peer did not take
        them in time. What is for a connection that closes is dropped.
        """
        connection = _current.get()
        if connection is None or not connection.is_http1:
            return await self._send_each(texts, seconds)
        for chunk in _chunks(texts):
            if connection.takes_frames and not await connection.put(chunk, seconds):
                return False
        return True

    async def _send_each(self, texts: Sequence[str], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                for text in texts:
                    await self.send(text)
        except TimeoutError:
            return False
        return True


def _chunks(texts: Sequence[str]) -> Iterator[bytes]:
    """The frames of the texts, joined to about CHUNK bytes each."""
    parts: list[bytes] = []
    size = 0
    for text in texts:
        payload = text.encode()
        parts += (_head(len(payload)), payload)
        size += len(payload)
        if size >= CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


def _head(size: int) -> bytes:
    """What stands before a whole text frame from a server (RFC 6455, section 5.2)."""
    if size < _TWO_BYTES:
        return bytes((_WHOLE_TEXT, size))
    if size < 1 << 16:
        return bytes((_WHOLE_TEXT, _TWO_BYTES)) + size.to_bytes(2, "big")
    return bytes((_WHOLE_TEXT, _EIGHT_BYTES)) + size.to_bytes(8, "big")


class BoundedWebsocketConnection(ASGIWebsocketConnection):
    """Quart copies inbound frames into a queue without limit; this one has a limit and says so.

    It also takes what still comes after the handler's end. Hypercorn's reader waits for ever for a
    place in the queue of a handler that is gone, and never sees the disconnect.
    """

    def __init__(self, app: Quart, scope: WebsocketScope) -> None:
        super().__init__(app, scope)
        self._frames: asyncio.Queue[str | bytes] = asyncio.Queue(INBOUND_FRAMES)
        self.queue = self._frames
        self._flooded = False
        self._gone = False

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if (connection := _current.get()) is not None:
            connection.answers_pings = True
        await super().__call__(receive, send)
        if not self._accepted or self._gone:
            return
        try:
            async with asyncio.timeout(GOODBYE_S):
                if self._flooded and not self._closed:
                    await self.close_connection(send, POLICY_VIOLATION, "too many frames")
                await _disconnected(receive)
        except TimeoutError:
            abort_current()
            await _disconnected(receive)

    async def send_data(self, send: ASGISendCallable, data: str | bytes) -> None:
        text = isinstance(data, str)
        await send(
            {
                "type": "websocket.send",
                "bytes": None if text else data,
                "text": data if text else None,
            }
        )

    async def handle_messages(self, receive: ASGIReceiveCallable) -> None:
        while True:
            event = await receive()
            if event["type"] == "websocket.receive":
                # An empty binary frame is b"", which `or` would turn into None.
                text = event.get("text")
                message = text if text is not None else (event.get("bytes") or b"")
                try:
                    self._frames.put_nowait(message)
                except asyncio.QueueFull:
                    # Waiting here would also block the notice of a disconnect.
                    self._flooded = True
                    return
            elif event["type"] == "websocket.disconnect":
                self._gone = True
                return


async def _disconnected(receive: ASGIReceiveCallable) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


def install(app: Quart) -> None:
    """Apply the patches. Idempotent."""
    hypercorn_run.TCPServer = TrackedTCPServer  # pyright: ignore[reportPrivateImportUsage]
    # permessage-deflate can't be switched off; it costs 77 KiB and half the speed per connection.
    hypercorn_ws.server_extensions_handshake = _no_extensions  # pyright: ignore[reportPrivateImportUsage]
    app.asgi_websocket_class = BoundedWebsocketConnection
    app.websocket_class = PlainWebsocket


def current_websocket() -> PlainWebsocket:
    """The WebSocket that the current task serves, without the proxy that looks it up each time."""
    return cast("Any", websocket)._get_current_object()


def chunked_connection() -> TrackedTCPServer | None:
    """The connection that the current response can write to by `put_chunk`, once its headers are
    sent; None where whoever makes the body must yield it.
    """
    connection = _current.get()
    return connection if connection is not None and connection.takes_chunks else None


def abort_current() -> None:
    """Cut the connection that the current task serves, without a goodbye."""
    if (connection := _current.get()) is not None:
        connection.abort()


def unsent() -> int:
    """Bytes that peers have not taken yet, over all connections."""
    return sum(connection.unsent for connection in _connections)


def abort_stalled() -> int:
    """Cut every connection with unsent bytes. Returns how many."""
    return _abort([connection for connection in _connections if connection.unsent])


def abort_silent(seconds: float) -> int:
    """Cut every WebSocket whose peer has been silent for so long. Returns how many.

    Each peer that lives answers a ping with a pong. Hypercorn sends pings and waits for nothing,
    so one that is gone without a word, behind a proxy that still takes its bytes, would stay.
    """
    silent = [c for c in list(_connections) if c.answers_pings and _silence_of(c) > seconds]
    return _abort(silent)


def _abort(connections: Sequence[TrackedTCPServer]) -> int:
    for connection in connections:
        connection.abort()
    return len(connections)


def _silence_of(connection: TrackedTCPServer) -> float:
    try:
        return connection.silence_s
    except (OSError, ValueError):  # closed already; uvloop's socket then has the number -1
        return 0.0


def _no_extensions(*_: object) -> None: ...
