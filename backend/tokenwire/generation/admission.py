"""The line before the engine: who runs next, everyone's place in it and about how long that has to
wait, and its bounds; beside it those who only read ahead, while nobody is answered.

First come, first served for now. It knows people by their ids and nothing else: no model, no
engine.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenwire.errors import RateLimited
from tokenwire.generation.wait import Recent, wait_s


if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenwire.generation.quiet import Quiet


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """How many run at once, and how many may wait: in all and per person."""

    max_running: int = 256
    max_waiting: int = 2048
    max_waiting_per_user: int = 512
    max_warming: int = 64


def _unheard(*_: int) -> None:
    """Who is told nothing."""


class Ticket:
    """One place in the line. `moved(position, length)` is told of changes; position 1 is next.
    `aside` is called when a turn that was given is taken back. Whoever has a turn and finds that
    there is nothing to work with is `stalled`.
    """

    def __init__(
        self,
        user_id: str,
        moved: Callable[[int, int], None] = _unheard,
        aside: Callable[[], None] = _unheard,
    ) -> None:
        self.user_id = user_id
        self.moved = moved
        self.aside = aside
        self.admitted = asyncio.Event()
        self.position: int | None = None
        self.stalled = False
        self.began = False
        # When it was given its turn; once it has begun to work, when it began.
        self.since = 0.0


class Line:
    """A bounded first come, first served line. Whoever is in it, or beside it, breaks the quiet."""

    def __init__(
        self,
        limits: AdmissionLimits,
        quiet: Quiet,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._quiet = quiet
        self._clock = clock
        self._recent = Recent()
        self._running: set[Ticket] = set()
        self._waiting: deque[Ticket] = deque()
        self._warming: deque[Ticket] = deque()

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def enter(
        self, user_id: str, moved: Callable[[int, int], None], *, again: bool = False
    ) -> Ticket:
        """Take a place. Raises RateLimited at the bounds, but for who had a place before (`again`);
        whoever got a ticket must `leave` with it.
        """
        ticket = Ticket(user_id, moved)
        if len(self._running) < self._limits.max_running and not self._waiting:
            self._quiet.enter()
            self._admit(ticket)
            self._let_warm()
            return ticket
        if len(self._waiting) >= self._limits.max_waiting and not again:
            raise RateLimited("The line is full. Try again in a moment.")
        own = sum(other.user_id == user_id for other in self._waiting)
        if own >= self._limits.max_waiting_per_user and not again:
            raise RateLimited(f"You already have {own} requests in the line.")
        self._quiet.enter()
        self._waiting.append(ticket)
        ticket.position = len(self._waiting)
        return ticket

    def begin(self, ticket: Ticket) -> None:
        """What its turn was for begins now: what it waited for before says nothing of how long that
        takes. Idempotent.
        """
        ticket.stalled = False
        if not ticket.began:
            ticket.began, ticket.since = True, self._clock()

    def wait_s(self, ticket: Ticket) -> float | None:
        """About how long it has yet to wait for its turn; None where that is not known."""
        if ticket.position is None or all(other.stalled for other in self._running):
            return None
        now = self._clock()
        ages = [now - other.since for other in self._running]
        return wait_s(ticket.position, ages, self._recent.mean)

    def warm(self, user_id: str, aside: Callable[[], None]) -> Ticket:
        """Take a place beside the line: its turn is while nobody is answered or waits for that, one
        at a time, and ends by `aside` when someone comes. Raises RateLimited at the bound.
        """
        if len(self._warming) >= self._limits.max_warming:
            raise RateLimited("Too many prompts are being read ahead. Try again in a moment.")
        ticket = Ticket(user_id, aside=aside)
        self._quiet.enter()
        self._warming.append(ticket)
        self._let_warm()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give up the place, waiting or running. Idempotent."""
        if ticket in self._running:
            self._running.discard(ticket)
            if ticket.began:
                self._recent.add(self._clock() - ticket.since)
        elif ticket in self._waiting:
            self._waiting.remove(ticket)
        elif ticket in self._warming:
            self._warming.remove(ticket)
        else:
            return
        self._quiet.leave()
        while self._waiting and len(self._running) < self._limits.max_running:
            self._admit(self._waiting.popleft())
        for position, other in enumerate(self._waiting, 1):
            if other.position != position:
                other.position = position
                other.moved(position, len(self._waiting))
        self._let_warm()

    def _admit(self, ticket: Ticket) -> None:
        ticket.position = None
        ticket.since = self._clock()
        self._running.add(ticket)
        ticket.admitted.set()

    def _let_warm(self) -> None:
        """Give the first who reads ahead a turn, or take it back."""
        quiet = not self._running and not self._waiting
        for index, ticket in enumerate(self._warming):
            if quiet and index == 0:
                ticket.admitted.set()
            elif ticket.admitted.is_set():
                ticket.admitted.clear()
                ticket.aside()
