"""How many tokens of an answer come together: one while few are answered, more under load.

What a token costs in this process is mostly what telling of it costs, whatever it says. vLLM can
tell every few tokens (`stream_interval`), but takes a number for the life of a request. This stands
in its place, is shared by all requests of an engine, and moves with the load. It refuses to import
vLLM.
"""

from __future__ import annotations

import time


# So many answers are told of at each step; each one more adds seconds between two tellings of all,
# up to the most, as nobody is to see less than eight updates a second.
FEW = 32
EACH_S = 0.0006
LONGEST_S = 0.12
# A pause is no step: the engine had nothing to do.
PAUSE_S = 1.0
NEVER = 1 << 30
_INERTIA = 0.1


class StreamInterval:
    """A `stream_interval` for vLLM, which compares it in two ways and no other: with 1, to know
    whether it counts what it has told, and with the tokens that it has not.

    All answers are told of at the same steps, those that are nearest to the times at which it is
    due: then one write holds what all have to say, and the average is right however long a step is.
    """

    def __init__(self) -> None:
        # The tokens that an answer must have to be told of at this step.
        self.tokens = 1
        self._step_s = 0.0
        self._last = 0.0
        self._due = 0.0

    def __gt__(self, other: int) -> bool:
        # Always counted, so that the interval may grow while a request runs.
        return True

    def __le__(self, untold: int) -> bool:
        return self.tokens <= untold

    def stepped(self, running: int, now: float | None = None) -> None:
        """The engine made a step for so many answers."""
        now = time.monotonic() if now is None else now
        took, self._last = now - self._last, now
        if took < PAUSE_S:
            self._step_s += _INERTIA * (took - self._step_s) if self._step_s else took
        if now + self._step_s / 2 < self._due:
            self.tokens = NEVER
            return
        self.tokens = 1
        every = min(LONGEST_S, max(0, running - FEW) * EACH_S)
        # From when it was due, or the tellings would fall behind; from now, where they have.
        self._due = max(self._due, now - self._step_s) + every
