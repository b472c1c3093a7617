"""A server with real engines, its answers over plain SSE as they come, and what it tells of its
models meanwhile.

It refuses to know what a test wants of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from support.house import Json
from support.server import start_server, wait_gone


class Streamed:
    """One answer, read as it comes: its text so far, what was told of its model, how it ended."""

    def __init__(self, client: httpx.AsyncClient, body: Json) -> None:
        self.text = ""
        self.end: Json | None = None
        self.models = list[Json]()
        self.grown = asyncio.Event()
        self.task = asyncio.create_task(self._read(client, body))

    async def more_than(self, length: int) -> None:
        async with asyncio.timeout(60):
            while len(self.text) <= length and self.end is None:
                self.grown.clear()
                await self.grown.wait()
        assert len(self.text) > length, self.end

    async def _read(self, client: httpx.AsyncClient, body: Json) -> str:
        async with client.stream("POST", "/v1/responses", json=body) as reply:
            async for line in reply.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line.removeprefix("data: "))
                self.text += event.get("delta", "")
                if "response" in event:
                    if model := event["response"]["tokenwire"].get("model"):
                        self.models.append(model)
                    if event["response"]["status"] not in ("queued", "in_progress"):
                        self.end = event["response"]
                self.grown.set()
        return self.text


@asynccontextmanager
async def serving(
    folder: Path, *options: str, **environment: str
) -> AsyncGenerator[httpx.AsyncClient]:
    """A server with its data in `folder`, once its default model is ready."""
    server = await asyncio.to_thread(
        start_server, folder / "data", *options, environment=environment
    )
    try:
        await asyncio.to_thread(server.wait_ready)
        async with httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as client:
            yield client
    finally:
        engines = server.engines()
        await asyncio.to_thread(server.stop)
        assert not wait_gone(engines, 10)


async def states(client: httpx.AsyncClient) -> dict[str, str]:
    """Where each model stands, by its id."""
    listed = (await client.get("/v1/models")).json()["data"]
    return {model["id"]: model["tokenwire"]["state"] for model in listed}


async def until_state(client: httpx.AsyncClient, model: str, *wanted: str) -> Json:
    """What is told of a model once it stands so."""
    async with asyncio.timeout(60):
        while True:
            about = (await client.get(f"/v1/models/{model}")).json()["tokenwire"]
            if about["state"] in wanted:
                return about
            await asyncio.sleep(0.05)
