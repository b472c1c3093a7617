"""Who reads an answer: how many there are, whether anyone came, and when the last has gone.

It refuses to know what they read, and what becomes of an answer that nobody reads.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable


class Readers:
    """They may go and come again within `grace_s` seconds."""

    def __init__(self, grace_s: float) -> None:
        self.never_came = True
        self._grace_s = grace_s
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def join(self) -> None:
        self._count += 1
        self.never_came = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def leave(self, unread: Callable[[], None] | None) -> None:
        """`unread` is called when the last is gone for good."""
        self._count -= 1
        if not self._count and unread is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._grace_s, unread)
