"""Clients that never give up: each keeps one answer over any number of sockets and servers, and
holds every event that it gets against what it had seen under that number.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import websockets

from support.house import Json, events_of


END = ("response.completed", "response.incomplete", "response.failed")
LANES = 16


@dataclass
class Reader:
    """One answer as a client keeps it. `times`: when each event came, on the monotonic clock."""

    ask: Json
    id: str | None = None
    seen: dict[int, str] = field(default_factory=dict[int, str])
    times: list[float] = field(default_factory=list[float])
    done: bool = False

    @property
    def last(self) -> int:
        return max(self.seen, default=-1)

    @property
    def text(self) -> str:
        events = [json.loads(self.seen[number]) for number in sorted(self.seen)]
        return "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")

    @property
    def end(self) -> Json:
        """The response as its terminal event has it."""
        return json.loads(self.seen[self.last])["response"]

    def take(self, event: Json) -> None:
        number = event["sequence_number"]
        body = json.dumps({k: v for k, v in event.items() if k != "stream_id"}, sort_keys=True)
        # A number that was seen never stands for anything else.
        assert self.seen.setdefault(number, body) == body, (self.seen[number], body)
        self.times.append(time.monotonic())
        if "response" in event:
            self.id = event["response"]["id"]
        self.done = event["type"] in END


@asynccontextmanager
async def page(url: str) -> AsyncGenerator[websockets.ClientConnection, None]:
    """A socket as the page has it."""
    protocol = websockets.Subprotocol("tokenwire.v1")
    where = url.replace("http://", "ws://") + "/v1/responses"
    async with websockets.connect(where, subprotocols=[protocol], max_size=None) as socket:
        yield socket


async def read(url: str, readers: Iterable[Reader]) -> None:
    """Create or attach to each answer that has not ended, and read until all have or the server is
    gone. Sixteen share a socket.
    """
    left = [reader for reader in readers if not reader.done]
    async with asyncio.TaskGroup() as tasks:
        for start in range(0, len(left), LANES):
            tasks.create_task(_read_on_one(url, left[start : start + LANES]))


async def _read_on_one(url: str, readers: list[Reader]) -> None:
    lanes = {f"l{index}": reader for index, reader in enumerate(readers)}
    try:
        async with page(url) as socket:
            for lane, reader in lanes.items():
                await socket.send(json.dumps({**_wanted(reader), "stream_id": lane}))
            while not all(reader.done for reader in readers):
                for event in events_of(await socket.recv()):
                    if event["type"].startswith("tokenwire:"):
                        continue
                    assert event["type"] != "error", event
                    lanes[event["stream_id"]].take(event)
    except (websockets.ConnectionClosed, websockets.InvalidMessage, OSError):
        return


def _wanted(reader: Reader) -> Json:
    if reader.id is None:
        return {"type": "response.create", **reader.ask}
    return {
        "type": "tokenwire:response.attach",
        "response_id": reader.id,
        "starting_after": reader.last,
    }


def assert_whole(readers: Iterable[Reader]) -> None:
    """Every number once, none missing."""
    for reader in readers:
        assert reader.done
        assert sorted(reader.seen) == list(range(reader.last + 1))


def assert_replayed(url: str, readers: Iterable[Reader]) -> None:
    """The server replays exactly what was seen."""
    for reader in readers:
        stream = httpx.get(f"{url}/v1/responses/{reader.id}?stream=true", trust_env=False).text
        replayed = [
            json.dumps(json.loads(line.removeprefix("data: ")), sort_keys=True)
            for line in stream.splitlines()
            if line.startswith("data: {")
        ]
        assert replayed == [reader.seen[number] for number in range(reader.last + 1)]
