"""What becomes of each model: absent -> downloading -> unloaded -> loading -> ready (<->
recovering) -> draining -> unloaded, or failed; who holds it, and who has to go for another.

One state machine per model, published at each change. It refuses to know what an engine is made
of and where a download comes from: it is handed both, and the tests hand in their own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tokenwire.engine.catalogue import REPOSITORY
from tokenwire.engine.models import DownloadStopped, ModelInfo, Need, Transfer
from tokenwire.engine.residents import Residents
from tokenwire.engine.slots import Slot, Slots
from tokenwire.errors import EngineDead, InvalidRequest, ModelNotFound, ModelUnavailable


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

    from tokenwire.engine.base import Engine, RunningEngine
    from tokenwire.engine.models import EngineMaker, Library, ModelState, Stage, StageListener
    from tokenwire.engine.residents import Bounds


log = logging.getLogger(__name__)

RETRY_FAILED_AFTER_S = 10.0


class Supervisor:
    """All models of this machine. Loads on demand; unloads the idle one used longest ago to make
    room, and each when its time is over.
    """

    def __init__(
        self,
        default: str,
        engines: EngineMaker,
        library: Library,
        *,
        tasks: asyncio.TaskGroup,
        bounds: Bounds,
    ) -> None:
        self._engines = engines
        self._library = library
        self._tasks = tasks
        self._bounds = bounds
        self._closed = False
        self._slots = slots = Slots(default, self._need)
        # What is only looked up: see there.
        self.states, self.state, self.totals = slots.states, slots.state, slots.totals
        self.resolve, self.subscribe = slots.resolve, slots.subscribe
        self._residents = Residents(self._slots, bounds, tasks)
        self._looked_at = 0.0
        # One look at a time: what an older one saw must not come after what a newer one did.
        self._looking = asyncio.Lock()
        self._slots.shelve(library.models())

    @property
    def default(self) -> str:
        return self._slots.default

    def ready(self, model: str) -> Engine | None:
        slot, adapter = self._slots.home(model)
        # A recovering engine holds what it is given until its next process is up.
        if slot.engine is None or not slot.alive or slot.leaving:
            return None
        return slot.engine.adapted(adapter) if adapter else slot.engine

    async def refresh(self, unless_newer_s: float = 0.0) -> None:
        """Look at the disk again, unless someone just has: what is new there, and what is gone."""
        async with self._looking:
            now = time.monotonic()
            if now - self._looked_at < unless_newer_s:
                return
            self._looked_at = now
            try:
                models = await asyncio.to_thread(self._library.models)
            except (OSError, LookupError) as error:
                log.warning("The models on disk can't be looked at: %s", error)
            else:
                self._slots.shelve(models)

    def load(self, model: str) -> None:
        """Start to load a model, if it is neither loaded nor loading; keep it, if it was about to
        be unloaded. Returns at once. Raises ModelUnavailable for one that isn't on this machine.
        """
        slot, _ = self._slots.home(model)
        if slot.work is not None or self._closed or slot.state.info.problem:
            return
        if slot.alive and (slot.held or not slot.leaving):
            self._residents.stay(slot)
            return
        slot.state.refuse_missing()
        waits = {"stage": "queued", "progress": None, "detail": "Waiting to load"}
        self._slots.set(slot, phase="loading", **waits)
        self._begin(slot, self._load(slot))

    def unload(self, model: str) -> None:
        """Unload a model when the answers that it makes have ended. Who asks for it meanwhile
        waits, and has it loaded again.
        """
        slot, _ = self._slots.home(model)
        if slot.engine is not None:
            self._residents.leave(slot)

    def download(self, name: str, *, then_load: bool = False) -> ModelState:
        """Start to fetch a model of the hub that isn't here, or go on with what was begun. Returns
        at once. Raises InvalidRequest for what is no repository's name.
        """
        try:
            slot, _ = self._slots.home(self.resolve(name))
        except ModelNotFound:
            if not REPOSITORY.fullmatch(name):
                raise InvalidRequest(
                    f"{name!r} is no model of the hub: its names are like 'Qwen/Qwen3-0.6B'.",
                    param="model",
                ) from None
            self._slots.put(ModelInfo(id=name, path="", source="hub"))
            slot, _ = self._slots.home(name)
        if slot.work is None and not slot.state.info.path and not self._closed:
            asks = {"stage": "queued", "progress": None, "detail": "Asking the hub"}
            self._slots.set(slot, phase="downloading", **asks)
            self._begin(slot, self._download(slot, then_load=then_load))
        return slot.state

    async def cancel(self, name: str) -> ModelState:
        """Stop a download or a load that is under way, and forget what was fetched of it."""
        slot, _ = self._slots.home(self.resolve(name))
        if (work := slot.work) is not None:
            work.cancel()
            await asyncio.wait((work,))
            if slot.work is work:  # it had not begun
                slot.work = None
                self._slots.rest(slot, "unloaded")
        if slot.work is None and not slot.state.info.path:
            await self._library.discard(slot.id)
            self._slots.rest(slot, "absent")
            await self.refresh()
        return slot.state

    @asynccontextmanager
    async def lease(
        self, model: str, on_stage: StageListener | None = None
    ) -> AsyncGenerator[Engine]:
        slot, adapter = self._slots.home(model)
        if on_stage is not None:
            slot.listeners.add(on_stage)
            if slot.work is not None or slot.leaving or slot.state.phase == "recovering":
                on_stage(slot.state)
        held = False
        try:
            engine = await self._loaded(slot)
            held = self._residents.taken(slot)
            yield engine.adapted(adapter) if adapter else engine
        except EngineDead:
            self._bury(slot)
            raise
        finally:
            if on_stage is not None:
                slot.listeners.discard(on_stage)
            self._residents.rested(slot, held=held)

    async def close(self) -> None:
        """End every engine process and every download."""
        self._closed = self._residents.closed = True
        working = [slot.work for slot in self._slots if slot.work is not None]
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        for slot in self._slots:
            await self._residents.unload(slot)

    async def _loaded(self, slot: Slot) -> RunningEngine:
        """Its engine, when it can be held: waits for its download, its load, its being unloaded."""
        recent = time.monotonic() - slot.failed_at < RETRY_FAILED_AFTER_S
        tried = slot.state.phase == "failed" and recent
        slot.wanted += 1
        try:
            # More than once if it died again, or had to go, before this task had its turn.
            while not tried and not self._closed:
                if slot.alive and slot.leaving and not slot.promised:
                    await slot.stays.wait()
                elif slot.engine is not None and slot.alive:
                    return slot.engine
                else:
                    self._residents.bury(slot)
                    tried = not await self._worked(slot)
        finally:
            slot.wanted -= 1
            slot.promised = min(slot.promised, slot.wanted)
        raise ModelUnavailable(slot.state.detail or f"{slot.id} could not be loaded.")

    async def _worked(self, slot: Slot) -> bool:
        """Wait for what is under way, or begin to load it. Whether that came to a good end."""
        if slot.state.info.problem:
            raise ModelUnavailable(f"{slot.id} can't be served: {slot.state.info.problem}")
        self.load(slot.id)
        if (work := slot.work) is None:
            return False
        # One waiting person who leaves must not stop it for the others.
        await asyncio.wait((work,))
        if work.cancelled():
            raise ModelUnavailable(f"The load of {slot.id} was cancelled.")
        return slot.state.phase not in ("failed", "paused")

    def _begin(self, slot: Slot, work: Coroutine[Any, Any, None]) -> None:
        slot.work = self._tasks.create_task(work, name=f"{slot.state.phase} {slot.id}")

    async def _download(self, slot: Slot, *, then_load: bool) -> None:
        def tell(stage: str, transfer: Transfer, sentence: str) -> None:
            progress = min(1.0, transfer.done / transfer.total) if transfer.total else None
            told = {"stage": stage, "progress": progress, "detail": sentence}
            self._slots.set(slot, transfer=transfer, **told)

        try:
            await self._library.fetch(slot.id, tell)
            await self.refresh()
        except asyncio.CancelledError:
            self._paused(slot, "It was stopped before its end.")
            raise
        except Exception as error:  # a task's top: a failed download must not end the server
            if not isinstance(error, DownloadStopped):
                log.exception("The download of %s failed", slot.id)
            self._paused(slot, str(error) or type(error).__name__)
        finally:
            slot.work = None
        if slot.state.phase == "paused":
            # What was found wrong is there no more.
            await self.refresh()
        if slot.state.phase == "unloaded" and (then_load or slot.wanted):
            self.load(slot.id)

    def _paused(self, slot: Slot, why: str) -> None:
        here = slot.state.transfer
        self._slots.rest(slot, "paused", why, Transfer(here.done, here.total) if here else None)

    async def _load(self, slot: Slot) -> None:
        info = slot.state.info
        try:
            # Before anyone has to go for it.
            await self._engines.check(info)
            if slot.leaving:
                await slot.stays.wait()
            async with self._residents.room(slot):
                heard = partial(self._stage, slot)
                slot.engine = await self._engines.start(info, heard)
        except asyncio.CancelledError:
            self._slots.rest(slot, "unloaded")
            raise
        except Exception as error:  # a task's top: a failed load must not end the server
            if not isinstance(error, ModelUnavailable):
                log.exception("Loading %s failed", info.id)
            slot.failed_at = time.monotonic()
            self._slots.rest(slot, "failed", str(error) or type(error).__name__)
        else:
            limits = slot.engine.limits
            info = replace(
                info,
                context_length=limits.context_length,
                capabilities=limits.capabilities,
                sampling=limits.defaults,
            )
            # Else it might have to go for another before those who waited for it have their turn.
            slot.promised = slot.wanted
            self._slots.rest(slot, "ready", info=info)
            self._residents.rested(slot, held=False)
        finally:
            slot.work = None

    def _bury(self, slot: Slot) -> None:
        """Forget a dead engine and, while it is wanted, start the next."""
        if self._residents.bury(slot) and (slot.leases or slot.wanted) and not self._closed:
            self.load(slot.id)

    def _stage(self, slot: Slot, stage: Stage) -> None:
        """A stage of loading or, of an engine that is loaded, of its recovery."""
        told = {"stage": stage.name, "progress": stage.progress, "detail": stage.detail}
        phase = slot.state.phase
        if slot.work is not None:
            self._slots.set(slot, **told)
        elif stage.name == "dead":
            self._bury(slot)
        elif phase == "recovering" and stage.name == "ready":
            self._slots.rest(slot, "ready")
        elif phase == "recovering" or (phase == "ready" and stage.name == "recovering"):
            self._slots.set(slot, phase="recovering", **told)

    def _need(self, info: ModelInfo) -> Need | None:
        need = self._engines.need(info)
        return None if need is None else Need(bytes=need, problem=self._bounds.fits(need))
