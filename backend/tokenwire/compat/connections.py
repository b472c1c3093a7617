"""Hypercorn's connections as we need them: they can be cut, and
written to past the layers that need longer for a few bytes than it takes to make them.

It refuses to know what is written.
"""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from typing import TYPE_CHECKING, Any

import h11
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import RawData
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream
from werkzeug.exceptions import HTTPVersionNotSupported
from wsproto.utilities import generate_accept_token

from tokenwire.compat.sockets import CHUNK, WebSocket


if TYPE_CHECKING:
    from collections.abc import Callable

    from hypercorn.events import Event

    from tokenwire.compat.sockets import Server


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
        self._transport: asyncio.Transport = self.writer.transport  # pyright: ignore[reportAttributeAccessIssue]
        self.websocket: WebSocket | None = None

    async def run(self) -> None:
        _current.set(self)
        try:
            await super().run()
            if self.websocket is not None:
                # What Hypercorn keeps for a request.
                del self.protocol, self._task_group
                await self.websocket.run()
        finally:
            if self.websocket is not None:
                self.abort()

    async def _close(self) -> None:
        if self.websocket is None:
            await super()._close()

    def abort(self) -> None:
        self._transport.abort()

    @property
    def unsent(self) -> int:
        """Bytes that the peer has not taken yet."""
        return self._transport.get_write_buffer_size()

    def accept(self, make: Callable[[WebSocket], Server], subprotocol: str | None) -> None:
        """Accept the WebSocket that was asked for here, and take it over from Hypercorn: nothing of
        it is left but the task of the connection, which serves.
        """
        protocol = self.protocol.protocol
        stream = protocol.stream if isinstance(protocol, H11Protocol) else None
        if not isinstance(protocol, H11Protocol) or not isinstance(stream, WSStream):
            raise HTTPVersionNotSupported("A WebSocket is opened by HTTP/1.1.")
        headers = [
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Accept", generate_accept_token(stream.handshake.key or b"")),
        ]
        if subprotocol is not None:
            headers.append((b"Sec-WebSocket-Protocol", subprotocol.encode()))
        self.websocket = WebSocket(self._transport, stream.buffer.max_length)
        # In a context of its own: with the handler's, each timer would hold all of the request.
        self.websocket.server = contextvars.Context().run(make, self.websocket)
        self._transport.write(
            protocol.connection.send(h11.InformationalResponse(status_code=101, headers=headers))
        )
        # Hypercorn sends and hears nothing more; what it had read and not looked at is ours.
        stream.closed = True
        self._transport.pause_reading()
        self._transport.set_protocol(self.websocket)
        self.protocol = _Forward(self.websocket)  # pyright: ignore[reportAttributeAccessIssue]
        self.reader.feed_eof()

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
        if self.unsent > CHUNK or self._transport.is_closing():
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


class _Forward:
    """In the place of Hypercorn's protocol, while its reader reads to the end."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def handle(self, event: Event) -> None:
        if isinstance(event, RawData):
            self._websocket.data_received(event.data)


def accept(make: Callable[[WebSocket], Server], subprotocol: str | None = None) -> None:
    """Accept the WebSocket that the current Quart handler was called for; `make` makes who serves
    it, once the handler has returned. Raises HTTPVersionNotSupported.
    """
    if (connection := _current.get()) is None:
        raise HTTPVersionNotSupported("There is no connection to take.")
    connection.accept(make, subprotocol)


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
    stalled = [connection for connection in _connections if connection.unsent]
    for connection in stalled:
        connection.abort()
    return len(stalled)
