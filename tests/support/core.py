"""A scripted engine core behind the words of vLLM's client: says and dies as a test tells it.

`Cores` starts them for a RecoveringClient and reads its outputs, as AsyncLLM would.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from vllm import SamplingParams
from vllm.v1.engine import EngineCoreOutput, EngineCoreOutputs, EngineCoreRequest, FinishReason
from vllm.v1.engine.exceptions import EngineDeadError

from support.waiting import until
from tokenwire.engine.hooks import resumed_ids
from tokenwire.engine.ledger import RecoveryPolicy
from tokenwire.engine.models import Stage
from tokenwire.engine.recovery import RecoveringClient


POLICY = RecoveryPolicy(backoff_s=0.0)


class Process:
    def __init__(self) -> None:
        self.killed = asyncio.Event()
        self.joined = False

    def kill(self) -> None:
        self.killed.set()

    def join(self, timeout: float) -> None:
        del timeout
        self.joined = True


class ScriptedCore:
    """One engine process. Clear `takes` to hold an add; set `fails` to let adds fail with it."""

    def __init__(self) -> None:
        self.process = Process()
        manager = SimpleNamespace(processes=[self.process])
        self.resources = SimpleNamespace(engine_dead=False, engine_manager=manager)
        self.outputs_queue: asyncio.Queue[EngineCoreOutputs | Exception] = asyncio.Queue()
        self.utility_results: dict[int, asyncio.Future[Any]] = {}
        self.called: list[tuple[str, ...]] = []
        self.added: list[EngineCoreRequest] = []
        self.sent: list[tuple[str, str]] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.fails: Exception | None = None
        self.ended = False
        self.label = "scripted"

    # What vLLM's client does.

    async def get_output_async(self) -> EngineCoreOutputs:
        outputs = await self.outputs_queue.get()
        if isinstance(outputs, Exception):
            raise outputs
        return outputs

    async def add_request_async(self, request: EngineCoreRequest) -> None:
        if self.resources.engine_dead:
            raise EngineDeadError
        if self.fails is not None:
            raise self.fails
        self.added.append(request)
        self.sent.append(("add", request.request_id))
        await self.takes.wait()

    async def abort_requests_async(self, request_ids: list[str]) -> None:
        self.sent += [("abort", id) for id in request_ids]

    async def call_utility_async(self, method: str, *args: str) -> Any:
        if self.resources.engine_dead:
            raise EngineDeadError
        self.called.append((method, *args))
        future = asyncio.get_running_loop().create_future()
        self.utility_results[len(self.called)] = future
        return await future

    def shutdown(self, timeout: float | None = None) -> None:
        del timeout
        self.ended = True
        self.resources.engine_dead = True

    # What a test does.

    @property
    def names(self) -> list[str]:
        return [request.request_id for request in self.added]

    def say(self, name: str, *ids: int, finish: FinishReason | None = None) -> None:
        output = EngineCoreOutput(name, list(ids), finish_reason=finish)
        self.outputs_queue.put_nowait(EngineCoreOutputs(outputs=[output]))

    def die(self, error: Exception | None = None) -> None:
        self.resources.engine_dead = True
        self.outputs_queue.put_nowait(error or EngineDeadError())

    def answer(self, value: object) -> None:
        """Answer every call that waits."""
        for future in self.utility_results.values():
            if not future.done():
                future.set_result(value)


class Cores:
    """All engines of one client, and what it said. Clear `go` to hold a start."""

    def __init__(self, policy: RecoveryPolicy) -> None:
        self.all: list[ScriptedCore] = []
        self.threads: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.fail: list[Exception] = []
        self.stages: list[str] = []
        self.told_in: set[threading.Thread] = set()
        self.said: list[EngineCoreOutput] = []
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self.client = RecoveringClient(self.start, self.thread, policy, self.tell)
        self.reading = asyncio.ensure_future(self._read())

    def start(self) -> ScriptedCore:
        self.threads.append(threading.current_thread().name)
        self.go.wait()
        if self.fail:
            raise self.fail.pop(0)
        core = ScriptedCore()
        self.all.append(core)
        return core

    def tell(self, stage: Stage) -> None:
        self.told_in.add(threading.current_thread())
        self.stages.append(stage.name)

    async def _read(self) -> None:
        while True:
            self.said += (await self.client.get_output_async()).outputs

    async def next(self) -> ScriptedCore:
        """The engine after this one, with what it was given."""
        count = len(self.all)
        await until(lambda: len(self.all) > count)
        core = self.all[-1]
        await until(lambda: self.stages.count("ready") == count or bool(core.added))
        return core

    async def kill(self) -> ScriptedCore:
        """The last engine dies. Returns the next one."""
        self.all[-1].die()
        return await self.next()

    def ids(self, id: str) -> list[int]:
        """The tokens that the reader of a request has."""
        return [
            token
            for output in self.said
            if output.request_id == id
            for token in output.new_token_ids
        ]

    async def hear(self, id: str, *ids: int) -> None:
        await until(lambda: self.ids(id) == list(ids))


@asynccontextmanager
async def open_cores(policy: RecoveryPolicy = POLICY) -> AsyncGenerator[Cores, None]:
    cores = Cores(policy)
    try:
        yield cores
    finally:
        cores.go.set()
        cores.reading.cancel()
        await asyncio.gather(cores.reading, return_exceptions=True)
        cores.client.shutdown()
        cores.thread.shutdown()


def request(id: str, **extra: Any) -> EngineCoreRequest:
    params = SamplingParams(max_tokens=100, prompt_logprobs=1, extra_args=extra or None)
    return EngineCoreRequest(id, [1, 2, 3], None, params, None, 0.0, None, None, None)


def resumed(core: ScriptedCore) -> dict[str, list[int]]:
    """What each request in an engine goes on from."""
    return {each.request_id: resumed_ids(each.sampling_params) for each in core.added}
