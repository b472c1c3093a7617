"""Every model's place: its published state, its engine while it has one, and who holds it.

It keeps and tells; it refuses to decide. Who loads, fetches and unloads is the supervisor.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tokenwire.engine.models import ModelState
from tokenwire.errors import ModelNotFound


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tokenwire.engine.base import RunningEngine
    from tokenwire.engine.models import (
        EngineTotals,
        ModelInfo,
        ModelPhase,
        Need,
        StageListener,
        Transfer,
    )


# Nothing is held or under way in these: what the disk says of such a model counts.
RESTING: frozenset[ModelPhase] = frozenset({"absent", "paused", "unloaded", "failed"})


class Slot:
    """One model that has an engine of its own. `leases` hold the engine, `wanted` wait for it, of
    whom `promised` have waited for its load and only have to take it; `work` is its download or its
    load; it is `leaving` when it is unloaded as soon as nobody holds it, and then `stays` is set
    when that is over.
    """

    def __init__(self, state: ModelState) -> None:
        self.state = state
        self.engine: RunningEngine | None = None
        self.leases = 0
        self.wanted = 0
        self.promised = 0
        self.leaving = False
        self.stays = asyncio.Event()
        self.used_at = 0.0
        self.failed_at = float("-inf")
        self.work: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.listeners: set[StageListener] = set()
        self.adapters: dict[str, ModelInfo] = {}

    @property
    def id(self) -> str:
        return self.state.info.id

    @property
    def held(self) -> bool:
        return bool(self.leases or self.promised)

    @property
    def alive(self) -> bool:
        return self.engine is not None and self.engine.alive


class Slots:
    """The slots by their models' ids; adapters live in their base model's."""

    def __init__(self, default: str, need: Callable[[ModelInfo], Need | None]) -> None:
        self.default = default
        self._need = need
        self._slots: dict[str, Slot] = {}
        self._listeners: set[StageListener] = set()

    def __iter__(self) -> Iterator[Slot]:
        return iter(tuple(self._slots.values()))

    def subscribe(self, listener: StageListener) -> Callable[[], None]:
        """Hear of every change of every model, on the event loop. Returns the way to stop."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def home(self, model: str) -> tuple[Slot, str | None]:
        """The slot of a model, and the name of the adapter that it is, if it is one. Raises
        ModelNotFound, also for one that has gone since its name was resolved.
        """
        if (slot := self._slots.get(model)) is not None:
            return slot, None
        for slot in self._slots.values():
            if model in slot.adapters:
                return slot, model.removeprefix(f"{slot.id}:")
        raise _unknown(model)

    def resolve(self, name: str | None) -> str:
        """The id that a model has or is also known by. Raises ModelNotFound."""
        if name is None or name == "":
            return self.default
        for slot in self._slots.values():
            for info in (slot.state.info, *slot.adapters.values()):
                if name == info.id or name in info.aliases:
                    return info.id
        raise _unknown(name)

    def state(self, model: str) -> ModelState:
        slot, adapter = self.home(model)
        return _shown(slot, slot.adapters[model] if adapter else slot.state.info)

    def states(self) -> list[ModelState]:
        return [_shown(slot, info) for slot in self._slots.values() for info in _infos(slot)]

    def totals(self) -> dict[str, EngineTotals]:
        """What each engine has done."""
        return {slot.id: slot.engine.totals() for slot in self if slot.engine is not None}

    def set(self, slot: Slot, **changes: object) -> None:
        """Publish a change to all who listen, and to who holds the model."""
        slot.state = replace(slot.state, **changes)  # pyright: ignore[reportArgumentType]
        for listener in tuple(slot.listeners):
            listener(slot.state)
        self._tell(slot)

    def weigh(self, slot: Slot) -> None:
        """Count anew what it needs of the memory."""
        slot.state = replace(slot.state, need=self._need(slot.state.info))

    def rest(
        self,
        slot: Slot,
        phase: ModelPhase,
        detail: str | None = None,
        transfer: Transfer | None = None,
        **changes: object,
    ) -> None:
        """Publish that nothing is under way any more; `transfer`, what is here of it."""
        rest = {"stage": None, "progress": None, "transfer": transfer, "detail": detail}
        self.set(slot, phase=phase, **rest, **changes)

    def put(self, info: ModelInfo) -> None:
        """A model as it is found on disk or in the list: new, or changed while it rested."""
        if info.base is not None:
            if (slot := self._slots.get(info.base)) and slot.adapters.get(info.id) != info:
                slot.adapters[info.id] = info
                self._tell(slot)
            return
        slot = self._slots.get(info.id)
        if slot is None:
            state = ModelState(info=info, phase="absent", is_default=info.id == self.default)
            slot = self._slots[info.id] = Slot(state)
        elif not _moves(slot.state, info) or _same(slot.state, info):
            return
        phase, detail = _resting(slot.state, info)
        self.rest(slot, phase, detail, info.half, info=info, need=self._need(info))

    def shelve(self, models: list[ModelInfo]) -> None:
        """All models that there are: puts each, and forgets those that are gone."""
        for info in sorted(models, key=lambda info: info.base is not None):
            self.put(info)
        self._discard_all_but({info.id for info in models})

    def _discard_all_but(self, ids: set[str]) -> None:
        for slot in tuple(self._slots.values()):
            slot.adapters = {id: info for id, info in slot.adapters.items() if id in ids}
            # Why a download stopped is told until someone has seen to it.
            unused = slot.state.phase in RESTING - {"paused"} and not slot.wanted
            if slot.id not in ids and unused and slot.work is None and slot.id != self.default:
                del self._slots[slot.id]

    def _tell(self, slot: Slot) -> None:
        for info in _infos(slot):
            shown = _shown(slot, info)
            for listener in tuple(self._listeners):
                listener(shown)


def _unknown(name: str) -> ModelNotFound:
    return ModelNotFound(
        f"The model {name!r} does not exist here. GET /v1/models lists what does.", param="model"
    )


def _moves(before: ModelState, info: ModelInfo) -> bool:
    """Whether the disk has the say: nothing is under way, or a download has come to its end."""
    fetched = before.phase == "downloading" and bool(info.path)
    return fetched or before.phase in RESTING


def _same(before: ModelState, info: ModelInfo) -> bool:
    return before.info == info and before.transfer in (None, info.half)


def _resting(before: ModelState, info: ModelInfo) -> tuple[ModelPhase, str | None]:
    if info.problem:
        return "failed", info.problem
    if info.path:
        return "unloaded", None
    if before.phase == "paused":
        return "paused", before.detail
    return ("paused", "It was not fetched to its end.") if info.half else ("absent", None)


def _infos(slot: Slot) -> tuple[ModelInfo, ...]:
    return (slot.state.info, *slot.adapters.values())


def _shown(slot: Slot, info: ModelInfo) -> ModelState:
    """A model's state with its engine's numbers. An adapter stands where its base model stands."""
    state, live = slot.state, slot.engine.live() if slot.engine is not None else None
    if info is state.info:
        return replace(state, live=live) if live else state
    if info.problem:
        return ModelState(info=info, phase="failed", detail=info.problem)
    if slot.alive:
        own = state.info
        info = replace(info, context_length=own.context_length, sampling=own.sampling)
    return replace(state, info=info, live=live, is_default=False)
