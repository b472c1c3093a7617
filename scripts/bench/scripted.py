"""Tokenwire as it is, with an engine that knows no model in the place of vLLM: what the server
itself costs, and how much it can carry. A process of its own, with the command line of `tokenwire`.

All answers step together, as in a continuous batch, one token a step, and what an answer has not
taken yet comes to it as one piece, as in vLLM. `BENCH_STEP_S`: the seconds of a step, 0 for as fast
as the event loop goes. `BENCH_INTERVAL`: 0 takes the adaptive interval away. It says the same words
for the same prompt and refuses to know who reads.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path


sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "backend"))

import tokenwire.__main__ as command
from tokenwire.engine.base import (
    Delta,
    EngineLimits,
    ModelInfo,
    Prompt,
    Resume,
    Sampling,
    Stage,
)
from tokenwire.engine.interval import StreamInterval


WORDS = [f" w{index:03}" for index in range(256)]
STEP_S = float(os.environ.get("BENCH_STEP_S", "0"))
ADAPTIVE = os.environ.get("BENCH_INTERVAL", "1") != "0"
CONTEXT, ANSWER = 1 << 20, 128


@dataclass(slots=True, eq=False)
class _Request:
    left: int
    made: int
    untold: int = 0
    told: asyncio.Event = field(default_factory=asyncio.Event)


class Engine:
    """The Engine protocol over a clock."""

    def __init__(self) -> None:
        self.limits = EngineLimits(context_length=CONTEXT, max_running=1 << 16, kv_tokens=1 << 24)
        self.alive = True
        self._interval = StreamInterval()
        self._running: list[_Request] = []
        self._clock: asyncio.Task[None] | None = None

    async def render(self, messages: list[dict[str, object]]) -> Prompt:
        return Prompt(tuple(range(sum(len(str(m["content"]).split()) for m in messages))))

    async def generate(
        self, prompt: Prompt, sampling: Sampling, request_id: str, resume: Resume | None = None
    ) -> AsyncGenerator[Delta, None]:
        del prompt, request_id
        done = len(resume.token_ids) if resume else 0
        request = _Request((sampling.max_tokens or ANSWER) - done, done)
        self._running.append(request)
        if self._clock is None:
            self._clock = asyncio.create_task(self._tick())
        try:
            while request.left or request.untold:
                await request.told.wait()
                request.told.clear()
                start, request.untold = request.made, 0
                request.made = (sampling.max_tokens or ANSWER) - request.left
                numbers = tuple(number % len(WORDS) for number in range(start, request.made))
                text = "".join([WORDS[number] for number in numbers])
                yield Delta(text, numbers, None if request.left else "length")
        finally:
            if request.left:
                self._running.remove(request)

    async def _tick(self) -> None:
        while self._running:
            await asyncio.sleep(STEP_S)
            self._interval.stepped(len(self._running))
            every = self._interval.tokens if ADAPTIVE else 1
            for request in self._running:
                request.left -= 1
                request.untold += 1
                if request.untold >= every or not request.left:
                    request.told.set()
            self._running = [request for request in self._running if request.left]
        self._clock = None

    async def close(self) -> None:
        self.alive = False
        if self._clock is not None:
            self._clock.cancel()


class Engines:
    """What the composition root takes for `VllmEngines`."""

    def __init__(self, options: object) -> None:
        del options

    def preimport(self) -> None: ...

    async def start(self, info: ModelInfo, on_stage: Callable[[Stage], None]) -> Engine:
        del info, on_stage
        return Engine()

    def close(self) -> None: ...


def main() -> int:
    from tokenwire import serve
    from tokenwire.engine import environment

    serve.VllmEngines = Engines  # pyright: ignore[reportAttributeAccessIssue]
    environment.start_forkserver = lambda: None
    environment.stop_forkserver = lambda: None
    return command.main(["serve", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
