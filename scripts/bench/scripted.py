"""Tokenwire as it is, with an engine that knows no model in the place of vLLM: what the server
itself costs, and how much it can carry. A process of its own, with the command line of `tokenwire`.

All answers step together, as in a continuous batch, one token a step. `BENCH_STEP_S`: the seconds
of a step, 0 for as fast as the event loop goes. `BENCH_INTERVAL`: 0 takes the adaptive interval
away. `BENCH_DELAYS`: a file that gets, each time all answers have ended, the seconds that their
events waited to be read. `BENCH_SCRIPT`: a file of answers, each a list of tokens; the last number
of what was asked picks one, the first where there is none. It says the same words for the same
prompt and refuses to know who reads.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "backend"))

import tokenwire.__main__ as command
from tokenwire.engine.base import (
    PLAIN,
    Delta,
    EngineLimits,
    Form,
    Prompt,
    Resume,
    Sampling,
)
from tokenwire.engine.interval import StreamInterval
from tokenwire.engine.models import EngineTotals, LiveNumbers, ModelInfo, Stage


WORDS = [f" w{index:03}" for index in range(256)]
STEP_S = float(os.environ.get("BENCH_STEP_S", "0"))
ADAPTIVE = os.environ.get("BENCH_INTERVAL", "1") != "0"
DELAYS = os.environ.get("BENCH_DELAYS", "")
SCRIPT = os.environ.get("BENCH_SCRIPT", "")
ANSWERS: list[list[str]] = json.loads(Path(SCRIPT).read_text()) if SCRIPT else [WORDS]
CONTEXT, ANSWER = 1 << 20, 128
ENDS = "stop" if SCRIPT else "length"
# What is read beyond this costs the server nothing that is measured here.
MOST_READ = 512


@dataclass(slots=True, eq=False)
class _Request:
    take: Callable[[Delta], None]
    ended: asyncio.Future[None]
    words: list[str]
    length: int
    made: int
    told: int

    def step(self, every: int) -> bool:
        """Make a token. Whether more are to come."""
        self.made += 1
        more = self.made < self.length
        if self.made - self.told >= every or not more:
            words = self.words
            numbers = tuple(number % len(words) for number in range(self.told, self.made))
            self.told = self.made
            text = "".join([words[number] for number in numbers])
            self.take(Delta(text, numbers, None if more else ENDS))
        if not more and not self.ended.done():
            self.ended.set_result(None)
        return more


class Engine:
    """The Engine protocol over a clock."""

    def __init__(self) -> None:
        self.limits = EngineLimits(context_length=CONTEXT, max_running=1 << 16, kv_tokens=1 << 24)
        self.alive = True
        self._interval = StreamInterval()
        self._running: list[_Request] = []
        self._clock: asyncio.Task[None] | None = None

    async def render(self, messages: list[dict[str, object]], form: Form = PLAIN) -> Prompt:
        words = sum(len(str(message["content"]).split()) for message in messages)
        return Prompt((_asked(messages), *range(min(words, MOST_READ))), form)

    async def generate(
        self,
        prompt: Prompt,
        sampling: Sampling,
        request_id: str,
        take: Callable[[Delta], None],
        resume: Resume | None = None,
    ) -> None:
        del request_id
        said = ANSWERS[prompt.token_ids[0]]
        length = len(said) if SCRIPT else ANSWER
        done = len(resume.token_ids) if resume else 0
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        request = _Request(take, ended, said, sampling.max_tokens or length, done, done)
        self._running.append(request)
        if self._clock is None:
            self._clock = asyncio.create_task(self._tick())
        try:
            await ended
        finally:
            if request in self._running:
                self._running.remove(request)

    async def _tick(self) -> None:
        # By the clock, as an engine steps in a process of its own, however busy this one is.
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self._running:
            due += STEP_S
            await asyncio.sleep(max(0.0, due - loop.time()))
            self._interval.stepped(len(self._running))
            every = self._interval.tokens if ADAPTIVE else 1
            self._running = [request for request in self._running if request.step(every)]
        self._clock = None
        if DELAYS:
            keep_delays()

    def adapted(self, name: str) -> Engine:
        del name
        return self

    def live(self) -> LiveNumbers:
        return LiveNumbers(running=len(self._running))

    def totals(self) -> EngineTotals:
        return EngineTotals()

    async def close(self) -> None:
        self.alive = False
        if self._clock is not None:
            self._clock.cancel()


def _asked(messages: list[dict[str, object]]) -> int:
    """Which of the answers is asked for."""
    numbers = re.findall(r"\d+", str(messages[-1]["content"])) if messages else []
    return int(numbers[-1]) % len(ANSWERS) if numbers else 0


class Engines:
    """What the composition root takes for `VllmEngines`."""

    def __init__(self, options: object) -> None:
        del options

    def preimport(self) -> None: ...

    async def architectures(self) -> frozenset[str]:
        return frozenset({"LlamaForCausalLM"})

    async def check(self, info: ModelInfo) -> None: ...

    def need(self, info: ModelInfo) -> None: ...

    async def start(self, info: ModelInfo, on_stage: Callable[[Stage], None]) -> Engine:
        del info, on_stage
        return Engine()

    def close(self) -> None: ...


delays: list[float] = []


def keep_delays() -> None:
    Path(DELAYS).write_text(json.dumps(delays))
    delays.clear()


def time_the_events() -> None:
    """Have each read of a log say how long the newest event in it waited since it was made."""
    from tokenwire.generation.log import Log
    from tokenwire.generation.transcript import Transcript

    publish, after = Transcript._publish, Log.after  # pyright: ignore[reportPrivateUsage]
    made: dict[int, float] = {}

    def published(self: Any, events: Any, *arguments: Any) -> None:
        made[id(events[-1])] = time.perf_counter()
        publish(self, events, *arguments)

    def read(self: Any, *arguments: Any) -> Any:
        events = after(self, *arguments)
        if events and (since := made.pop(id(events[-1]), None)) is not None:
            delays.append(time.perf_counter() - since)
        return events

    Transcript._publish, Log.after = published, read  # pyright: ignore[reportPrivateUsage]


def main() -> int:
    from tokenwire import serve
    from tokenwire.engine import environment

    serve.VllmEngines = Engines  # pyright: ignore[reportAttributeAccessIssue]
    environment.start_forkserver = lambda: None
    environment.stop_forkserver = lambda: None
    if DELAYS:
        time_the_events()
    return command.main(["serve", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
