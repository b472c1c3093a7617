"""Whether anyone's answer has a place in a line, and who wants to know: what gives way to answers
begins when it is quiet and ends at the next of them.

It counts, and refuses to know what an answer is.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Quiet:
    """Broken by each `enter`, whole again when each has left."""

    def __init__(self) -> None:
        self._inside = 0
        self._whole = asyncio.Event()
        self._whole.set()
        self._listeners: set[Callable[[], object]] = set()

    @property
    def broken(self) -> bool:
        return self._inside > 0

    def enter(self) -> None:
        self._inside += 1
        self._whole.clear()
        for listener in tuple(self._listeners):
            listener()

    def leave(self) -> None:
        self._inside -= 1
        if not self._inside:
            self._whole.set()

    @contextmanager
    def telling(self, listener: Callable[[], object]) -> Generator[None]:
        """Have it hear of each that enters, at once."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def lasts(self, seconds: float) -> None:
        """Wait until it has been quiet for so long."""
        while True:
            await self._whole.wait()
            entered = asyncio.Event()
            with self.telling(entered.set), suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await entered.wait()
            if not entered.is_set():
                return
