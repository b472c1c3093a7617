"""A bell that one waits for and many ring; it also wakes who has waited long enough in silence.

One timer for many waits: it is moved when it is due, not at each ring. It refuses to know what is
waited for.
"""

from __future__ import annotations

import asyncio


class Bell:
    """For one who waits at a time, on the running loop. `silence`: seconds."""

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        self._rung = True
        self._wake()

    async def wait(self) -> bool:
        """Wait for a ring, which this takes. False: there was none for `silence` seconds."""
        if not self._rung:
            self._due = self._loop.time() + self._silence
            if self._timer is None:
                self._timer = self._loop.call_at(self._due, self._look)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        rung, self._rung = self._rung, False
        return rung

    def close(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
