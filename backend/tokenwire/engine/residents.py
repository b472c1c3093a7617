"""The engines that are in memory: who has to go to make room for another, when one's time is over,
and how one goes, which is never while someone holds it.

It refuses to start an engine, and to know what one is made of.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenwire.errors import ModelUnavailable


if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenwire.engine.base import RunningEngine
    from tokenwire.engine.slots import Slot, Slots


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`max_loaded` engines at once. `fits` says in a sentence why an engine of so many bytes never
    fits this machine, `free` why it doesn't now, beside engines that hold so many; None, if it
    does. `keep_alive_s` is how long a model stays that nobody uses, where nothing else was set for
    it; None is until its room is wanted.
    """

    max_loaded: int = 4
    keep_alive_s: float | None = None
    fits: Callable[[int], str | None] = lambda _: None
    free: Callable[[int, int], str | None] = lambda _, __: None


class Residents:
    """All engines in memory."""

    def __init__(self, slots: Slots, bounds: Bounds, tasks: asyncio.TaskGroup) -> None:
        self._slots = slots
        self._bounds = bounds
        self._tasks = tasks
        self._changed = asyncio.Event()
        self.closed = False

    async def make_room(self, wanted: Slot) -> None:
        """Unload idle models, the one used longest ago first, until there is room; where all are
        in use, wait for one that is given to nobody any more. Raises ModelUnavailable when no one
        could make enough room.
        """
        while (why := self._full(wanted)) is not None:
            self._changed.clear()
            others = self._others(wanted)
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
            await self._changed.wait()

    def changed(self) -> None:
        """What is in memory changed; whoever waits for room looks again."""
        self._changed.set()

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
            self.changed()

    def rested(self, slot: Slot) -> None:
        """Someone let go of it. When nobody holds it, it goes if it has to, or in its time."""
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
        self.changed()

    def bury(self, slot: Slot) -> bool:
        """Forget a dead engine. Whether there was one."""
        if (engine := slot.engine) is None or slot.alive:
            return False
        log.error("The engine of %s died.", slot.id)
        slot.engine, slot.leaving, slot.promised = None, False, 0
        slot.stays.set()
        self.changed()
        if not self.closed:
            self._tasks.create_task(end(engine), name=f"bury {slot.id}")
            self._slots.rest(slot, "unloaded")
        return True

    def _full(self, wanted: Slot) -> str | None:
        """Why there is no room for it now."""
        others = self._others(wanted)
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
