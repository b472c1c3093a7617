"""A crowd of readers: many WebSockets that speak `tokenwire.v1`, each following one answer by its
numbers, in a process of its own. It reads orders as JSON lines on stdin and answers each with one.

It checks that no number is missing, doubled or of another text. It refuses to know what the server
does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import uvloop
from load import WebSocketDoor, quantile


Json = dict[str, Any]
# Connections that are opened at once.
OPENING = 100


class Reader(WebSocketDoor):
    """One socket on one answer: its own, or `response_id`. It can be cut and come back."""

    def __init__(self, url: str, create: Json | None, response_id: str = "") -> None:
        super().__init__({"url": url, "protocol": "tokenwire.v1"}, [""])
        self.asked = create
        self.response_id = response_id
        self.last = -1
        self.text = ""
        self.frames_seen = 0
        self.opened = asyncio.Event()
        self.came_back = asyncio.Event()

    def create(self) -> None:
        self.opened.set()
        if self.asked is not None:
            body, self.asked = {"type": "response.create", **self.asked}, None
            self.write(1, json.dumps(body).encode())
        elif self.response_id:
            body = {
                "type": "tokenwire:response.attach",
                "response_id": self.response_id,
                "starting_after": self.last,
            }
            self.write(1, json.dumps(body).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        # Cut on purpose, or told at the end.
        del exc

    def event(self, frame: memoryview) -> None:
        self.frames_seen += 1
        said: Json | list[Json] = json.loads(bytes(frame))
        for event in said if isinstance(said, list) else [said]:
            self.hear(event)

    def hear(self, event: Json) -> None:
        kind = str(event["type"])
        if kind == "error":
            self.done.set_exception(RuntimeError(str(event["error"])))
        if not kind.startswith("response."):
            return
        number = int(event["sequence_number"])
        if number != self.last + 1:
            self.done.set_exception(RuntimeError(f"{number} came after {self.last}"))
            return
        self.last = number
        self.came_back.set()
        if "response" in event:
            self.response_id = event["response"]["id"]
        if kind == "response.output_text.delta":
            self.text += event["delta"]
        elif kind == "response.output_text.done" and event["text"] != self.text:
            self.done.set_exception(RuntimeError("the text is another"))
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            self.done.set_result(None)


class Crowd:
    """The readers of one run."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.readers: list[Reader] = []

    async def open(self, readers: list[Reader]) -> None:
        url, loop = urlsplit(self.url), asyncio.get_running_loop()
        gate = asyncio.Semaphore(OPENING)

        async def one(reader: Reader) -> None:
            async with gate:
                await loop.create_connection(lambda: reader, url.hostname, url.port)
                await reader.opened.wait()

        await asyncio.gather(*(one(reader) for reader in readers))

    async def idle(self, order: Json) -> Json:
        """Open sockets that say nothing."""
        self.readers = [Reader(self.url, None) for _ in range(order["count"])]
        began = time.perf_counter()
        await self.open(self.readers)
        return {"seconds": time.perf_counter() - began}

    async def ask(self, order: Json) -> Json:
        """One answer for each socket, and wait until each has begun."""
        made = [
            {"input": f"Tell me about {index}.", **order["fields"]}
            for index in range(order["count"])
        ]
        self.readers = [Reader(self.url, create) for create in made]
        await self.open(self.readers)
        await asyncio.gather(*(reader.came_back.wait() for reader in self.readers))
        return {"ids": [reader.response_id for reader in self.readers]}

    async def attach(self, order: Json) -> Json:
        """So many sockets on one answer."""
        self.readers = [Reader(self.url, None, order["response_id"]) for _ in range(order["count"])]
        await self.open(self.readers)
        return {}

    async def storm(self, order: Json) -> Json:
        """Cut every socket at once; seconds until each has come back and heard something new."""
        del order
        for reader in self.readers:
            reader.transport.abort()
            reader.opened.clear()
            reader.came_back.clear()
        began = time.perf_counter()
        times: list[float] = []

        async def back(reader: Reader) -> None:
            await reader.came_back.wait()
            times.append(time.perf_counter() - began)

        waiting = [asyncio.create_task(back(reader)) for reader in self.readers]
        await self.open(self.readers)
        opened = time.perf_counter() - began
        await asyncio.gather(*waiting)
        return {"opened": opened, "median": quantile(times, 0.5), "last": max(times)}

    async def end(self, order: Json) -> Json:
        """Read all to their ends."""
        del order
        began = time.perf_counter()
        await asyncio.gather(*(reader.done for reader in self.readers))
        return {
            "seconds": time.perf_counter() - began,
            "frames": sum(reader.frames_seen for reader in self.readers),
            "bytes": sum(reader.received for reader in self.readers),
            "characters": sorted({len(reader.text) for reader in self.readers}),
        }

    async def close(self, order: Json) -> Json:
        del order
        for reader in self.readers:
            reader.transport.close()
        self.readers = []
        return {}


async def main(url: str) -> None:
    crowd, loop = Crowd(url), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        print(json.dumps(await getattr(crowd, order["do"])(order)), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1]))
