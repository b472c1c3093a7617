"""The shapes of what is told of models and of the server itself.

For the documents alone, as answers.py. It refuses to know who tells it.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from tokenwire.wire.answers import ModelStage


class Capabilities(Struct, kw_only=True):
    """What it can do; null where nobody can say before it is loaded."""

    tools: bool | None
    reasoning: bool | None
    structured_output: bool | None


class Download(Struct, kw_only=True):
    """How far a download is, in bytes and seconds; null where nobody can say."""

    done: int
    total: int | None
    bytes_per_s: float | None
    left_s: float | None


class EngineNumbers(Struct, kw_only=True):
    """What a loaded model's engine does right now. Shares are 0 to 1."""

    running: int
    waiting: int
    kv_cache_usage: float
    prefix_cache_hit_rate: float | None
    tokens_per_second: float


class ModelNotes(ModelStage, kw_only=True):
    """What this server adds to a model: where it stands, and what it can do. `reason` is why it
    can't be used as it stands: it failed, its download stopped, it doesn't fit (`fits`), it
    can never be served (`servable`). `note` is what to know of one that can: that it has no chat
    template, for instance, and takes raw text only. `sampling` are its own defaults, by the names
    of a create, null before it was loaded: what is not there is neutral.
    """

    reason: str | None
    note: str | None
    download: Download | None
    engine: EngineNumbers | None
    context_length: int | None
    max_output_tokens: int | None
    sampling: dict[str, float] | None
    input_modalities: list[str]
    output_modalities: list[str]
    modalities: list[str]
    capabilities: Capabilities
    size_bytes: int | None
    needs_bytes: int | None
    servable: bool
    fits: bool | None
    source: Literal["demo", "folder", "cache", "hub", "adapter"]
    base: str | None
    aliases: list[str]
    pinned: bool
    licence: str | None
    default: bool
    description: str | None


class Model(Struct, kw_only=True):
    """A model that this server can answer with."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    tokenwire: ModelNotes


class ModelList(Struct, kw_only=True):
    object: Literal["list"]
    data: list[Model]


class Health(Struct, kw_only=True):
    status: Literal["ok"]


class Readiness(Struct, kw_only=True):
    """Whether the default model can answer. `saving` is false while the disk fails."""

    status: Literal["ready", "loading", "recovering", "draining"]
    saving: bool
    model: Model


STATES: Final = (Model, ModelList, Health, Readiness)
