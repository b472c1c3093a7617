"""The Engine protocol and its values: what the rest of the house may ask of a model, and what it
gets back.

These are pure values and protocols. This file refuses to know vLLM, processes and the wire: a
scripted engine in the tests and `engine/vllm.py` stand behind the same words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec


if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager


ModelPhase = Literal["absent", "loading", "ready", "recovering", "draining", "failed"]
FinishReason = Literal["stop", "length", "abort", "error"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt: the token ids that the model sees, nothing else."""

    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to choose tokens. None means the model's own default; `max_tokens` None means up to the
    context.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    min_tokens: int = 0
    max_tokens: int | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[int, float] | None = None
    skip_special_tokens: bool = True
    priority: int = 0


class Delta(msgspec.Struct, frozen=True):
    """What one step added: text (may be empty while a character is incomplete) and its token ids.

    `finish` is set on the last delta only. `cached_tokens` counts prompt tokens that came from the
    prefix cache, on the first delta.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    finish: FinishReason | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Where an answer goes on that was begun before: the ids of its tokens so far, and how many
    characters of its text were delivered.
    """

    token_ids: tuple[int, ...]
    sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What could run, before it runs. `size_bytes` is that of the weights on disk."""

    id: str
    path: str
    owned_by: str = "local"
    description: str | None = None
    context_length: int | None = None
    size_bytes: int | None = None
    created: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """Where one model stands. `progress` is 0..1 within the stage; `detail` is one sentence for a
    person.
    """

    info: ModelInfo
    phase: ModelPhase
    stage: str | None = None
    progress: float | None = None
    detail: str | None = None
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """The bounds of a running engine. `context_length` and `kv_tokens` in tokens."""

    context_length: int
    max_running: int
    kv_tokens: int
    defaults: dict[str, float | int] = field(default_factory=dict[str, float | int])


class Engine(Protocol):
    """A model that can generate."""

    @property
    def limits(self) -> EngineLimits: ...

    async def render(self, messages: list[dict[str, object]]) -> Prompt:
        """Apply the model's chat template to `messages` (role, content) and open the answer.

        Raises InvalidRequest if the template refuses the messages.
        """
        ...

    async def generate(
        self,
        prompt: Prompt,
        sampling: Sampling,
        request_id: str,
        take: Callable[[Delta], None],
        resume: Resume | None = None,
    ) -> None:
        """Hand the answer to `take`, delta by delta, to its end; or what is left of an answer: then
        `prompt` and `sampling` are those it was begun with, and the deltas are those that an
        undisturbed run would still have given.

        `take` is called where the engine's outputs are read, so that no task wakes for a token;
        what it raises ends this answer alone. A cancel aborts the answer in the engine and returns
        when the engine has let go of it. Raises InvalidRequest for a request that the engine
        refuses and EngineDead when the engine can't be kept alive.
        """
        ...


class RunningEngine(Engine, Protocol):
    """An engine with its process, as the supervisor owns it."""

    @property
    def alive(self) -> bool:
        """False once the engine process has ended."""
        ...

    async def close(self) -> None:
        """End the engine process. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of loading: its name, and how far it is (0..1) where that can be told."""

    name: str
    progress: float | None = None
    detail: str | None = None


EngineFactory = Callable[[ModelInfo, Callable[[Stage], None]], Awaitable[RunningEngine]]
StageListener = Callable[[ModelState], None]


class Engines(Protocol):
    """All models of this machine, as `generation` sees them."""

    def resolve(self, name: str | None) -> str:
        """The id of the model `name` (None: the default one). Raises ModelNotFound."""
        ...

    def ready(self, model: str) -> Engine | None:
        """The engine of a model that can generate right now, else None."""
        ...

    def state(self, model: str) -> ModelState: ...

    def lease(
        self, model: str, on_stage: StageListener | None = None
    ) -> AbstractAsyncContextManager[Engine]:
        """Hold the model's engine, loading it if need be; `on_stage` hears of each loading stage
        and, as long as it is held, of each recovery.

        A leased engine is never unloaded. Raises ModelUnavailable when it can't be loaded.
        """
        ...
