"""Kills, cuts and stalls, and what is left of the answers: a table, one line for each fault.

    scripts/bench/chaos.py [--kills N] [--rounds N] [--only WORD]

Each run is the real server with the real engine, against the same answers undisturbed. It refuses
to know how anything survives: it is a client with a gun.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "backend")]

import websockets  # noqa: E402

from support.database import assert_sound  # noqa: E402
from support.model import make_model  # noqa: E402
from support.readers import Reader, assert_whole, page, read  # noqa: E402
from support.server import Server, start_server  # noqa: E402


TOKENS = 250
SAMPLINGS: dict[str, dict[str, object]] = {
    "greedy": {"temperature": 0},
    "temperature 1, seed": {"temperature": 1, "seed": 7},
    "three penalties, seed": {
        "temperature": 0.9,
        "seed": 3,
        "repetition_penalty": 1.2,
        "presence_penalty": 0.8,
        "frequency_penalty": 0.4,
    },
}
NAMES = [
    *("Ada", "Ben", "Mia", "Tom", "Eva", "Max", "Lena", "Otto"),
    *("Nora", "Emil", "Ida", "Karl", "Lea", "Paul", "Ella", "Hugo"),
]


@dataclass(frozen=True)
class Row:
    fault: str
    model: str
    same: str
    note: str

    def __str__(self) -> str:
        return f"| {self.fault} | {self.model} | {self.same} | {self.note} |"


def asks(count: int, model: str, **fields: object) -> list[Reader]:
    texts = [f"Tell me a story about {name}." for name in NAMES]
    texts += [f"Count from 1 to {100 + 5 * index}." for index in range(16)]
    common = {"model": model, "max_output_tokens": TOKENS, "ignore_eos": True, **fields}
    return [Reader({"input": text, **common}) for text in texts[:count]]


@contextlib.contextmanager
def data_folder(*, tiny: bool) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        if tiny:
            make_model(data / "models" / "tiny")
        yield data


def gap(readers: list[Reader]) -> float:
    """Seconds: the longest silence of any reader while it had not ended."""
    return max(
        b - a for reader in readers for a, b in zip(reader.times, reader.times[1:], strict=False)
    )


def failed(readers: list[Reader]) -> int:
    return sum(reader.end["status"] == "failed" for reader in readers)


def same(one: list[Reader], other: list[Reader]) -> str:
    equal = sum(
        a.text == b.text and a.end["usage"]["output_tokens"] == b.end["usage"]["output_tokens"]
        for a, b in zip(one, other, strict=True)
    )
    return f"{equal} of {len(one)}"


def engine_killed(kills: int, dice: random.Random) -> Iterator[Row]:
    """32 streams; the engine process is killed at random moments of the run."""
    for tiny in (False, True):
        model = "tiny" if tiny else "tokenwire-demo"
        for name, sampling in SAMPLINGS.items():
            # A server of its own: the deaths of all runs together are beyond an engine's budget.
            with data_folder(tiny=tiny) as data:
                server = start_server(data, f"--model={model}")
                try:
                    server.wait_ready()
                    undisturbed, killed = (asks(32, model, **sampling) for _ in range(2))
                    asyncio.run(read(server.url, undisturbed))
                    asyncio.run(shoot(server, killed, kills, dice))
                    assert_whole(killed)
                    note = (
                        f"{kills} kills, longest gap {gap(killed):.1f} s, {failed(killed)} failed"
                    )
                    yield Row(f"engine killed, {name}", model, same(undisturbed, killed), note)
                finally:
                    server.stop()


async def shoot(server: Server, readers: list[Reader], kills: int, dice: random.Random) -> None:
    reading = asyncio.create_task(read(server.url, readers))
    for _ in range(kills):
        made = sum(reader.last for reader in readers)
        await _until(lambda made=made: sum(reader.last for reader in readers) > made + 64)
        await asyncio.sleep(dice.uniform(0, 0.15))
        for pid in server.engines():
            os.kill(pid, signal.SIGKILL)
    await reading


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not holds():  # noqa: ASYNC110 - events of sockets, seen from outside
            await asyncio.sleep(0.002)


def server_killed(kills: int, dice: random.Random) -> Iterator[Row]:
    """16 durable streams; the server is killed and started again."""
    for name, sampling in {**SAMPLINGS, "temperature 1, no seed": {"temperature": 1}}.items():
        with data_folder(tiny=False) as data:
            undisturbed, killed = (asks(16, "tokenwire-demo", **sampling) for _ in range(2))
            server = _killed(data, killed, kills, dice)
            try:
                asyncio.run(read(server.url, killed))
                assert_whole(killed)
                asyncio.run(read(server.url, undisturbed))
                taken = sum("taken_up" in reader.end["tokenwire"] for reader in killed)
                note = f"{kills} kills, {taken} taken up, every number once"
                seeded = "no seed" not in name
                result = same(undisturbed, killed) if seeded else "what was seen stayed"
                yield Row(f"server killed, {name}", "tokenwire-demo", result, note)
            finally:
                server.stop()


def _killed(data: Path, readers: list[Reader], kills: int, dice: random.Random) -> Server:
    server = start_server(data)
    for _ in range(kills):
        server.wait_ready()
        asyncio.run(_kill_while(server, read(server.url, readers), dice.uniform(0.1, 0.8)))
        server = start_server(data)
    server.wait_ready()
    return server


async def _kill_while(server: Server, reading: Awaitable[None], seconds: float) -> None:
    task = asyncio.ensure_future(reading)
    await asyncio.sleep(seconds)
    server.kill()
    await task


def file_checked(rounds: int, dice: random.Random) -> Iterator[Row]:
    """32 streams, and the file looked at after each kill of the server."""
    with data_folder(tiny=False) as data:
        clean = left = 0
        server = start_server(data)
        for _ in range(rounds):
            server.wait_ready()
            readers = asks(32, "tokenwire-demo", temperature=0)
            asyncio.run(_kill_while(server, read(server.url, readers), dice.uniform(0.05, 0.8)))
            clean += _is_sound(data)
            server = start_server(data)
        server.wait_ready()
        deadline = time.monotonic() + 300
        while (left := _running(data)) and time.monotonic() < deadline:
            time.sleep(0.5)
        server.stop()
        note = f'left "running" after the last start: {left}'
        yield Row("server killed under 32 streams", "file sound", f"{clean} of {rounds}", note)


def _is_sound(data: Path) -> bool:
    try:
        assert_sound(data / "tokenwire.db")
    except (AssertionError, sqlite3.DatabaseError) as error:
        print(error, file=sys.stderr)
        return False
    return True


def _running(data: Path) -> int:
    question = "SELECT count(*) FROM response WHERE status IN ('queued', 'in_progress')"
    with contextlib.closing(sqlite3.connect(data / "tokenwire.db")) as connection:
        return connection.execute(question).fetchone()[0]


def reader_stalled(pairs: int) -> Iterator[Row]:
    """31 readers beside one that stops reading, and 31 beside one that reads: interleaved."""
    with data_folder(tiny=False) as data:
        server = start_server(data)
        try:
            server.wait_ready()
            asyncio.run(read(server.url, asks(32, "tokenwire-demo", temperature=0)))
            gaps: dict[bool, list[float]] = {False: [], True: []}
            grown: list[int] = []
            for _ in range(pairs):
                for stalled in (False, True):
                    before = _memory(server.pid)
                    readers = asks(31, "tokenwire-demo", temperature=0)
                    asyncio.run(_beside(server, readers, stalled=stalled))
                    gaps[stalled].append(_mean_gap(readers))
                    if stalled:
                        grown.append(_memory(server.pid) - before)
            ratio = statistics.median(gaps[True]) / statistics.median(gaps[False])
            note = f"gaps {ratio:.2f} times, server grew {max(grown) / 1024:.1f} MiB at most"
            yield Row("one of 32 readers stalls", "tokenwire-demo", "31 go on", note)
        finally:
            server.stop()


def _mean_gap(readers: list[Reader]) -> float:
    return statistics.mean(
        b - a for reader in readers for a, b in zip(reader.times, reader.times[1:], strict=False)
    )


async def _beside(server: Server, readers: list[Reader], *, stalled: bool) -> None:
    async with page(server.url) as socket:
        if stalled:
            socket.transport.pause_reading()
        ask = asks(1, "tokenwire-demo", temperature=0)[0].ask
        await socket.send(json.dumps({"type": "response.create", **ask}))
        drain = asyncio.create_task(_drain(socket)) if not stalled else None
        await read(server.url, readers)
        if drain is not None:
            drain.cancel()


async def _drain(socket: websockets.ClientConnection) -> None:
    async for _ in socket:
        pass


def _memory(pid: int) -> int:
    """Resident KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=3, help="kills in a run")
    parser.add_argument("--rounds", type=int, default=30, help="kills with a look at the file")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs with a stalled reader")
    parser.add_argument("--only", default="", help="only the faults whose name has this in it")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    faults = {
        "engine": lambda: engine_killed(arguments.kills, dice),
        "server": lambda: server_killed(arguments.kills, dice),
        "file": lambda: file_checked(arguments.rounds, dice),
        "stall": lambda: reader_stalled(arguments.pairs),
    }
    print("| fault | on | same | |\n|---|---|---|---|", flush=True)
    for name, rows in faults.items():
        if arguments.only in name:
            for row in rows():
                print(row, flush=True)


if __name__ == "__main__":
    main()
