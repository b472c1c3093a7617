"""The values that say what a model is and where it stands: on disk, being fetched, loaded.

Pure values, that every room may see. They refuse to know who changes them, and how.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from tokenwire.engine.base import UNKNOWN, Capabilities, RunningEngine


ModelPhase = Literal[
    "absent",
    "downloading",
    "paused",
    "unloaded",
    "loading",
    "ready",
    "recovering",
    "draining",
    "failed",
]
ModelSource = Literal["demo", "folder", "cache", "hub", "adapter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What could run, before it runs. `path` is its folder, empty while it isn't on this machine;
    `size_bytes` that of the weights; `max_output_tokens` the most that its maker has an answer be;
    `problem` why it can never be served. An adapter has the id of its `base` model.
    """

    id: str
    path: str
    source: ModelSource = "folder"
    owned_by: str = "local"
    description: str | None = None
    licence: str | None = None
    modalities: tuple[str, ...] = ("text",)
    context_length: int | None = None
    max_output_tokens: int | None = None
    capabilities: Capabilities = UNKNOWN
    size_bytes: int | None = None
    created: int = 0
    problem: str | None = None
    aliases: tuple[str, ...] = ()
    pinned: bool = False
    base: str | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """How far a download is. Bytes of all its files; `total` None until the hub has told."""

    done: int
    total: int | None
    bytes_per_s: float | None = None
    left_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a model needs of the memory that engines run in, in bytes, and whether this machine has
    it: `problem` says in a sentence why not.
    """

    bytes: int
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveNumbers:
    """What an engine does right now. Shares are 0..1; the hit rate is None before any prompt."""

    running: int = 0
    waiting: int = 0
    kv_cache_usage: float = 0.0
    prefix_cache_hit_rate: float | None = None
    tokens_per_second: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """Where one model stands. `progress` is 0..1 within the stage; `detail` is one sentence for a
    person. `need` is None where nobody can say.
    """

    info: ModelInfo
    phase: ModelPhase
    stage: str | None = None
    progress: float | None = None
    detail: str | None = None
    is_default: bool = False
    transfer: Transfer | None = None
    need: Need | None = None
    live: LiveNumbers | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of loading: its name, and how far it is (0..1) where that can be told."""

    name: str
    progress: float | None = None
    detail: str | None = None


EngineFactory = Callable[[ModelInfo, Callable[[Stage], None]], Awaitable[RunningEngine]]
StageListener = Callable[[ModelState], None]
