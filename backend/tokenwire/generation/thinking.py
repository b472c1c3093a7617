"""How long a model thinks: from its first thought to what it says or calls next, each time that it
does.

It refuses to know what is thought.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tokenwire.engine.base import Delta


class Thinking:
    """`ms`: how long it has thought before, None where it has not. Where nobody knows (NaN), nobody
    will.
    """

    def __init__(self, ms: float | None = None) -> None:
        self._ms = ms
        self._since: float | None = None

    @property
    def on(self) -> bool:
        """Whether nothing came since the last thought."""
        return self._since is not None

    @property
    def ms(self) -> int | None:
        """Whole milliseconds up to the last step; None where there was no thought, or nobody
        knows.
        """
        return None if self._ms is None or math.isnan(self._ms) else round(self._ms)

    def hear(self, delta: Delta) -> None:
        """A step of the answer, if it thinks or goes on from a thought."""
        now = time.monotonic()
        since = now if self._since is None else self._since
        self._ms = (self._ms or 0.0) + 1000 * (now - since)
        self._since = None if delta.text or delta.calls else now
