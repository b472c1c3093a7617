"""All open WebSockets: one clock for them, one callback that has them write, and the word that the
server ends. A timer and a callback of its own would cost each more than most of what it does. It
refuses to know what they say.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol


if TYPE_CHECKING:
    from collections.abc import Sequence


log = logging.getLogger(__name__)

BEAT_S = 5.0
# Those that are looked at before others have a turn.
_AT_A_TIME = 256


class Peer(Protocol):
    """Who is at the other end of a connection, as `compat.WebSocket` has it."""

    @property
    def heard_at(self) -> float: ...

    @property
    def has_room(self) -> bool: ...

    def write_texts(self, texts: Sequence[str]) -> None: ...

    async def send_texts(self, texts: Sequence[str], seconds: float) -> bool: ...

    def ping(self) -> None: ...

    def close(self, code: int, reason: str = "") -> None: ...

    def abort(self) -> None: ...


class Socket(Protocol):
    def beat(self, now: float) -> None:
        """Do what is due by `now`, on the clock of the loop. Called each `BEAT_S`."""
        ...

    def pump(self, now: float) -> None:
        """Write what there is to say. Never raises."""
        ...

    def drain(self) -> None:
        """The server ends."""
        ...


class Sockets:
    """`run` must be running for them to be looked after."""

    def __init__(self) -> None:
        self.draining = False
        self._open: set[Socket] = set()
        self._awake: list[Socket] = []
        self._loop = asyncio.get_running_loop()

    def add(self, socket: Socket) -> None:
        self._open.add(socket)

    def discard(self, socket: Socket) -> None:
        self._open.discard(socket)

    def wake(self, socket: Socket) -> None:
        """Call its `pump` when all that comes now has come."""
        if not self._awake:
            self._loop.call_soon(self._pump)
        self._awake.append(socket)

    def drain(self) -> None:
        """Say to all, and to all that come yet, that the server ends."""
        self.draining = True
        for socket in tuple(self._open):
            socket.drain()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await self._look_after_all()

    async def _look_after_all(self) -> None:
        # Half a beat on: what falls due before that is nearer to this beat than to the next.
        now = self._loop.time() + BEAT_S / 2
        for count, socket in enumerate(tuple(self._open), 1):
            try:
                socket.beat(now)
            except Exception:  # one of them must not end the server
                log.exception("A WebSocket could not be looked after")
            if not count % _AT_A_TIME:
                await asyncio.sleep(0)

    def _pump(self) -> None:
        awake, self._awake = self._awake, []
        now = self._loop.time()
        for socket in awake:
            socket.pump(now)
