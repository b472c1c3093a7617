"""The values that say what a model is and where it stands: on disk, being fetched, loaded.

Pure values, that every room may see. They refuse to know who changes them, and how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from tokenwire.engine.base import UNKNOWN, Capabilities
from tokenwire.errors import ModelUnavailable


if TYPE_CHECKING:
    from tokenwire.engine.base import RunningEngine


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


@dataclass(frozen=True, slots=True)
class Transfer:
    """How far a download is. Bytes of all its files; `total` None until the hub has told."""

    done: int
    total: int | None
    bytes_per_s: float | None = None
    left_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What could run, before it runs. `path` is its folder, empty while it isn't on this machine;
    `size_bytes` that of the weights; `max_output_tokens` the most that its maker has an answer be;
    `sampling` its own defaults by the names of `Sampling`, None where they aren't known; `problem`
    why it can never be served, `note` what to know of one that can; `keep_alive_s` how long it
    stays loaded unused, where that was set for it; `half` what is here of one that was not fetched
    to its end. An adapter has the id of its `base` model.
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
    sampling: Mapping[str, float | int] | None = None
    capabilities: Capabilities = UNKNOWN
    size_bytes: int | None = None
    created: int = 0
    problem: str | None = None
    note: str | None = None
    aliases: tuple[str, ...] = ()
    pinned: bool = False
    keep_alive_s: float | None = None
    base: str | None = None
    half: Transfer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a model needs of the memory that engines run in, in bytes, and whether this machine has
    it: `problem` says in a sentence why not.
    """

    bytes: int
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveNumbers:
    """What an engine does right now. `waiting` are the requests that it was given and that do not
    run; shares are 0..1; the hit rate is None before any prompt.
    """

    running: int = 0
    waiting: int = 0
    kv_cache_usage: float = 0.0
    prefix_cache_hit_rate: float | None = None
    tokens_per_second: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTotals:
    """What an engine has done since its start, in tokens, whatever became of its processes. The
    queries of the prefix cache are tokens that were looked up in it.
    """

    generation_tokens: int = 0
    prompt_tokens: int = 0
    prefix_queries: int = 0
    prefix_hits: int = 0


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

    def refuse_missing(self) -> None:
        """Raises ModelUnavailable where it isn't on this machine."""
        if not self.info.path and self.phase != "downloading":
            raise ModelUnavailable(
                f"{self.info.id} is not on this machine: POST /v1/models/download fetches it.",
                param="model",
            )


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of loading: its name, and how far it is (0..1) where that can be told."""

    name: str
    progress: float | None = None
    detail: str | None = None


StageListener = Callable[[ModelState], None]
# A download's stage, how far it is, and a sentence for a person.
TransferListener = Callable[[str, Transfer, str], None]


class DownloadStopped(Exception):  # noqa: N818 named for what happened
    """Why a download stopped, in a sentence for a person; what was fetched is kept."""


class EngineMaker(Protocol):
    """Who starts engines. Sizes in bytes."""

    async def check(self, info: ModelInfo) -> None:
        """Raises ModelUnavailable for a model that could not be loaded, which costs nothing."""
        ...

    async def start(self, info: ModelInfo, on_stage: Callable[[Stage], None]) -> RunningEngine:
        """Start an engine process and wait until it can generate. A cancel ends it. Raises
        ModelUnavailable with a sentence for a person.
        """
        ...

    def need(self, info: ModelInfo) -> int | None:
        """The memory that an engine of it takes; None where nobody can say."""
        ...


class Library(Protocol):
    """What could run on this machine, and where more of it comes from."""

    def models(self) -> list[ModelInfo]:
        """All that is here or in the list, read from the disk."""
        ...

    async def fetch(self, model: str, tell: TransferListener) -> None:
        """Fetch a model of the hub. A cancel keeps what is there. Raises DownloadStopped with a
        sentence for a person.
        """
        ...

    async def discard(self, model: str) -> None:
        """Remove what is there of a model that was not fetched to its end. Raises ModelUnavailable
        while another process fetches it.
        """
        ...
