"""An open workshop: Generations with its tasks over a scripted engine and a memory in dicts.

No port and no file; every wait in it is for an event.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from support.records import MemoryRecords
from support.scripted import ScriptedEngine, ScriptedEngines
from tokenwire.generation.admission import AdmissionLimits
from tokenwire.generation.generation import Generation
from tokenwire.generation.generations import Generations
from tokenwire.generation.intake import Asker
from tokenwire.generation.log import Log
from tokenwire.wire.commands import Create, parse_create


ANN, BOB = Asker("ann", durable=True), Asker("bob", durable=True)
PLAIN = Asker("ann")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The parts, and a short way to order."""

    engine: ScriptedEngine
    engines: ScriptedEngines
    records: MemoryRecords
    generations: Generations
    tasks: asyncio.TaskGroup

    async def order(self, text: str = "Hi", /, asker: Asker = ANN, **fields: object) -> Generation:
        """A create that makes a new response."""
        source = await self.generations.start(ask(text, **fields), asker)
        assert isinstance(source, Generation)
        return source

    async def answer(self, text: str = "Hi", /, asker: Asker = ANN, **fields: object) -> Generation:
        """A create, to its end."""
        generation = await self.order(text, asker, **fields)
        await ended(generation)
        return generation

    async def take_up(self) -> int:
        return await self.generations.take_up(await self.records.unfinished())


def ask(text: str = "Hi", /, **fields: object) -> Create:
    return parse_create({"input": text, **fields})


async def ended(*generations: Generation) -> None:
    async with asyncio.timeout(10):
        for generation in generations:
            await generation.finished()


def types(log: Log) -> list[str]:
    return [event.type.removeprefix("response.") for event in log.after(-1)]


def bodies(log: Log) -> list[dict[str, object]]:
    return [json.loads(event.json) for event in log.after(-1)]


def text(log: Log) -> str:
    return "".join(event.delta for event in log.after(-1))


def last_response(log: Log) -> dict[str, object]:
    response = bodies(log)[-1]["response"]
    assert isinstance(response, dict)
    return response  # pyright: ignore[reportUnknownVariableType]


def assert_whole(log: Log) -> None:
    """A log that has ended: created first, numbers gapless, one terminal event, which is last."""
    events = log.after(-1)
    assert log.closed
    assert events[0].type == "response.created"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.is_terminal for event in events] == [False] * (len(events) - 1) + [True]


@asynccontextmanager
async def open_workshop(
    engine: ScriptedEngine | None = None,
    *,
    ready: bool = True,
    limits: AdmissionLimits | None = None,
    grace_s: float = 0.0,
    records: MemoryRecords | None = None,
) -> AsyncGenerator[Workshop, None]:
    """Open it, and close it whatever happens. `records`: those of a workshop that was before."""
    engine = engine or ScriptedEngine()
    engines = ScriptedEngines(engine, ready=ready)
    records = records or MemoryRecords()
    async with asyncio.TaskGroup() as tasks:
        generations = Generations(engines, records, tasks, limits=limits, grace_s=grace_s)
        running = tasks.create_task(generations.run())
        try:
            yield Workshop(
                engine=engine,
                engines=engines,
                records=records,
                generations=generations,
                tasks=tasks,
            )
        finally:
            records.can_begin.set()
            records.can_journal.set()
            records.can_finish.set()
            await generations.close()
            running.cancel()
