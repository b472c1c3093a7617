"""Hypercorn's connections as we need them: they can be cut, asked whether their peers live, and
written to past the layers that need longer for a few bytes than it takes to make them.

It refuses to know what is written.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
import sys
import weakref
from typing import TYPE_CHECKING, Any

import h11
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream
from wsproto.connection import ConnectionState


if TYPE_CHECKING:
    from collections.abc import Sequence


# Bytes that are written at once, and that wait for a peer before whoever sends waits too.
CHUNK = 65_536
_PING = b"\x89\x00"
# Connections that are looked at before others have a turn.
_AT_A_TIME = 256
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


def current_connection() -> TrackedTCPServer | None:
    """The connection that the current task serves."""
    return _current.get()


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


async def ask_silent(ask_s: float, gone_s: float) -> int:
    """Ping each WebSocket whose peer has been silent for `ask_s`, and cut those that have been for
    `gone_s`. Returns how many were cut. To be called again and again, several times in `ask_s`.

    Each peer that lives answers a ping. Hypercorn sends pings and waits for nothing, so one that is
    gone without a word, behind a proxy that still takes its bytes, would stay.
    """
    silent: list[TrackedTCPServer] = []
    for count, connection in enumerate(list(_connections), 1):
        if connection.answers_pings and (silence := _silence_of(connection)) > ask_s:
            if silence > gone_s:
                silent.append(connection)
            elif connection.takes_frames:
                connection.writer.write(_PING)
        if not count % _AT_A_TIME:
            await asyncio.sleep(0)
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
