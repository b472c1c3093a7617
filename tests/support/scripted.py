"""A scripted engine behind the Engine protocol: says what a test tells it, as slowly as it is told.

For tests of the other rooms and for load. It behaves (aborts, counts) but knows no model, and the
product never falls back to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from msgspec import structs

from tokenwire.engine.base import (
    PLAIN,
    Capabilities,
    Delta,
    Engine,
    EngineLimits,
    Form,
    Prompt,
    Resume,
    Sampling,
)
from tokenwire.engine.models import (
    EngineTotals,
    LiveNumbers,
    ModelInfo,
    ModelPhase,
    ModelState,
    StageListener,
    Transfer,
)
from tokenwire.errors import EngineDead, InvalidRequest, ModelNotFound


MODEL = "scripted"
Script = Callable[[str, Sampling], list[Delta | Exception]]


def say(*words: str, finish: bool = True) -> list[Delta | Exception]:
    """One delta a word, one token each; the last one finishes with "stop"."""
    deltas: list[Delta | Exception] = [
        Delta(word, (index + 1,)) for index, word in enumerate(words)
    ]
    if finish:
        deltas.append(Delta("", (0,), "stop"))
    return deltas


def bounded(steps: Sequence[Delta | Exception], sampling: Sampling) -> list[Delta | Exception]:
    """The deltas, of a token each, as far as the answer may become: as a real engine ends one."""
    bound = sampling.before + (sampling.max_tokens or len(steps))
    if bound >= len(steps):
        return [*steps]
    last = steps[bound - 1]
    assert isinstance(last, Delta)
    return [*steps[: bound - 1], structs.replace(last, finish="length")]


def said_again(deltas: list[Delta]) -> Delta:
    """The last delta, with all that those before it had said, without their ids."""
    return structs.replace(
        deltas[-1],
        text="".join(delta.text for delta in deltas),
        reasoning="".join(delta.reasoning for delta in deltas),
        calls=tuple(call for delta in deltas for call in delta.calls),
    )


def _hello(_text: str, sampling: Sampling) -> list[Delta | Exception]:
    return bounded(say("Hello", ", ", "world", "."), sampling)


class ScriptedEngine:
    """Answers by `script(last text, sampling)`; holds before delta `hold_at` until `go`."""

    def __init__(self, script: Script | None = None, *, context: int = 1000) -> None:
        self.script: Script = script or _hello
        self.limits = EngineLimits(
            context_length=context,
            max_running=8,
            kv_tokens=10_000,
            capabilities=Capabilities(tools=True, reasoning=True, structured_output=True),
        )
        self.alive = True
        self.hold_at: int | None = None
        self.go = asyncio.Event()
        self.holding = asyncio.Event()
        self.prompts: list[list[dict[str, object]]] = []
        self.forms: list[Form] = []
        self.started: list[str] = []
        self.aborted: list[str] = []
        self.running: set[str] = set()
        self.closed = False
        self.adapters: list[str] = []
        self.read = self.made = 0
        self.adapters: list[str] = []
        self._texts: dict[tuple[int, ...], str] = {}

    async def render(self, messages: list[dict[str, object]], form: Form = PLAIN) -> Prompt:
        """One token for each word of all messages."""
        self.prompts.append(messages)
        self.forms.append(form)
        words = " ".join(str(message["content"]) for message in messages).split()
        ids = (len(self.prompts), *range(len(words)))
        self._texts[ids] = str(messages[-1]["content"])
        return Prompt(ids, form)

    async def generate(
        self,
        prompt: Prompt,
        sampling: Sampling,
        request_id: str,
        take: Callable[[Delta], None],
        resume: Resume | None = None,
    ) -> None:
        self.started.append(request_id)
        self.running.add(request_id)
        self.read += 0 if resume else len(prompt.token_ids)
        ended = False
        try:
            steps = self.script(self._texts.get(prompt.token_ids, ""), sampling)
            done = len(resume.token_ids) if resume else 0
            again: list[Delta] = []
            for index, step in enumerate(steps):
                if isinstance(step, Delta) and done > 0:
                    done -= len(step.token_ids)
                    again.append(step)
                    continue
                if isinstance(step, Delta) and again:
                    step, again = said_again([*again, step]), []
                if index == self.hold_at:
                    self.holding.set()
                    await self.go.wait()
                await asyncio.sleep(0)
                if isinstance(step, Exception):
                    self.alive = self.alive and not isinstance(step, EngineDead)
                    raise step
                ended = step.finish is not None
                self.made += len(step.token_ids)
                take(step)
            ended = True
        finally:
            self.running.discard(request_id)
            if not ended:
                self.aborted.append(request_id)

    def adapted(self, name: str) -> ScriptedEngine:
        self.adapters.append(name)
        return self

    def live(self) -> LiveNumbers:
        return LiveNumbers(running=len(self.running))

    def totals(self) -> EngineTotals:
        return EngineTotals(prompt_tokens=self.read, generation_tokens=self.made)

    async def close(self) -> None:
        self.closed = True
        self.alive = False


class ScriptedEngines:
    """The supervisor's face with one engine, ready from the start or once `ready_event` is set."""

    def __init__(self, engine: ScriptedEngine, *, ready: bool = True) -> None:
        self.engine = engine
        self.ready_event = asyncio.Event()
        if ready:
            self.ready_event.set()
        self.default = MODEL
        self.recovering = False
        self.capabilities = engine.limits.capabilities
        self.leases = 0
        self.loads: list[str] = []
        self.unloads: list[str] = []
        self.size_bytes: int | None = None
        self.looks = 0
        self._listeners: set[StageListener] = set()
        self._stages: list[StageListener] = []

    def states(self) -> list[ModelState]:
        return [self.state(MODEL)]

    def state(self, model: str) -> ModelState:
        info = ModelInfo(
            id=model,
            path="nowhere",
            context_length=self.engine.limits.context_length,
            capabilities=self.capabilities,
            sampling=self.engine.limits.defaults,
            size_bytes=self.size_bytes,
        )
        up = "recovering" if self.recovering else "ready"
        phase = up if self.ready_event.is_set() else "loading"
        return ModelState(info=info, phase=phase, is_default=True)

    def resolve(self, name: str | None) -> str:
        if name not in (None, "", MODEL):
            raise ModelNotFound(f"The model {name!r} does not exist here.", param="model")
        return MODEL

    def ready(self, model: str) -> Engine | None:
        del model
        return self.engine if self.ready_event.is_set() else None

    def load(self, model: str) -> None:
        self.loads.append(model)

    def unload(self, model: str) -> None:
        self.unloads.append(model)

    def download(self, name: str) -> ModelState:
        if name != MODEL and name.count("/") != 1:
            raise InvalidRequest(f"{name!r} is no model of the hub.", param="model")
        return replace(self.state(name), phase="downloading", transfer=Transfer(0, None))

    async def cancel(self, name: str) -> ModelState:
        return self.state(self.resolve(name))

    async def refresh(self, unless_newer_s: float = 0.0) -> None:
        del unless_newer_s
        self.looks += 1

    def subscribe(self, listener: StageListener) -> Callable[[], None]:
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    @asynccontextmanager
    async def lease(
        self, model: str, on_stage: StageListener | None = None
    ) -> AsyncGenerator[Engine, None]:
        self.leases += 1
        if on_stage is not None:
            self._stages.append(on_stage)
        try:
            if not self.ready_event.is_set() and on_stage is not None:
                on_stage(self.state(model))
            await self.ready_event.wait()
            yield self.engine
        finally:
            self.leases -= 1
            if on_stage is not None:
                self._stages.remove(on_stage)

    def tell(self, phase: ModelPhase, stage: str | None = None) -> None:
        """Let whoever holds a lease hear of a change."""
        for on_stage in tuple(self._stages):
            on_stage(replace(self.state(MODEL), phase=phase, stage=stage))
