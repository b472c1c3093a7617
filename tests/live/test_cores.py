"""Two engines that compute at the same time on a CPU: neither waits for threads that wait for the
other's cores.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import httpx
import pytest

from support.house import Json
from support.model import make_model
from support.server import Server, start_server, wait_gone
from support.streamed import Streamed, until_state


pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

CORES = len(os.sched_getaffinity(0))


def asks(model: str, tokens: int) -> Json:
    return {
        "model": model,
        "input": "Tell me of the sea.",
        "stream": True,
        "ignore_eos": True,
        "max_output_tokens": tokens,
    }


async def computing(engine: int) -> int:
    """The threads of an engine that keep a core busy, or half of what its busiest has."""
    before = _ticks(engine)
    await asyncio.sleep(1)
    spent = [ticks - before.get(thread, 0) for thread, ticks in _ticks(engine).items()]
    assert max(spent) > 5, "it computes nothing"
    return sum(each > max(spent) / 2 for each in spent)


def _ticks(engine: int) -> dict[str, int]:
    ticks = dict[str, int]()
    for task in Path("/proc", str(engine), "task").iterdir():
        user, system = (task / "stat").read_text().rpartition(")")[2].split()[11:13]
        ticks[task.name] = int(user) + int(system)
    return ticks


async def watched(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as client:
        await Streamed(client, asks("b", 4)).task
        engines = server.engines()
        assert len(engines) == 2

        long = Streamed(client, asks("a", 3900))
        await long.more_than(100)
        (first,) = [engine for engine in engines if await _spends(engine)]
        (second,) = set(engines) - {first}
        assert await computing(first) == CORES

        other = Streamed(client, asks("b", 1000))
        await other.more_than(100)
        assert [await computing(engine) for engine in (first, second)] == [max(1, CORES // 2)] * 2

        gone = await client.post("/v1/models/unload", json={"model": "b"})
        assert gone.json()["tokenwire"]["state"] == "draining"
        await other.task
        await until_state(client, "b", "unloaded")
        assert long.end is None, "the first had ended before the second"
        assert await computing(first) == CORES
        long.task.cancel()


async def _spends(engine: int) -> bool:
    before = sum(_ticks(engine).values())
    await asyncio.sleep(0.3)
    return sum(_ticks(engine).values()) - before > 10


async def test_engines_that_answer_at_the_same_time_share_the_cores(tmp_path: Path) -> None:
    models = tmp_path / "data" / "models"
    make_model(models / "a", context=4096)
    (models / "b").symlink_to(models / "a")
    threads = {"OMP_NUM_THREADS": str(CORES)}
    server = await asyncio.to_thread(
        start_server, tmp_path / "data", "--model=a", environment=threads
    )
    try:
        await asyncio.to_thread(server.wait_ready)
        await watched(server)
    finally:
        engines = server.engines()
        await asyncio.to_thread(server.stop)
        assert not wait_gone(engines, 10)
