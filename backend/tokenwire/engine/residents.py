"""The engines that are in memory: who is next to be started and who has to go for it, when one's
time is over, and how one goes, which is never while someone holds it.

It refuses to start an engine, and to know what one is made of.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenwire.errors import ModelUnavailable


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tokenwire.engine.base import RunningEngine
    from tokenwire.engine.slots import Slot, Slots


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`max_loaded` engines at once. `fits` says in a sentence why an engine of so many bytes never
    fits this machine, `free` why it doesn't now, beside engines that hold so many; None, if it
    does. `keep_alive_s` is how long a model stays that nobody uses, where nothing else was set for
    it; None is until its room is wanted. `computing` hears how many engines are in use, whenever
    that changes.
    """

    max_loaded: int = 4
    keep_alive_s: float | None = None
    fits: Callable[[int], str | None] = lambda _: None
    free: Callable[[int, int], str | None] = lambda _, __: None
    computing: Callable[[int], None] = lambda _: None


class Residents:
    """All engines in memory."""

    def __init__(self, slots: Slots, bounds: Bounds, tasks: asyncio.TaskGroup) -> None:
        self._slots = slots
        self._bounds = bounds
        self._tasks = tasks
        self._changed = asyncio.Event()
        # Who waits for room, in the order of asking, and who has it and is not there yet: one at a
        # time, so that each sees what the others have taken.
        self._line: list[Slot] = []
        self._starting: Slot | None = None
        self._computing = 0
        self.closed = False

    @asynccontextmanager
    async def room(self, wanted: Slot) -> AsyncGenerator[None]:
        """Open when there is room for it, and nobody else is started while it is. Raises
        ModelUnavailable when no one could make enough room.

        Each in its turn; but who fits beside all that are there, and beside each who waits, need
        not wait for answers that these wait for.
        """
        self._line.append(wanted)
        try:
            while self._starting is not None or not self._has_room(wanted):
                self._changed.clear()
                await self._changed.wait()
            self._starting = wanted
        finally:
            self._line.remove(wanted)
            self._look_again()
        try:
            yield
        finally:
            self._starting = None
            self._look_again()

    def leave(self, slot: Slot) -> None:
        """Unload it as soon as nobody holds it. No one is given it any more."""
        if slot.leaving or slot.engine is None:
            return
        slot.leaving = True
        slot.stays.clear()
        waits = "It is unloaded when the answers that it makes have ended" if slot.held else None
        self._slots.set(slot, phase="draining", stage=None, progress=None, detail=waits)
        if not slot.held:
            self._go(slot)

    def stay(self, slot: Slot) -> None:
        """Keep it after all, if it has not gone yet."""
        if slot.leaving and slot.held:
            slot.leaving = False
            self._slots.rest(slot, "ready")
            slot.stays.set()
            self._look_again()

    def taken(self, slot: Slot) -> bool:
        """Someone holds it from now on: true."""
        slot.leases += 1
        self._count()
        return True

    def rested(self, slot: Slot, *, held: bool) -> None:
        """Someone let go of it, who `held` it or had waited for it. When nobody holds it, it goes
        if it has to, or in its time.
        """
        slot.leases -= held
        self._count()
        slot.used_at = time.monotonic()
        if slot.held or slot.engine is None:
            return
        if slot.leaving:
            self._go(slot)
        elif (after := self._keep_alive(slot)) is not None:
            if slot.timer is not None:
                slot.timer.cancel()
            loop = asyncio.get_running_loop()
            slot.timer = loop.call_later(after, self._idle, slot, slot.engine)

    async def unload(self, slot: Slot) -> None:
        if slot.timer is not None:
            slot.timer.cancel()
        if (engine := slot.engine) is None:
            return
        slot.engine = None
        await end(engine)
        slot.leaving = False
        # Someone may have asked for it again meanwhile.
        if slot.work is None:
            self._slots.rest(slot, "unloaded")
        slot.stays.set()
        self._look_again()

    def bury(self, slot: Slot) -> bool:
        """Forget a dead engine. Whether there was one."""
        if (engine := slot.engine) is None or slot.alive:
            return False
        log.error("The engine of %s died.", slot.id)
        slot.engine, slot.leaving, slot.promised = None, False, 0
        slot.stays.set()
        self._look_again()
        if not self.closed:
            self._tasks.create_task(end(engine), name=f"bury {slot.id}")
            self._slots.rest(slot, "unloaded")
        return True

    def _count(self) -> None:
        computing = sum(slot.leases > 0 for slot in self._slots)
        if computing != self._computing:
            self._computing = computing
            self._bounds.computing(computing)

    def _look_again(self) -> None:
        """What is in memory changed, or who waits for room."""
        self._changed.set()

    def _has_room(self, wanted: Slot) -> bool:
        # It takes more where more is free.
        self._slots.weigh(wanted)
        if self._line[0] is not wanted:
            return self._slips_in(wanted)
        others = self._others(wanted)
        if (why := self._full(wanted, others)) is None:
            return True
        self._make_room(wanted, others, why)
        return False

    def _slips_in(self, wanted: Slot) -> bool:
        """Whether it takes nothing from those who wait before it."""
        there = self._others(wanted)
        stay = [slot for slot in there if not slot.leaving]
        before = self._line[: self._line.index(wanted)]
        beside = (there, *([*stay, slot] for slot in before))
        return all(self._full(wanted, others) is None for others in beside)

    def _make_room(self, wanted: Slot, others: list[Slot], why: str) -> None:
        """Unload the idle one used longest ago; where all are in use, one that is given to nobody
        any more.
        """
        movable = [slot for slot in others if not slot.state.info.pinned]
        going = [slot for slot in others if slot.leaving]
        if not movable and not going:
            raise ModelUnavailable(why)
        if not going:
            going = [min(movable, key=_rank)]
            self.leave(going[0])
        if busy := [slot.id for slot in going if slot.held]:
            detail = f"Waiting for answers of {', '.join(busy)} to end: {_lower(why)}"
            self._slots.set(wanted, stage="room", progress=None, detail=detail)

    def _full(self, wanted: Slot, others: list[Slot]) -> str | None:
        """Why there is no room for it beside these."""
        if len(others) >= self._bounds.max_loaded:
            most = self._bounds.max_loaded
            return f"At most {most} models are loaded at once (the setting max_loaded_models)."
        if (need := wanted.state.need) is None:
            return None
        if need.problem is not None:
            raise ModelUnavailable(need.problem)
        held = sum(slot.state.need.bytes for slot in others if slot.state.need)
        return self._bounds.free(need.bytes, held)

    def _others(self, wanted: Slot) -> list[Slot]:
        # One that is being ended has its memory still.
        return [s for s in self._slots if s is not wanted and (s.engine is not None or s.leaving)]

    def _keep_alive(self, slot: Slot) -> float | None:
        info = slot.state.info
        if info.pinned:
            return None
        return self._bounds.keep_alive_s if info.keep_alive_s is None else info.keep_alive_s

    def _idle(self, slot: Slot, engine: RunningEngine) -> None:
        # Each use since has begun the time anew.
        if slot.engine is engine and not slot.held and not slot.wanted:
            self.leave(slot)

    def _go(self, slot: Slot) -> None:
        if not self.closed:
            self._tasks.create_task(self.unload(slot), name=f"unload {slot.id}")


async def end(engine: RunningEngine) -> None:
    """End an engine, whatever it does."""
    try:
        await engine.close()
    except Exception:  # a task's top: an engine that ends badly must not end the server
        log.exception("An engine did not end well")


def _rank(slot: Slot) -> tuple[bool, float]:
    """Who goes first: the idle before those in use, and of these the one used longest ago."""
    return bool(slot.held or slot.wanted), slot.used_at


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
