"""A warm-up in the real engine: whoever asks sets it aside in the middle, and it goes on
from what it has read.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from support.house import Json, events_of
from support.server import start_server


pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

ENGINE = {"max_num_batched_tokens": 16, "max_num_seqs": 8}
TERMINAL = ("response.completed", "response.incomplete", "response.failed")


def story(number: int) -> str:
    """Long enough to be read in many steps, and none begins as another does."""
    return f"{number}. Remember: " + " ".join(f"word{number}x{n}" for n in range(120))


def events(socket: ClientConnection) -> list[Json]:
    return events_of(socket.recv(60))


def until(socket: ClientConnection, *wanted: tuple[str, str]) -> list[Json]:
    """What comes until each lane has had its event."""
    seen: list[Json] = []
    left = set(wanted)
    while left:
        seen += events(socket)
        left -= {(each.get("stream_id", ""), each["type"]) for each in seen}
    return seen


def asked_while_it_reads(socket: ClientConnection, number: int) -> tuple[list[str], Json]:
    """The lanes in the order of their ends, and the warm-up as it ended."""
    warm = {"input": story(number), "generate": False, "store": False}
    socket.send(json.dumps({"type": "response.create", "stream_id": "warm", **warm}))
    seen = until(socket, ("warm", "response.in_progress"))
    # It is told before the engine has begun, and nothing is told while it reads.
    time.sleep(0.02 * number)
    short = {"input": f"Hi {number}", "max_output_tokens": 4, "ignore_eos": True}
    socket.send(json.dumps({"type": "response.create", "stream_id": "answer", **short}))
    while sum(each["type"] in TERMINAL for each in seen) < 2:
        seen += events(socket)
    ends = [each for each in seen if each["type"] in TERMINAL]
    (warmed,) = [each["response"] for each in ends if each["stream_id"] == "warm"]
    return [each["stream_id"] for each in ends], warmed


def test_an_answer_sets_it_aside_and_what_it_has_read_stays(tmp_path: Path) -> None:
    environment = {"TOKENWIRE_ENGINE_ARGS": json.dumps(ENGINE)}
    server = start_server(tmp_path / "data", environment=environment)
    try:
        server.wait_ready()
        url = server.url.replace("http://", "ws://") + "/v1/responses"
        with connect(url, subprotocols=["tokenwire.v1"], proxy=None) as socket:  # pyright: ignore[reportArgumentType]
            # On a busy machine one may have been read before the answer was asked for.
            for number in range(8):
                order, warmed = asked_while_it_reads(socket, number)
                assert warmed["status"] == "completed"
                total = warmed["usage"]["input_tokens"]
                assert warmed["tokenwire"]["warm_tokens"] == total > 500
                found = warmed["usage"]["input_tokens_details"]["cached_tokens"]
                if order == ["answer", "warm"] and 64 < found < total:
                    return
            raise AssertionError("None was set aside and gone on with.")
    finally:
        server.stop()
