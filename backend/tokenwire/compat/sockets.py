"""A WebSocket that is served past Quart and Hypercorn: they shake hands and check who asks; from
then on its frames are bytes between one object of ours and the transport. It refuses to know what
is said.

Quart and Hypercorn keep five tasks, four queues and the request for each WebSocket, 30 KiB while
nothing is said, and take six calls and four awaits for a frame.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.frame_protocol import CloseReason


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsproto.events import Event


# Bytes that are written at once, and that wait for a peer before whoever sends waits too.
CHUNK = 65_536
GOODBYE_S = 1.0
_PING = b"\x89\x00"
_WHOLE_TEXT, _TWO_BYTES, _EIGHT_BYTES = 0x81, 126, 127


class Server(Protocol):
    """Who serves a WebSocket."""

    def received(self, frame: str | bytes) -> None:
        """A whole message came."""
        ...

    def ended(self) -> None:
        """Nothing more comes or goes. May be called more than once."""
        ...

    async def serve(self) -> None:
        """Its life; the WebSocket is closed after it."""
        ...


class _Nobody:
    """In the place of who has served: they know each other, and would wait for the collector."""

    def received(self, frame: str | bytes) -> None: ...

    def ended(self) -> None: ...

    async def serve(self) -> None: ...


class WebSocket(asyncio.Protocol):
    """One WebSocket, accepted. `most`: the bytes of the longest message that it takes."""

    server: Server

    def __init__(self, transport: asyncio.Transport, most: int) -> None:
        self._transport = transport
        self._frames = Connection(ConnectionType.SERVER)
        self._most = most
        # Whether frames may go out: neither side has closed.
        self.open = True
        self._parts: list[str | bytes] = []
        self._size = 0
        self._clock = asyncio.get_running_loop().time
        # When a byte came from the peer last, on the clock of the loop.
        self.heard_at = self._clock()
        self._room: asyncio.Future[None] | None = None
        self._full = self._lost = False
        self._gone: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Have it served to its end, and say goodbye."""
        self._transport.resume_reading()
        await self.server.serve()
        self.close(CloseReason.NORMAL_CLOSURE)
        await self._goodbye()
        self.server = _Nobody()

    # What comes in

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._clock()
        if self._frames.state in (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING):
            self._frames.receive_data(data)
            for event in self._frames.events():
                self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, (TextMessage, BytesMessage)):
            if self.open:
                self._add(event)
        elif isinstance(event, Ping):
            # Who does not read is owed no answer.
            if self.has_room:
                self._transport.write(self._frames.send(event.response()))
        elif isinstance(event, CloseConnection):
            # The peer's own, or what is wrong with its frames.
            self.open = self._frames.state is ConnectionState.OPEN
            if self._frames.state is ConnectionState.REMOTE_CLOSING:
                self._transport.write(self._frames.send(event.response()))
            self.close(event.code, event.reason or "")
            self._transport.close()

    def _add(self, event: TextMessage | BytesMessage) -> None:
        part = event.data if isinstance(event, TextMessage) else bytes(event.data)
        self._size += len(part if isinstance(part, bytes) or part.isascii() else part.encode())
        if self._size > self._most:
            self.close(CloseReason.MESSAGE_TOO_BIG)
            return
        # A message may come in any number of empty fragments, which have no size.
        if part or not self._parts:
            self._parts.append(part)
        if event.message_finished:
            parts, self._parts, self._size = self._parts, [], 0
            if len(parts) > 1:
                part = type(part)().join(parts)  # pyright: ignore[reportArgumentType, reportCallIssue]
            self.server.received(part)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost, self.open = True, False
        self._free()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        self._frames.receive_data(None)
        self.server.ended()

    # What goes out

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._free()

    def _free(self) -> None:
        """Let go who waits for room: there is some, or nothing more goes out."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    @property
    def has_room(self) -> bool:
        """Whether `write_texts` may be called: the peer takes what it is sent."""
        return not self._full and self.open

    def write_texts(self, texts: Sequence[str]) -> None:
        """Write text frames now, where there is room."""
        if len(texts) == 1:
            self._transport.write(_frame(texts[0]))
            return
        for chunk in _chunks(texts):
            self._transport.write(chunk)

    async def send_texts(self, texts: Sequence[str], seconds: float) -> bool:
        """Send text frames, those that fit together in one write. False: the peer did not take
        them in time. What is for a connection that closes is dropped.
        """
        for chunk in _chunks(texts):
            if not self.open:
                break
            self._transport.write(chunk)
            if self._full and not await self._taken(seconds):
                return False
        return True

    async def _taken(self, seconds: float) -> bool:
        self._room = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._room
        except TimeoutError:
            return False
        finally:
            self._room = None
        return True

    def ping(self) -> None:
        """Ask the peer whether it is there. Each that lives answers."""
        if self.has_room:
            self._transport.write(_PING)

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye. Who serves it is told that it has ended; a second call does nothing."""
        if self.open:
            self.open = False
            self._transport.write(self._frames.send(CloseConnection(code, reason)))
        self._free()
        self.server.ended()

    def abort(self) -> None:
        """Cut it, without a goodbye."""
        self._transport.abort()

    async def _goodbye(self) -> None:
        """Give what was written and the peer's own goodbye a moment."""
        if not self._lost:
            self._gone = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._gone], timeout=GOODBYE_S)


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


_newest: tuple[str, bytes] = ("", b"\x81\0")


def _frame(text: str) -> bytes:
    """A text frame. What many are sent in one breath is made once."""
    global _newest
    if text is _newest[0]:
        return _newest[1]
    payload = text.encode()
    frame = _head(len(payload)) + payload
    _newest = (text, frame)
    return frame


def _head(size: int) -> bytes:
    """What stands before a whole text frame from a server (RFC 6455, section 5.2)."""
    if size < _TWO_BYTES:
        return bytes((_WHOLE_TEXT, size))
    if size < 1 << 16:
        return bytes((_WHOLE_TEXT, _TWO_BYTES)) + size.to_bytes(2, "big")
    return bytes((_WHOLE_TEXT, _EIGHT_BYTES)) + size.to_bytes(8, "big")
