"""Each model's state: unloaded -> loading -> ready (<-> recovering) -> draining -> unloaded, or
failed; and who holds it.

One state machine per model, published at each change. It refuses to know what an engine is made
of: a factory starts one, and the tests hand in their own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from tokenwire.engine.models import ModelState
from tokenwire.errors import EngineDead, ModelNotFound, ModelUnavailable


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tokenwire.engine.base import Engine, RunningEngine
    from tokenwire.engine.models import EngineFactory, ModelInfo, Stage, StageListener

log = logging.getLogger(__name__)

RETRY_FAILED_AFTER_S = 10.0
UP = ("ready", "recovering")


class _Slot:
    """One model: its published state, its engine while it has one, and its leases."""

    def __init__(self, state: ModelState) -> None:
        self.state = state
        self.engine: RunningEngine | None = None
        self.leases = 0
        self.used_at = 0.0
        self.failed_at = 0.0
        self.loading: asyncio.Task[None] | None = None
        self.listeners: set[StageListener] = set()


class Supervisor:
    """All models of this machine. Loads on demand; unloads the idle one used longest ago to make
    room.
    """

    def __init__(
        self,
        models: list[ModelInfo],
        default: str,
        factory: EngineFactory,
        *,
        tasks: asyncio.TaskGroup,
        max_loaded: int = 2,
    ) -> None:
        self._default = default
        self._factory = factory
        self._tasks = tasks
        self._max_loaded = max_loaded
        self._closed = False
        # One load at a time, so that each sees what the others have taken.
        self._room = asyncio.Lock()
        self._listeners: set[StageListener] = set()
        self._slots = {
            info.id: _Slot(
                ModelState(
                    info=info,
                    phase="failed" if info.problem else "unloaded",
                    detail=info.problem,
                    is_default=info.id == default,
                )
            )
            for info in models
        }

    @property
    def default(self) -> str:
        return self._default

    def states(self) -> list[ModelState]:
        return [slot.state for slot in self._slots.values()]

    def state(self, model: str) -> ModelState:
        return self._slots[model].state

    def subscribe(self, listener: StageListener) -> Callable[[], None]:
        """Hear of every change of every model, on the event loop. Returns the way to stop."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def resolve(self, name: str | None) -> str:
        if name is None or name == "":
            return self._default
        if name not in self._slots:
            raise ModelNotFound(
                f"The model {name!r} does not exist here. GET /v1/models lists what does.",
                param="model",
            )
        return name

    def ready(self, model: str) -> Engine | None:
        slot = self._slots[model]
        # A recovering engine holds what it is given until its next process is up.
        return slot.engine if slot.state.phase in UP and _alive(slot) else None

    def load(self, model: str) -> None:
        """Start to load a model, if it is neither loaded nor loading. Returns at once."""
        slot = self._slots[model]
        if slot.loading is None and not _alive(slot) and not self._closed:
            if slot.state.info.problem:
                return
            self._set(
                slot, phase="loading", stage="queued", progress=None, detail="Waiting to load"
            )
            slot.loading = self._tasks.create_task(self._load(slot), name=f"load {model}")

    @asynccontextmanager
    async def lease(
        self, model: str, on_stage: StageListener | None = None
    ) -> AsyncGenerator[Engine]:
        slot = self._slots[model]
        slot.leases += 1
        if on_stage is not None:
            slot.listeners.add(on_stage)
            if slot.loading is not None or slot.state.phase == "recovering":
                on_stage(slot.state)
        try:
            yield await self._loaded(slot)
        except EngineDead:
            self._bury(slot)
            raise
        finally:
            if on_stage is not None:
                slot.listeners.discard(on_stage)
            slot.leases -= 1
            slot.used_at = time.monotonic()

    async def close(self) -> None:
        """End every engine process."""
        self._closed = True
        loading = [slot.loading for slot in self._slots.values() if slot.loading is not None]
        for task in loading:
            task.cancel()
        await asyncio.gather(*loading, return_exceptions=True)
        for slot in self._slots.values():
            await self._unload(slot)

    async def _loaded(self, slot: _Slot) -> Engine:
        if slot.state.info.problem:
            raise ModelUnavailable(
                f"{slot.state.info.id} can't be served: {slot.state.info.problem}"
            )
        if slot.state.phase in UP and not _alive(slot):
            self._bury(slot)
        recent = time.monotonic() - slot.failed_at < RETRY_FAILED_AFTER_S
        tried = slot.state.phase == "failed" and recent
        # More than once if it died again before this task had its turn.
        while slot.engine is None and not tried:
            self.load(slot.state.info.id)
            if slot.loading is not None:
                # Shielded: one waiting person who leaves must not stop the load for the others.
                await asyncio.shield(slot.loading)
            tried = slot.state.phase == "failed" or self._closed
        if slot.engine is None:
            raise ModelUnavailable(slot.state.detail or "The model could not be loaded.")
        return slot.engine

    async def _load(self, slot: _Slot) -> None:
        try:
            async with self._room:
                await self._make_room(slot)
                slot.engine = await self._factory(
                    slot.state.info, lambda stage: self._stage(slot, stage)
                )
        except asyncio.CancelledError:
            self._set(slot, phase="unloaded", stage=None, progress=None, detail=None)
            raise
        except Exception as error:  # a task's top: a failed load must not end the server
            if not isinstance(error, ModelUnavailable):
                log.exception("Loading %s failed", slot.state.info.id)
            slot.failed_at = time.monotonic()
            detail = str(error) or type(error).__name__
            self._set(slot, phase="failed", stage=None, progress=None, detail=detail)
        else:
            limits = slot.engine.limits
            info = replace(
                slot.state.info,
                context_length=limits.context_length,
                capabilities=limits.capabilities,
            )
            self._set(slot, info=info, phase="ready", stage=None, progress=None, detail=None)
        finally:
            slot.loading = None

    async def _make_room(self, wanted: _Slot) -> None:
        loaded = [s for s in self._slots.values() if s.engine is not None and s is not wanted]
        idle = sorted((s for s in loaded if not s.leases), key=lambda s: s.used_at)
        for slot in idle[: max(0, len(loaded) + 1 - self._max_loaded)]:
            await self._unload(slot)

    async def _unload(self, slot: _Slot) -> None:
        if (engine := slot.engine) is None:
            return
        self._set(slot, phase="draining", stage=None, progress=None, detail=None)
        slot.engine = None
        await _end(engine)
        # Someone may have asked for it again meanwhile.
        if slot.loading is None:
            self._set(slot, phase="unloaded", stage=None, progress=None, detail=None)

    def _bury(self, slot: _Slot) -> None:
        """Forget a dead engine and, while it is wanted, start the next."""
        if (engine := slot.engine) is None or _alive(slot):
            return
        log.error("The engine of %s died.", slot.state.info.id)
        slot.engine = None
        if not self._closed:
            self._tasks.create_task(_end(engine), name=f"bury {slot.state.info.id}")
            self._set(slot, phase="unloaded", stage=None, progress=None, detail=None)
            if slot.leases:
                self.load(slot.state.info.id)

    def _stage(self, slot: _Slot, stage: Stage) -> None:
        """A stage of loading or, of an engine that is loaded, of its recovery."""
        if slot.loading is not None:
            self._set(slot, stage=stage.name, progress=stage.progress, detail=stage.detail)
        elif stage.name == "dead":
            self._bury(slot)
        elif slot.state.phase == "recovering" and stage.name == "ready":
            self._set(slot, phase="ready", stage=None, progress=None, detail=None)
        elif slot.state.phase == "recovering" or (
            slot.state.phase == "ready" and stage.name == "recovering"
        ):
            self._set(
                slot,
                phase="recovering",
                stage=stage.name,
                progress=stage.progress,
                detail=stage.detail,
            )

    def _set(self, slot: _Slot, **changes: object) -> None:
        slot.state = replace(slot.state, **changes)  # pyright: ignore[reportArgumentType]
        for listener in (*slot.listeners, *self._listeners):
            listener(slot.state)


async def _end(engine: RunningEngine) -> None:
    try:
        await engine.close()
    except Exception:  # a task's top: an engine that ends badly must not end the server
        log.exception("An engine did not end well")


def _alive(slot: _Slot) -> bool:
    return slot.engine is not None and slot.engine.alive
