"""The server is killed while it answers: the next one goes on, and no client lost or doubled
anything.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import websockets

from support.database import assert_sound
from support.house import Json
from support.readers import Reader, assert_replayed, assert_whole, read
from support.server import Server, start_server
from support.waiting import until


pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
KILLS = 3
GREEDY = {"temperature": 0, "max_output_tokens": 250}
NAMES = ("Ada", "Ben", "Mia", "Tom", "Eva", "Max", "Lena", "Otto")


def asks(run: str, **sampling: object) -> list[Reader]:
    """Sixteen answers of different lengths; each knows itself again by its key."""
    texts = [f"Tell me a story about {name}." for name in NAMES]
    texts += [f"Count from 1 to {100 + 10 * index}." for index in range(8)]
    return [
        Reader({"input": text, **sampling, "tokenwire": {"idempotency_key": f"{run} {index}"}})
        for index, text in enumerate(texts)
    ]


def killed_at_random(tmp_path: Path, readers: list[Reader], dice: random.Random) -> Server:
    """Read them all while the server is killed and started again. Returns the last server."""
    server = start_server(tmp_path / "data")
    for _ in range(KILLS):
        server.wait_ready()

        async def main(server: Server = server) -> None:
            reading = asyncio.create_task(read(server.url, readers))
            await asyncio.sleep(dice.uniform(0.15, 0.7))
            server.kill()
            await reading

        asyncio.run(main())
        assert_sound(tmp_path / "data" / "tokenwire.db")
        server = start_server(tmp_path / "data")
    server.wait_ready()
    asyncio.run(read(server.url, readers))
    return server


def assert_kept(server: Server, readers: list[Reader]) -> None:
    assert_whole(readers)
    assert_replayed(server.url, readers)


def taken_up(readers: list[Reader]) -> int:
    return sum("taken_up" in reader.end["tokenwire"] for reader in readers)


def test_greedy_answers_survive_kill_9_of_the_server_unchanged(tmp_path: Path) -> None:
    readers, undisturbed = asks("killed", **GREEDY), asks("undisturbed", **GREEDY)
    server = killed_at_random(tmp_path, readers, random.Random(1))
    try:
        asyncio.run(read(server.url, undisturbed))
        assert [reader.text for reader in readers] == [reader.text for reader in undisturbed]
        assert_kept(server, readers)
        assert taken_up(readers) > 0
        made = httpx.post(
            f"{server.url}/v1/responses",
            json={"input": "Anything", **GREEDY},
            headers={"Idempotency-Key": "killed 0"},
            trust_env=False,
        ).json()
        assert made["id"] == readers[0].id
    finally:
        server.stop()
    with closing(sqlite3.connect(tmp_path / "data" / "tokenwire.db")) as connection:
        statuses = {status for (status,) in connection.execute("SELECT status FROM response")}
        assert statuses <= {"completed", "incomplete"}
        assert connection.execute("SELECT count(*) FROM journal").fetchone() == (0,)


def test_what_was_seen_of_a_sampled_answer_stays_a_prefix_of_it(tmp_path: Path) -> None:
    readers = asks("sampled", temperature=1, max_output_tokens=250)
    server = killed_at_random(tmp_path, readers, random.Random(2))
    try:
        # `take` has held every number that was seen before a kill against what came after it.
        assert_kept(server, readers)
        assert taken_up(readers) > 0
    finally:
        server.stop()


def test_a_plain_answer_that_was_killed_ends_as_interrupted_with_its_text(tmp_path: Path) -> None:
    server = start_server(tmp_path / "data")
    server.wait_ready()

    async def main() -> list[Json]:
        events: list[Json] = []
        url = server.url.replace("http://", "ws://") + "/v1/responses"
        async with websockets.connect(url) as socket:
            ask = {"type": "response.create", "input": "Count from 1 to 200.", "temperature": 0}
            await socket.send(json.dumps(ask))
            while sum(event["type"] == "response.output_text.delta" for event in events) < 3:
                events.append(json.loads(await socket.recv()))
            server.kill()
        return events

    events = asyncio.run(main())
    seen = "".join(str(event.get("delta", "")) for event in events)
    again = start_server(tmp_path / "data")
    try:
        url = f"{again.url}/v1/responses/{events[0]['response']['id']}"
        found = httpx.get(url, trust_env=False).json()
        assert found["status"] == "incomplete"
        assert found["incomplete_details"] == {"reason": "interrupted"}
        assert found["output"][0]["content"][0]["text"].startswith(seen)
        assert found["output"][0]["status"] == "incomplete"
    finally:
        again.stop()


def test_sigterm_leaves_a_durable_answer_to_the_next_server(tmp_path: Path) -> None:
    server = start_server(tmp_path / "data")
    server.wait_ready()
    readers, undisturbed = asks("stopped", **GREEDY)[:4], asks("again", **GREEDY)[:4]

    async def main() -> None:
        reading = asyncio.create_task(read(server.url, readers))
        await until(lambda: all(reader.text for reader in readers))
        await asyncio.to_thread(server.stop)
        await reading

    asyncio.run(main())
    assert not any(reader.done for reader in readers)
    again = start_server(tmp_path / "data")
    try:
        again.wait_ready()
        asyncio.run(read(again.url, readers))
        asyncio.run(read(again.url, undisturbed))
        assert [reader.text for reader in readers] == [reader.text for reader in undisturbed]
        assert_kept(again, readers)
    finally:
        again.stop()
