"""A server over its life: to the first token, to ready, to another model, over a death, over many
answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import chaos
import contestants
import httpx
from contestants import Contestant
from measure import median, publish, resident_kib, spread, table

from support.model import make_model
from support.server import Server, start_server


Json = dict[str, Any]
STREAMS = 32
LANES = 16
TENTHS = 10
SHORT = 8
BETWEEN_ASKS_S = 0.05


def ttft(asks: int, pairs: int) -> None:
    """Milliseconds to the first token, one client, one answer at a time."""
    got: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as house:
        bare, ours = contestants.bare(house), contestants.tokenwire(house)
        ways = {
            "bare AsyncLLM": (bare, ""),
            "Tokenwire, WebSocket": (ours, "ws"),
            "Tokenwire, SSE": (ours, "sse"),
            "Tokenwire, chat completions": (ours, "chat"),
        }
        for turn in range(pairs):
            for name, (contestant, door) in ways.items():
                got[name].append(_first(contestant, door, asks, f"{name} {turn}"))
                print(".", end="", flush=True)
    base = got["bare AsyncLLM"]
    rows = [
        (
            name,
            spread(values),
            f"{median([a - b for a, b in zip(values, base, strict=True)]):+.1f}",
        )
        for name, values in got.items()
    ]
    note = f"Medians of {asks} asks, {pairs} turns."
    head = ("", "first token ms", "above bare AsyncLLM")
    publish("ttft", f"{note}\n\n{table(head, rows)}", {"got": got})


def _first(contestant: Contestant, door: str, asks: int, salt: str) -> float:
    load = {"door": door, "streams": 1, "tokens": 4, "lanes": 1}
    times: list[float] = []
    for ask in range(asks):
        # One person's questions don't come in one breath: what is left of the last is done.
        time.sleep(BETWEEN_ASKS_S)
        times.append(contestant.load(**load, salt=f"{salt} {ask}")["ttft"])
    return 1000 * median(times)


def start(rounds: int) -> None:
    """Seconds from the process to the open port and to ready, beside those that importing takes:
    Tokenwire's own modules, and vLLM and torch in a process that does nothing else.
    """
    opened, own, ready, imported = (list[float]() for _ in range(4))
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            server = start_server(Path(folder) / "data")
            opened.append(time.monotonic() - server.started)
            ready.append(server.wait_ready())
            server.stop()
        own.append(_own_imports())
        began = time.monotonic()
        contestants.python("-c", "import tokenwire.engine.preload")
        imported.append(time.monotonic() - began)
        print(".", end="", flush=True)
    times = [a / b for a, b in zip(ready, imported, strict=True)]
    rows = [tuple(map(spread, (opened, own, ready, imported, times)))]
    head = (
        "the port answers after s",
        "our own modules s",
        "ready after s",
        "importing vLLM alone s",
        "ready, / importing vLLM",
    )
    publish("start", table(head, rows), {"opened": opened, "ready": ready, "imported": imported})


def _own_imports() -> float:
    """Seconds that Tokenwire's modules take, those that they import not counted."""
    told = contestants.python("-X", "importtime", "-c", "import tokenwire.serve")
    lines = [line.split("|") for line in told.splitlines() if line.count("|") == 2]
    return sum(int(own[12:]) for own, _, name in lines if "tokenwire" in name) / 1e6


def switch(rounds: int) -> None:
    """Seconds from asking a model that is not loaded, where there is room for one, to its first
    token.
    """
    got: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        make_model(data / "models" / "tiny")
        server = start_server(data, environment={"TOKENWIRE_MAX_LOADED_MODELS": "1"})
        try:
            server.wait_ready()
            for _ in range(rounds):
                for model in ("tiny", "tokenwire-demo"):
                    got[model].append(_switched(server, model))
                    print(".", end="", flush=True)
        finally:
            server.stop()
    rows = [(f"to {name}", spread(values)) for name, values in got.items()]
    publish("switch", table(("", "first token after s"), rows), {"got": got})


def _switched(server: Server, model: str) -> float:
    body = {"model": model, "input": "Count to 5.", "max_output_tokens": 4, "stream": True}
    began, first = time.perf_counter(), 0.0
    url = f"{server.url}/v1/responses"
    with httpx.stream("POST", url, json=body, timeout=60, trust_env=False) as answer:
        # To its end: a model that still answers is not unloaded for the next.
        for line in answer.iter_lines():
            if "output_text.delta" in line:
                first = first or time.perf_counter() - began
    if not first:
        raise RuntimeError(f"{model} said nothing")
    return first


def recovery(rounds: int) -> None:
    """The longest silence of a reader when the engine is killed once under 32 answers."""
    gaps, same = list[float](), list[str]()
    dice = random.Random(1)
    for _ in range(rounds):
        with chaos.data_folder(tiny=False) as data:
            server = start_server(data)
            try:
                server.wait_ready()
                calm, shot = (chaos.asks(STREAMS, "tokenwire-demo", temperature=0) for _ in "ab")
                asyncio.run(chaos.read(server.url, calm))
                asyncio.run(chaos.shoot(server, shot, 1, dice))
                gaps.append(chaos.gap(shot))
                same.append(chaos.same(calm, shot))
                print(".", end="", flush=True)
            finally:
                server.stop()
    rows = [(STREAMS, spread(gaps), ", ".join(sorted(set(same))))]
    head = ("answers", "longest gap s", "token for token the same")
    publish("recovery", table(head, rows), {"gaps": gaps, "same": same})


def soak(scripted: int, real: int) -> None:
    """Memory over many short answers, and what is left behind."""
    rows: list[tuple[object, ...]] = []
    with ExitStack() as house:
        rows.append(_soaked(contestants.scripted(house, step_s=0.001), "scripted", scripted))
    with ExitStack() as house:
        rows.append(_soaked(contestants.tokenwire(house), "vLLM", real))
    head = (
        "engine",
        "answers",
        "resident MiB, second tenth",
        "last tenth",
        "ratio",
        "tasks, files, journal rows, running: before",
        "after",
    )
    publish("soak", table(head, rows), {"rows": [list(map(str, row)) for row in rows]})


def _soaked(server: Contestant, engine: str, answers: int) -> tuple[object, ...]:
    crowd = min(1000, max(answers // (4 * TENTHS), 1))
    server.load(door="ws", streams=crowd, tokens=SHORT, lanes=LANES, salt="warm")
    time.sleep(1)
    before = _left(server)
    memory: list[int] = []
    for turn in range(answers // crowd):
        server.load(door="ws", streams=crowd, tokens=SHORT, lanes=LANES, salt=f"{turn}")
        memory.append(resident_kib(server.pid))
    time.sleep(2)
    tenth = max(1, len(memory) // TENTHS)
    second, last = median(memory[tenth : 2 * tenth]), median(memory[-tenth:])
    return (
        engine,
        crowd * len(memory),
        f"{second / 1024:.0f}",
        f"{last / 1024:.0f}",
        f"{last / second:.3f}",
        before,
        _left(server),
    )


def _left(server: Contestant) -> str:
    """What is there besides memory, once nothing runs."""
    metrics = httpx.get(f"{server.url}/metrics", trust_env=False).text
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    files = len(os.listdir(f"/proc/{server.pid}/fd"))
    assert server.data_dir is not None
    with closing(sqlite3.connect(server.data_dir / "tokenwire.db")) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM journal").fetchone()
    tasks, running = values["tokenwire_tasks"], values["tokenwire_running"]
    return json.dumps([float(tasks), files, rows, float(running)])
