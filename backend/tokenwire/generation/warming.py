"""Reading ahead: a warm-up has the engine while nobody is answered by its model. Whoever is sets it
aside; what it has read stays in the cache, and it goes on from there.

It knows turns and patience. What is read, and by whom, it is handed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tokenwire.generation.admission import Line, Ticket


# An agent that warms up waits for its end before it asks: where others are answered all the time,
# that must come all the same.
PATIENCE_S = 10.0


class Warming:
    """One warm-up's turns at the engine."""

    def __init__(self, line: Line, user_id: str) -> None:
        self._turn: asyncio.Timeout | None = None
        self.ticket: Ticket = line.warm(user_id, self._set_aside)

    def _set_aside(self) -> None:
        if self._turn is not None:
            self._turn.reschedule(asyncio.get_running_loop().time())

    async def read(self, read: Callable[[], Awaitable[None]], may: Callable[[], bool]) -> bool:
        """Have it read in as many turns as that takes; False where the next one is too long in
        coming. Each turn but the first begins only if it still `may`.
        """
        again = False
        while await self._comes() and (may() or not again):
            again = True
            self._turn = turn = asyncio.timeout(None)
            try:
                async with turn:
                    await read()
                    return True
            except TimeoutError:
                if not turn.expired():
                    raise
            finally:
                self._turn = None
        return False

    async def _comes(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                # A turn may be taken back before this task has run.
                while not self.ticket.admitted.is_set():
                    await self.ticket.admitted.wait()
        except TimeoutError:
            return False
        return True
