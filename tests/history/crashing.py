"""A server that is going to be killed: run by test_crash.py as a process of its own.

For each line on stdin it forks a child that begins, journals and finishes responses until it is
killed, and says what was acknowledged: "<pid>", then "began <id>" and "finished <id>", and "dead"
when it is.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tokenwire.history.store import Store
from tokenwire.history.values import Ended, JournalEntry, JsonObject, NewResponse


def say(words: str) -> None:
    os.write(1, f"{words}\n".encode())


def journalled(id: str) -> list[str]:
    return [f'{{"id":"{id}","n":{n}}}' for n in range(20)]


async def answer(store: Store, id: str) -> None:
    said: JsonObject = {"id": f"in_{id}", "type": "message", "role": "user", "content": "Hi"}
    await store.begin(
        NewResponse(id, "ann", {"id": id}, [said], "m", None, None, f"key {id}", True, 1)
    )
    say(f"began {id}")
    events = journalled(id)
    for first in range(0, 15, 5):
        await store.journal([JournalEntry(id, first, events[first : first + 5], [first])])
    output = [{"id": f"out_{id}", "type": "message", "content": "x" * 500}]
    await store.finish(
        Ended(
            id=id,
            resource={"id": id, "output": output},
            status="completed",
            finish_reason="stop",
            events=events,
            token_ids=[1, 2, 3],
            prompt_tokens=1,
            cached_tokens=0,
            completion_tokens=3,
            queued_ms=0,
            ttft_ms=1,
            decode_ms=1,
            seed=None,
            done_ms=2,
        )
    )
    say(f"finished {id}")


async def live(path: Path, life: int) -> None:
    store = await Store.open(path)
    await store.user("ann", name="Ann")
    say(str(os.getpid()))

    async def lane(number: int) -> None:
        for n in range(100_000):
            await answer(store, f"r{life}_{number}_{n}")

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(lane(number))


if __name__ == "__main__":
    for life, _ in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            asyncio.run(live(Path(sys.argv[1]), life))
        os.waitpid(child, 0)
        say("dead")
