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


class ModelNotes(ModelStage, kw_only=True):
    """What this server adds to a model: where it stands, and what it can do."""

    context_length: int | None
    max_output_tokens: int | None
    input_modalities: list[str]
    output_modalities: list[str]
    capabilities: Capabilities
    size_bytes: int | None
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
