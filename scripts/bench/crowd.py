"""Many sockets on one server, with a scripted engine: idle ones, a storm of returns, many readers
of one answer, and as many tokens as one process can carry.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import contestants
from contestants import HERE, Contestant
from measure import cpu_s, median, publish, resident_kib, spread, table


Json = dict[str, Any]
# Eight rounds of heartbeats, two of pings.
IDLE_S = 125
FOLLOWED, STEP_S = 400, 0.02


class Talker:
    """A process that answers each line of JSON with one."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def ask(self, **order: object) -> Json:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        if not (line := self.read()):
            raise RuntimeError(f"the other side ended at {order['do']}")
        return json.loads(line)

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


@contextmanager
def readers(server: Contestant) -> Iterator[Talker]:
    talker = Talker(str(HERE / "sockets.py"), server.url)
    try:
        yield talker
    finally:
        talker.stop()


def idle(count: int) -> None:
    """What so many sockets cost that say nothing."""
    with ExitStack() as house:
        server = contestants.scripted(house, step_s=STEP_S)
        crowd = house.enter_context(readers(server))
        crowd.ask(do="idle", count=200)
        time.sleep(1)
        before = resident_kib(server.pid)
        crowd.ask(do="close")
        time.sleep(1)
        with readers(server) as more:
            opened = more.ask(do="idle", count=count)["seconds"]
            time.sleep(2)
            each = (resident_kib(server.pid) - before) / count
            spent = cpu_s(server.pid)
            time.sleep(IDLE_S)
            busy = (cpu_s(server.pid) - spent) / IDLE_S
    rows = [(count, f"{each:.1f}", f"{100 * busy:.2f} %", f"{opened:.1f}")]
    head = ("sockets", "KiB of resident memory each", "CPU of a core", "seconds to open all")
    publish("idle", table(head, rows), {"count": count, "kib": each, "busy": busy})


def storm(count: int, rounds: int) -> None:
    """So many sockets, each on an answer of its own, cut at once; all come back and go on."""
    got: list[Json] = []
    with ExitStack() as house:
        server = contestants.scripted(
            house, step_s=0.1, max_running=count, max_waiting_per_user=count
        )
        for _ in range(rounds):
            with readers(server) as crowd:
                fields = {"max_output_tokens": 200, "model": "tokenwire-demo"}
                crowd.ask(do="ask", count=count, fields=fields)
                time.sleep(1)
                returned = crowd.ask(do="storm")
                # It fails where a number is missing or doubled, or the text is another.
                got.append(returned | crowd.ask(do="end"))
                print(".", end="", flush=True)
    rows = [
        (
            count,
            spread([each["median"] for each in got]),
            spread([each["last"] for each in got]),
            f"{len(got)} of {rounds}",
        )
    ]
    head = ("sockets", "half are back after s", "all are back after s", "rounds without a loss")
    publish("storm", table(head, rows), {"count": count, "got": got})


def fanout(count: int, pairs: int) -> None:
    """One answer, so many readers, against a server that only writes."""
    one, many, plain = list[Json](), list[Json](), list[float]()
    with ExitStack() as house:
        server = contestants.scripted(house, step_s=STEP_S)
        for _ in range(pairs):
            one.append(_followed(server, 1))
            many.append(_followed(server, count))
            plain.append(_plain(many[-1], count))
            print(".", end="", flush=True)
    ours = [(m["cpu"] - o["cpu"]) for m, o in zip(many, one, strict=True)]
    times = [a / b for a, b in zip(ours, plain, strict=True)]
    slower = [m["seconds"] / o["seconds"] for m, o in zip(many, one, strict=True)]
    each = [1e6 * a / m["frames"] for a, m in zip(ours, many, strict=True)]
    rows = [(count, spread(each), spread(times), spread(slower))]
    head = (
        "readers",
        "CPU \u00b5s for a frame",
        "/ only writing it",
        "the answer took, / one reader",
    )
    publish("fanout", table(head, rows), {"one": one, "many": many, "plain": plain})


