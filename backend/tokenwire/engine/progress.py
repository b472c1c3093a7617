"""The server's end of a load's progress: datagrams from the engine process become stages.

It knows the words that the executor sends and refuses to know vLLM.
"""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

from tokenwire.engine.failures import Failure
from tokenwire.engine.models import Stage


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


MIB = 1 << 20
# Under this name the path of the socket travels to the executor, in vLLM's additional_config.
PROGRESS_KEY = "tokenwire_progress"
# Under this name an engine process says what kept it from starting.
FAILED = "failed"
_MESSAGE_BYTES = 1 << 16

_SENTENCES = {
    "init_device": "Starting the engine process",
    "weights": "Loading weights",
    "profile": "Measuring memory",
    "kv_alloc": "Allocating the KV cache",
    "warmup": "Warming up",
}


class LoadingProgress:
    """Listens to the executor's datagrams while a model loads, and turns them into stages; keeps
    what the engine process said of its failure.
    """

    def __init__(self, path: Path, total: int | None, on_stage: Callable[[Stage], None]) -> None:
        self._path, self._total, self._on_stage = path, total, on_stage
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._failure: Failure | None = None

    def __enter__(self) -> LoadingProgress:
        self._socket.settimeout(0)
        self._socket.bind(str(self._path))
        # add_reader, not a datagram endpoint: uvloop has none for unix sockets.
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._receive)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def failure(self) -> Failure | None:
        """What the engine process said of its failure, if it said anything."""
        # The process has ended, and its last words may lie unread.
        while self._receive():
            pass
        return self._failure

    def _receive(self) -> bool:
        """Take a datagram. False: there is none."""
        try:
            received = self._socket.recv(_MESSAGE_BYTES)
        except OSError:
            return False
        try:
            message = json.loads(received)
        except ValueError:
            return True
        if FAILED in message:
            # The first is nearest to the cause: what comes after it failed for it.
            self._failure = self._failure or Failure(**message[FAILED])
        else:
            self._tell(message)
        return True

    def _tell(self, message: dict[str, Any]) -> None:
        stage = message["stage"]
        done, progress, detail = message.get("done"), None, _SENTENCES.get(stage)
        if stage == "weights" and done is not None and self._total:
            progress = min(done / self._total, 1.0)
            detail = f"Loading weights, {done / MIB:.0f} of {self._total / MIB:.0f} MiB"
        self._on_stage(Stage(stage, progress, detail))
