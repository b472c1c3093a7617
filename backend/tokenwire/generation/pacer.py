"""The one clock that turns pending text into events: at once for a generation that has said nothing
for a while, at the next tick for any other.

More text per event while the loop is busy, so that load costs less per token. It refuses to know
what a flush does.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


INTERVAL_S = 0.010
# Never slower than 8 visible updates a second per stream.
SLOWEST_S = 0.125


class Flushable(Protocol):
    @property
    def told_at(self) -> float:
        """When it said something last, on the monotonic clock."""
        ...

    def flush(self) -> None: ...


class Pacer:
    """Flushes what was marked, each at most every INTERVAL_S."""

    def __init__(self) -> None:
        self._dirty: set[Flushable] = set()
        self._marked = asyncio.Event()
        self._interval = INTERVAL_S

    def mark(self, generation: Flushable) -> None:
        if time.monotonic() - generation.told_at >= self._interval:
            generation.flush()
        else:
            self._dirty.add(generation)
        # In either case, as the ticks tell how busy the loop is.
        self._marked.set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._marked.wait()
            due = loop.time() + self._interval
            await asyncio.sleep(self._interval)
            late = loop.time() - due
            self._interval = min(SLOWEST_S, max(INTERVAL_S, INTERVAL_S + 2 * late))
            self._marked.clear()
            self._flush()

    def _flush(self) -> None:
        # Not in `run`, which would hold the last ones until the next tick.
        dirty, self._dirty = self._dirty, set()
        for generation in dirty:
            generation.flush()
