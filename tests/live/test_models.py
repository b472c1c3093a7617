"""A second model of another architecture: fetched from a hub, loaded while the first is answering,
answering beside it; and the first given up under its answer, which nothing of all that changes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.hub import Repository, a_hub
from support.model import make_model
from support.server import start_server, wait_gone


pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

REPO = "org/tiny-qwen3"
Json = dict[str, Any]
# Longer than another model takes to be there.
LONG: Json = {
    "input": "Count to 200.",
    "temperature": 0,
    "stream": True,
    "ignore_eos": True,
    "max_output_tokens": 1800,
}


class Reader:
    """One streamed answer: its text so far, and how it ended."""

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
async def serving(folder: Path, hub: str) -> AsyncGenerator[httpx.AsyncClient]:
    """A server whose hub is that one."""
    environment = {"HF_ENDPOINT": hub, "HF_HOME": str(folder / "hub")}
    server = await asyncio.to_thread(start_server, folder / "data", environment=environment)
    try:
        await asyncio.to_thread(server.wait_ready)
        async with httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as client:
            yield client
    finally:
        engines = server.engines()
        await asyncio.to_thread(server.stop)
        assert not wait_gone(engines, 10)


async def state(client: httpx.AsyncClient, model: str) -> Json:
    return (await client.get(f"/v1/models/{model}")).json()["tokenwire"]


async def until_state(client: httpx.AsyncClient, model: str, *wanted: str) -> Json:
    async with asyncio.timeout(60):
        while (about := await state(client, model))["state"] not in wanted:  # noqa: ASYNC110 - it is what is told
            await asyncio.sleep(0.05)
    return about


async def test_a_model_is_fetched_and_loaded_beside_a_running_answer(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "qwen3", kind="qwen3")
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    async with a_hub() as hub, serving(tmp_path, hub.url) as client:
        hub.repos[REPO] = Repository(files)
        before = await Reader(client, LONG).task
        fetched = await client.post("/v1/models/download", json={"model": REPO})
        assert fetched.status_code == 202
        about = await until_state(client, REPO, "unloaded", "paused", "failed")
        assert (about["state"], about["reason"], about["fits"]) == ("unloaded", None, True)

        long = Reader(client, LONG)
        await long.more_than(20)

        # The request itself has it loaded, and tells the stages.
        body: Json = {"model": REPO, "input": "Hi", "stream": True, "max_output_tokens": 200}
        other = Reader(client, body | {"ignore_eos": True})
        await other.more_than(0)
        assert long.end is None, "the first had ended before the second spoke"
        assert [model["state"] for model in other.models][:1] == ["loading"]
        seen = len(long.text)
        await long.more_than(seen)

        gone = await client.post("/v1/models/unload", json={"model": "tokenwire-demo"})
        assert gone.json()["tokenwire"]["state"] == "draining"
        assert await long.task == before
        assert long.end is not None
        assert long.end["status"] == "incomplete"
        await until_state(client, "tokenwire-demo", "unloaded")
        await other.task
        assert other.end is not None
        assert (other.end["status"], other.end["model"]) == ("incomplete", REPO)
        numbers = (await client.get("/metrics")).text
        assert f'tokenwire_engine_generation_tokens_total{{model="{REPO}"}} 200' in numbers
        assert 'tokenwire_model_loaded{model="tokenwire-demo"} 0' in numbers
        # And back, by asking.
        assert await Reader(client, LONG).task == before
