"""How the server starts and ends: quickly, saved, and with no engine process left behind."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
import websockets

from support.house import Json, parse_sse
from support.server import Server, descendants, start_server, wait_gone


pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
LONG = {"model": "tokenwire-demo", "input": "Count to 200.", "ignore_eos": True}
END = ("response.completed", "response.incomplete", "response.failed")


@pytest.fixture
def own_server(tmp_path: Path) -> Generator[Server, None, None]:
    """A server that the test may end as it likes."""
    running = start_server(tmp_path / "data")
    try:
        yield running
    finally:
        left = descendants(running.pid)
        running.kill()
        assert not wait_gone(left, 10)


def test_health_comes_before_the_model_and_the_stages_are_told(own_server: Server) -> None:
    health = httpx.get(f"{own_server.url}/healthz", trust_env=False)
    assert health.status_code == 200
    first = httpx.get(f"{own_server.url}/readyz", trust_env=False)
    assert first.status_code == 503
    assert first.json()["model"]["tokenwire"]["state"] == "loading"
    assert first.json()["model"]["tokenwire"]["detail"]
    early = httpx.post(
        f"{own_server.url}/v1/responses",
        json={"model": "tokenwire-demo", "input": "Hello", "stream": True},
        timeout=120,
        trust_env=False,
    )
    stages = [
        event["response"]["tokenwire"]["model"]["stage"]
        for event in parse_sse(early.text)
        if event["type"] == "response.queued" and "model" in event["response"]["tokenwire"]
    ]
    assert stages
    assert parse_sse(early.text)[-1]["type"] == "response.completed"
    assert own_server.wait_ready() > 0


def test_sigterm_with_ten_streams_saves_everything_and_leaves_nothing(own_server: Server) -> None:
    own_server.wait_ready()
    processes = descendants(own_server.pid)
    assert own_server.engines()

    async def main() -> list[list[Json]]:
        async with asyncio.TaskGroup() as tasks:
            streams = [tasks.create_task(_stream_by_socket(own_server)) for _ in range(5)]
            streams += [tasks.create_task(_stream_byparse_sse(own_server)) for _ in range(5)]
            await asyncio.sleep(1)
            own_server.process.send_signal(signal.SIGTERM)
        return [stream.result() for stream in streams]

    sent = time.monotonic()
    streams = asyncio.run(main())
    status = own_server.process.wait(20)
    assert status == 0, own_server.log.read_text()
    assert time.monotonic() - sent < 11
    assert not wait_gone(processes, 3)
    for events in streams:
        assert events[-1]["type"] in END
    again = start_server(own_server.data_dir)
    try:
        for events in streams:
            final = events[-1]["response"]
            assert isinstance(final, dict)
            url = f"{again.url}/v1/responses/{final['id']}"
            assert httpx.get(url, trust_env=False).json() == final
    finally:
        again.stop()


def test_sigkill_of_the_server_takes_the_engine_with_it(own_server: Server) -> None:
    own_server.wait_ready()
    engines = own_server.engines()
    assert engines
    own_server.kill()
    assert not wait_gone(engines, 2)


def test_sigterm_while_the_model_loads_ends_the_server_and_the_engine(own_server: Server) -> None:
    processes = descendants(own_server.pid)
    sent = time.monotonic()
    assert own_server.stop() == 0
    assert time.monotonic() - sent < 10
    assert not wait_gone(processes, 5)


def test_a_second_server_on_the_same_data_is_refused_with_a_sentence(own_server: Server) -> None:
    with pytest.raises(AssertionError) as refused:
        start_server(own_server.data_dir)
    assert "tokenwire: " in str(refused.value)
    assert "Traceback" not in str(refused.value)


async def _stream_by_socket(server: Server) -> list[Json]:
    events: list[Json] = []
    url = server.url.replace("http://", "ws://") + "/v1/responses"
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"type": "response.create", **LONG}))
        try:
            while True:
                events.append(json.loads(await socket.recv()))
        except websockets.ConnectionClosed:
            pass
    assert socket.close_code == 1012
    return events


async def _stream_byparse_sse(server: Server) -> list[Json]:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        answer = await client.post(f"{server.url}/v1/responses", json={**LONG, "stream": True})
    assert answer.text.endswith("data: [DONE]\n\n")
    return parse_sse(answer.text)
