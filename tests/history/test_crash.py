"""kill -9 at any moment: what was acknowledged is there, and the file is sound."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from support.database import assert_sound
from tokenwire.history.store import Store


ROUNDS = 10


def journalled(id: str) -> list[str]:
    """What crashing.py makes a response say."""
    return [f'{{"id":"{id}","n":{n}}}' for n in range(20)]


def one_life(commands: IO[str], words: IO[str], acknowledgements: int) -> set[str]:
    """Start a server, kill it after so many acknowledgements; all that it acknowledged."""
    commands.write("live\n")
    commands.flush()
    pid = int(words.readline())
    heard = {words.readline().strip() for _ in range(acknowledgements)}
    os.kill(pid, signal.SIGKILL)
    # What it still said before it died was a promise too.
    heard |= {word.strip() for word in iter(words.readline, "dead\n")}
    return heard


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    dice = random.Random(20261123)
    promised: set[str] = set()
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("crashing.py")), str(path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for _ in range(ROUNDS):
            promised |= one_life(server.stdin, server.stdout, dice.randrange(1, 120))
            assert_sound(path)
    assert len(promised) > ROUNDS
    asyncio.run(check(path, promised))


async def check(path: Path, promised: set[str]) -> None:
    store = await Store.open(path)
    for promise in promised:
        did, id = promise.split()
        if did == "finished":
            assert await store.status("ann", id) == "completed"
            assert await store.events("ann", id) == journalled(id)
            chain = await store.chain("ann", id)
            assert chain is not None
            assert [item["id"] for item in chain] == [f"in_{id}", f"out_{id}"]
        else:
            assert await store.status("ann", id) in ("queued", "completed")
    for left in await store.unfinished():
        assert await store.status("ann", left.begun.id) == "queued"
        if left.said is not None:
            # What was journalled comes back whole, in order, as far as it was written.
            assert left.said.first == 0
            assert list(left.said.events) == journalled(left.begun.id)[: len(left.said.events)]
    await store.close()
