"""A cable before a server that a test can cut: a TCP port that passes bytes on, all of them or so
many.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class Cable:
    """`most`: how many bytes of the server the next connection passes, after the head of its reply,
    before it is cut. `deaf`: the next connection passes the head only. `passed`: the bytes after
    the head that the last connection passed.
    """

    server_url: str
    port: int = 0
    most: int | None = None
    deaf: bool = False
    passed: int = 0
    connections: int = 0
    _listener: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])
    _stalled: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def plug(self) -> None:
        self._listener = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """End what is connected; it may connect again."""
        for writer in self._open:
            writer.transport.abort()

    def stall(self) -> None:
        """Nothing more of the server comes through what is connected."""
        self._stalled |= self._open

    def unplug(self) -> None:
        """Cut, and refuse to connect until it is plugged again."""
        if self._listener is not None:
            self._listener.close()
        self.cut()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        most, self.most = self.most, None
        self.passed = 0
        self.connections += 1
        where = urlsplit(self.server_url)
        server_reader, server_writer = await asyncio.open_connection(where.hostname, where.port)
        ends = {writer, server_writer}
        self._open |= ends
        if self.deaf:
            self._stalled.add(writer)
            self.deaf = False
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._up(reader, server_writer))
                tasks.create_task(self._down(server_reader, writer, most))
        finally:
            self._open -= ends

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # one end is gone
            while chunk := await reader.read(65_536):
                writer.write(chunk)
        writer.close()

    async def _down(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            writer.write(await reader.readuntil(b"\r\n\r\n"))
            left = most
            while left != 0 and (chunk := await reader.read(left or 65_536)):
                if writer not in self._stalled:
                    writer.write(chunk)
                    self.passed += len(chunk)
                left = None if left is None else left - len(chunk)
        writer.close()


@asynccontextmanager
async def cable_to(url: str) -> AsyncGenerator[Cable, None]:
    cable = Cable(url)
    await cable.plug()
    try:
        yield cable
    finally:
        cable.unplug()