def _followed(server: Contestant, count: int) -> Json:
    """One answer with so many readers: the server's CPU, the seconds, the frames."""
    with readers(server) as writer, readers(server) as crowd:
        fields = {"max_output_tokens": FOLLOWED, "model": "tokenwire-demo"}
        began = time.perf_counter()
        (response_id,) = writer.ask(do="ask", count=1, fields=fields)["ids"]
        if count > 1:
            crowd.ask(do="attach", count=count - 1, response_id=response_id)
        opened = cpu_s(server.pid)
        mine = writer.ask(do="end")
        seconds = time.perf_counter() - began
        theirs = crowd.ask(do="end") if count > 1 else {"frames": 0, "bytes": 0}
        return {
            "cpu": cpu_s(server.pid) - opened,
            "seconds": seconds,
            "frames": mine["frames"] + theirs["frames"],
            "bytes": mine["bytes"] + theirs["bytes"],
        }


def _plain(many: Json, count: int) -> float:
    """Seconds of CPU to write as many frames of the same size to as many connections."""
    talker = Talker(str(HERE / "plain.py"))
    try:
        port = int(talker.read())
        return asyncio.run(_drink(talker, port, many, count))
    finally:
        talker.stop()


async def _drink(talker: Talker, port: int, many: Json, count: int) -> float:
    async def drink() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while await reader.read(1 << 16):
            pass
        writer.close()

    drinkers = [asyncio.create_task(drink()) for _ in range(count)]
    await asyncio.sleep(1)
    size = round(many["bytes"] / many["frames"])
    rounds = round(many["frames"] / count)
    try:
        order = {"rounds": rounds, "size": size, "every": many["seconds"] / rounds}
        done = await asyncio.to_thread(lambda: talker.ask(do="write", **order))
        assert done["peers"] == count
        return done["cpu"]
    finally:
        for each in drinkers:
            each.cancel()


def ceiling(streams: int, tokens: int, pairs: int) -> None:
    """Tokens a second through one server process, told one by one and as under load."""
    rows = list[tuple[object, ...]]()
    kept: Json = {}
    for name, adaptive in (("each by itself", False), ("a few together, as under load", True)):
        with ExitStack() as house:
            server = contestants.scripted(house, step_s=0, adaptive=adaptive)
            load = {"door": "ws", "streams": streams, "lanes": 1}
            server.load(**load, tokens=256, salt="warm")
            rates = list[float]()
            for turn in range(pairs):
                result = server.load(**load, tokens=tokens, salt=f"{turn}")
                rates.append(streams * tokens / result["seconds"])
                print(".", end="", flush=True)
        rows.append((name, spread(rates)))
        kept[name] = rates
    head = (f"tokens of {streams} answers on as many sockets", "tokens a second")
    publish("ceiling", table(head, rows), {"rates": kept, "median": median(kept[rows[0][0]])})


def journal(streams: int, pairs: int) -> None:
    """What it costs that events are on disk before they are seen: stored answers beside the same
    not stored, in the server's CPU while they run, and in how long their events wait to be read.
    """
    cores: dict[bool, list[float]] = {True: [], False: []}
    waits: dict[bool, list[float]] = {True: [], False: []}
    with ExitStack() as house:
        delays = Path(house.enter_context(tempfile.TemporaryDirectory())) / "delays"
        server = contestants.scripted(house, step_s=0.01, delays=delays)
        for turn in range(pairs):
            for store in cores:
                core = _while_they_run(server, streams, f"{turn}", store=store)
                cores[store].append(100 * core)
                waits[store].append(1000 * median(json.loads(delays.read_text())))
                print(".", end="", flush=True)
    rows = [
        (what, spread(got[True]), spread(got[False]), spread(_added(got)))
        for what, got in (("% of a core", cores), ("an event waits ms", waits))
    ]
    note = f"{streams} answers at 100 tokens a second each, {pairs} turns."
    head = ("", "stored", "not stored", "the journal's")
    publish(
        "journal",
        f"{note}\n\n{table(head, rows)}",
        {"cores": _added(cores), "waits": _added(waits)},
    )


def _added(got: dict[bool, list[float]]) -> list[float]:
    return [stored - plain for stored, plain in zip(got[True], got[False], strict=True)]


def _while_they_run(server: Contestant, streams: int, salt: str, *, store: bool) -> float:
    """Cores of the server's while all answers are under way: not while they begin or end."""
    with ThreadPoolExecutor(1) as other:
        load = {"door": "ws", "streams": streams, "lanes": 16, "tokens": 900}
        done = other.submit(lambda: server.load(**load, salt=salt, store=store))
        time.sleep(2.5)
        began, before = time.monotonic(), cpu_s(server.pid)
        time.sleep(5)
        cores = (cpu_s(server.pid) - before) / (time.monotonic() - began)
        assert not done.done()
        done.result()
    return cores
