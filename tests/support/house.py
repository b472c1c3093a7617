"""An open house: the real rooms on a live Hypercorn on a free port, over a scripted engine.

In the test's own event loop, so that a test can hold the engine, look into the store and speak
to the port at once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import httpx
import websockets
from hypercorn.asyncio import serve as hypercorn_serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config

from support.promised import check_answer
from support.scripted import ScriptedEngine, ScriptedEngines
from tokenwire.engine.supervisor import Supervisor
from tokenwire.generation.admission import AdmissionLimits
from tokenwire.generation.generations import Generations
from tokenwire.generation.steering import Steering
from tokenwire.generation.titles import Titler
from tokenwire.history.store import Store
from tokenwire.memory import StoredRecords
from tokenwire.metrics import Metrics
from tokenwire.serve import listen
from tokenwire.web.app import create_app
from tokenwire.web.hub import Hub
from tokenwire.web.parts import DoorLimits, Parts
from tokenwire.web.sockets import Sockets


USER = "local"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The rooms, and where they are reached. `http` holds all that it sees against /docs."""

    url: str
    engine: ScriptedEngine
    engines: ScriptedEngines
    generations: Generations
    store: Store
    parts: Parts
    http: httpx.AsyncClient

    @property
    def socket_url(self) -> str:
        return self.url.replace("http://", "ws://") + "/v1/responses"

    def connect(self, *, page: bool = False) -> websockets.connect:
        """A WebSocket; `page` negotiates tokenwire.v1."""
        offered = [websockets.Subprotocol("tokenwire.v1")] if page else None
        return websockets.connect(self.socket_url, subprotocols=offered, max_size=None)


@asynccontextmanager
async def open_house(
    folder: Path,
    engine: ScriptedEngine | None = None,
    *,
    ready: bool = True,
    admission: AdmissionLimits | None = None,
    limits: DoorLimits | None = None,
    errorlog: str | None = None,
    models: Supervisor | None = None,
    titles: bool = False,
) -> AsyncGenerator[House, None]:
    """Open it, and close it whatever happens. `models` stand in the place of the one scripted;
    `titles`: its model is asked for titles.
    """
    engine = engine or ScriptedEngine()
    engines = ScriptedEngines(engine, ready=ready)
    store = await Store.open(folder / "test.db")
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(store.run())
        await store.user(USER, name=USER)
        records = StoredRecords(store)
        generations = Generations(models or engines, records, tasks, limits=admission)
        hub = Hub(store.conversation)
        hub.follow(generations)
        asks = "auto" if titles else "never"
        titler = Titler(generations, models or engines, records, hub.updated, asks=asks, pause_s=0)
        (models or engines).subscribe(hub.model_changed)
        parts = Parts(
            generations=generations,
            steering=Steering(generations, tasks),
            models=models or engines,
            store=store,
            hub=hub,
            metrics=Metrics(),
            user_id=USER,
            page=folder / "page",
            server_id="srv_test",
            sockets=Sockets(),
            limits=limits or DoorLimits(),
        )
        service = [
            tasks.create_task(work.run()) for work in (generations, hub, parts.sockets, titler)
        ]
        config = Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.graceful_timeout = 0.5
        config.websocket_max_message_size = parts.limits.max_message_bytes
        config.errorlog = errorlog
        serving = tasks.create_task(
            hypercorn_serve(create_app(parts), config, shutdown_trigger=stop.wait)
        )
        hooks = {"response": [check_answer]}
        async with httpx.AsyncClient(
            base_url=url, timeout=10, trust_env=False, event_hooks=hooks
        ) as http:
            try:
                yield House(
                    url=url,
                    engine=engine,
                    engines=engines,
                    generations=generations,
                    store=store,
                    parts=parts,
                    http=http,
                )
            finally:
                engine.go.set()
                await generations.close()
                parts.sockets.drain()
                stop.set()
                await serving
                for task in service:
                    task.cancel()
                await store.close()
                await writing


async def open_raw(
    house: House, headers: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket whose frames are left to the test."""
    url = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=1024)
    writer.write(
        b"GET /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + headers + b"\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


class Receives(Protocol):
    """A WebSocket, or a feed."""

    async def recv(self) -> str | bytes: ...


async def receive(socket: Receives) -> Json:
    """The next event of a socket on which a frame is one event."""
    return json.loads(await asyncio.wait_for(socket.recv(), 10))


async def receive_until(socket: Receives, *kinds: str) -> list[Json]:
    """Events until one of a kind came, and what came in the same frame. The last may be another."""
    events: list[Json] = []
    while not any(event["type"] in kinds for event in events):
        events.extend(events_of(await asyncio.wait_for(socket.recv(), 10)))
    return events


def error_of(answer: httpx.Response) -> tuple[int, object, object]:
    """(status, code, param) of a refusal."""
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "code", "param"}
    return answer.status_code, error["code"], error["param"]


def events_of(frame: str | bytes) -> list[Json]:
    """The events of a frame: one, or on a page's socket perhaps many."""
    value: Any = json.loads(frame)
    return cast("list[Json]", value) if isinstance(value, list) else [value]


def parse_sse(text: str) -> list[Json]:
    """The data of each event of a stream, [DONE] and comments left out."""
    datas = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(data) for data in datas if data != "[DONE]"]


def text_of(events: list[Json]) -> str:
    """The text that the deltas add up to."""
    return "".join(str(e["delta"]) for e in events if e["type"] == "response.output_text.delta")
