"""What an answer says while there is nothing of it to read: its place in the line and
about how long that waits, its model's stage, that it is alive, that it is not being saved.

It knows when to speak and how often at most; it refuses to know why the answer waits.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tokenwire.engine.models import ModelState
    from tokenwire.generation.admission import Line, Ticket
    from tokenwire.generation.transcript import Transcript


TELL_EVERY_S = 0.25
HEARTBEAT_S = 15.0
# The farther back a place is, the less a step matters and the more of them there are: each is an
# event that is kept.
NEAR = 4
# A resource with long instructions is not repeated at each change of place.
LONG_INSTRUCTIONS = 4096


class Notices:
    """The notices of one answer, until `stop`. `ticket` is set once it has one."""

    def __init__(self, said: Transcript, line: Line) -> None:
        self.ticket: Ticket | None = None
        self._said = said
        self._line = line
        self._later: asyncio.TimerHandle | None = None
        self._model: ModelState | None = None
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True
        # It holds our `moved`: an answer that is forgotten must not wait for the garbage collector.
        self.ticket = None
        if self._later is not None:
            self._later.cancel()

    def moved(self, position: int = 0, length: int = 0) -> None:
        """Its place in the line changed: say so, soon."""
        del length
        if not self._said.begun or self._stopped:
            return
        long = len(self._said.response.instructions or "") > LONG_INSTRUCTIONS
        every = HEARTBEAT_S if long else min(HEARTBEAT_S, TELL_EVERY_S * max(1, position / NEAR))
        wait = self._said.told_at + every - time.monotonic()
        if wait <= 0:
            self.tell()
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + wait
        if self._later is not None:
            if self._later.when() <= due:
                return
            self._later.cancel()
        self._later = loop.call_at(due, self.tell)

    def model_changed(self, state: ModelState) -> None:
        """Its model's state changed while it waits for it, or is being answered by it."""
        before, running = self._model, self._said.response.status == "in_progress"
        # Who is answered by a model that is given up holds it: it goes on as if nothing were.
        goes_on = state.phase == "ready" or (running and state.phase == "draining")
        self._model = None if goes_on else state
        if self.ticket is not None:
            self.ticket.stalled = not goes_on
        if running:
            # All that run are told, so only what a reader must know: it stands still, it goes on.
            if (before is None) != (self._model is None):
                self.tell()
        elif self._model is None:
            return
        elif before is None or before.stage != state.stage:
            self.tell()
        else:
            self.moved()

    def model_ready(self) -> None:
        self._model = None
        if self.ticket is not None:
            self._line.begin(self.ticket)

    def beat(self) -> None:
        """Repeat the status after a silence: clients' watchdogs count only events."""
        if time.monotonic() - self._said.told_at >= HEARTBEAT_S:
            self.tell()

    def tell(self) -> None:
        """Say how it stands, now."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._stopped or not self._said.begun:
            return
        extra: dict[str, object] = {}
        if self.ticket is not None and (position := self.ticket.position) is not None:
            wait = self._line.wait_s(self.ticket)
            extra["queue"] = {
                "position": position,
                "length": self._line.waiting,
                "eta_s": None if wait is None else round(wait),
            }
        elif (model := self._model) is not None:
            extra["model"] = {
                "state": model.phase,
                "stage": model.stage,
                "progress": model.progress,
                "detail": model.detail,
            }
        started = self._said.response.status == "in_progress"
        self._said.tell("in_progress" if started else "queued", extra)
