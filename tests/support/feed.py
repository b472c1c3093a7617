"""The page's connection over HTTP alone, as a test client: what is sent is posted, what is received
are the events of the feed. It has the two verbs of a WebSocket, so that a test can be about both.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx

from support.promised import check_streamed


class Feed:
    """A feed that is being read. `id`: its connection."""

    def __init__(self, http: httpx.AsyncClient, lines: AsyncIterator[str]) -> None:
        self._http = http
        self._lines = lines
        self.id = ""
        self.hello = ""

    async def start(self) -> None:
        self.hello = await self.recv()
        self.id = json.loads(self.hello)["connection_id"]

    async def send(self, *events: str) -> None:
        body = f'{{"events":[{",".join(events)}]}}'
        answer = await self._http.post(f"/v1/events/{self.id}", content=body)
        assert (answer.status_code, answer.content) == (204, b""), answer.text

    async def recv(self) -> str:
        """The next event. Raises EOFError at the end of the stream."""
        async with asyncio.timeout(10):
            async for line in self._lines:
                if line:
                    assert line.startswith("data: "), line
                    check_streamed("GET", "/v1/events", json.loads(line[6:]))
                    return line[6:]
        raise EOFError


@asynccontextmanager
async def open_feed(http: httpx.AsyncClient) -> AsyncGenerator[Feed, None]:
    async with http.stream("GET", "/v1/events") as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        feed = Feed(http, answer.aiter_lines())
        await feed.start()
        yield feed
