"""Quart's WebSockets as we need them: without what each message costs there, and with a bound on
what waits. It refuses to know what is said.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import WSStream
from quart import Quart, websocket
from quart.asgi import ASGIWebsocketConnection
from quart.wrappers import Websocket
from wsproto.connection import Connection as WSConnection
from wsproto.connection import ConnectionState

from tokenwire.compat.connections import CHUNK, abort_current, current_connection


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, WebsocketScope

    from tokenwire.compat.connections import TrackedTCPServer


INBOUND_FRAMES = 64
GOODBYE_S = 1.0
POLICY_VIOLATION = 1008
_WHOLE_TEXT, _TWO_BYTES, _EIGHT_BYTES = 0x81, 126, 127


class PlainWebsocket(Websocket):
    """Sends what it is given and nothing else. Quart's own gives the loop away and asks to be
    accepted for each frame, with new headers; Hypercorn takes six calls to put a few bytes before
    it. Together that was half of what a streamed answer cost. Whoever sends has accepted, and
    yields.
    """

    async def send(self, data: str | bytes) -> None:
        await self._send(data)  # pyright: ignore[reportUnknownMemberType]

    # Where frames can be written straight to: they are the connection's own bytes.
    connection: TrackedTCPServer | None = None
    _transport: asyncio.WriteTransport
    _protocol: WSConnection

    def go_straight(self) -> None:
        """Find out where this one's frames go. In the task that serves it, once it is accepted."""
        connection = current_connection()
        protocol = connection.protocol.protocol if connection is not None else None
        stream = protocol.stream if isinstance(protocol, H11Protocol) else None
        if connection is not None and isinstance(stream, WSStream):
            self.connection, self._protocol = connection, stream.connection
            self._transport = connection.writer.transport

    @property
    def has_room(self) -> bool:
        """Whether `write_texts` may be called: the peer takes what it is sent."""
        return (
            self.connection is not None
            and self._protocol.state is ConnectionState.OPEN
            and self._transport.get_write_buffer_size() <= CHUNK
        )

    def write_texts(self, texts: Sequence[str]) -> None:
        """Write text frames now, where there is room."""
        for chunk in _chunks(texts):
            self._transport.write(chunk)

    async def send_texts(self, texts: Sequence[str], seconds: float) -> bool:
        """Send text frames, those that fit together in one write. False: the peer did not take
        them in time. What is for a connection that closes is dropped.
        """
        if (connection := self.connection) is None:
            return await self._send_each(texts, seconds)
        for chunk in _chunks(texts):
            open = self._protocol.state is ConnectionState.OPEN
            if open and not await connection.put(chunk, seconds):
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
    if len(texts) == 1:
        payload = texts[0].encode()
        yield _head(len(payload)) + payload
        return
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
        if (connection := current_connection()) is not None:
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


def current_websocket() -> PlainWebsocket:
    """The WebSocket that the current task serves, for use outside of it too."""
    found = cast("PlainWebsocket", cast("Any", websocket)._get_current_object())
    found.go_straight()
    return found
