"""A machine without engines: a supervisor over scripted ones, and a library whose downloads are
steps that a test hands in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from support.scripted import ScriptedEngine
from tokenwire.engine.base import RunningEngine
from tokenwire.engine.models import DownloadStopped, ModelInfo, Stage, Transfer, TransferListener
from tokenwire.engine.residents import Bounds
from tokenwire.engine.supervisor import Supervisor
from tokenwire.errors import ModelUnavailable


class Factory:
    """Starts scripted engines; clear `go` to hold a load, set `fail` to fail it."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.engines: dict[str, list[ScriptedEngine]] = {}
        self.cancelled: list[str] = []
        self.starting = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self.fail: Exception | None = None
        self.problems: dict[str, str] = {}
        self.needs: dict[str, int] = {}
        self.tell: Callable[[Stage], None] = lambda _: None

    async def check(self, info: ModelInfo) -> None:
        if (problem := self.problems.get(info.id)) is not None:
            raise ModelUnavailable(problem)

    def need(self, info: ModelInfo) -> int | None:
        return self.needs.get(info.id)

    async def start(self, info: ModelInfo, on_stage: Callable[[Stage], None]) -> RunningEngine:
        self.started.append(info.id)
        self.tell = on_stage
        on_stage(Stage("weights", 0.5, "Reading the weights"))
        self.starting.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(info.id)
            raise
        if self.fail is not None:
            raise self.fail
        engine = ScriptedEngine(context=777)
        self.engines.setdefault(info.id, []).append(engine)
        return engine


class Shelf:
    """A library whose downloads are steps that a test hands in: what to tell, or what to raise."""

    def __init__(self, *infos: ModelInfo) -> None:
        broken = ModelInfo(id="broken", path="x", problem="There is no tokenizer in the folder.")
        named = (ModelInfo(id=name, path=name) for name in ("a", "b", "c"))
        self.infos = {info.id: info for info in (*named, broken, *infos)}
        self.fetched: list[str] = []
        self.discarded: list[str] = []
        self.stop: DownloadStopped | None = None
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    def models(self) -> list[ModelInfo]:
        return list(self.infos.values())

    async def fetch(self, model: str, tell: TransferListener) -> None:
        self.fetched.append(model)
        tell("downloading", Transfer(50, 100, 10.0, 5.0), "Downloading, 50 of 100 bytes")
        self.begun.set()
        await self.go.wait()
        if self.stop is not None:
            raise self.stop
        self.infos[model] = ModelInfo(id=model, path="fetched", source="cache")

    async def discard(self, model: str) -> None:
        self.discarded.append(model)


def bounds(max_loaded: int = 2, memory: int | None = None, keep: float | None = None) -> Bounds:
    """`memory` in bytes, all of which engines may have."""

    def free(needed: int, held: int) -> str | None:
        too_much = memory is not None and needed + held > memory
        return f"It needs {needed} and {memory - held} are free." if too_much and memory else None

    return Bounds(
        max_loaded=max_loaded, keep_alive_s=keep, free=free, fits=lambda needed: free(needed, 0)
    )


@asynccontextmanager
async def open_supervisor(
    factory: Factory,
    *,
    max_loaded: int = 2,
    memory: int | None = None,
    keep: float | None = None,
    shelf: Shelf | None = None,
    computing: Callable[[int], None] = lambda _: None,
) -> AsyncGenerator[Supervisor, None]:
    limits = replace(bounds(max_loaded, memory, keep), computing=computing)
    async with asyncio.TaskGroup() as tasks:
        supervisor = Supervisor("a", factory, shelf or Shelf(), tasks=tasks, bounds=limits)
        try:
            yield supervisor
        finally:
            factory.go.set()
            await supervisor.close()


async def use(supervisor: Supervisor, model: str) -> None:
    async with supervisor.lease(model):
        pass


def phases(supervisor: Supervisor) -> dict[str, str]:
    return {state.info.id: state.phase for state in supervisor.states()}
