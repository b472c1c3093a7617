"""The JSON of models and conversations, as both doors show it. Pure functions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenwire.engine.models import ModelState
    from tokenwire.history.values import Conversation


JsonObject = dict[str, object]
RENAMED: Final = {"max_tokens": "max_output_tokens"}


def model_object(state: ModelState) -> JsonObject:
    """The standard model object with our `tokenwire` field."""
    info, need = state.info, state.need
    return {
        "id": info.id,
        "object": "model",
        "created": info.created,
        "owned_by": info.owned_by,
        "tokenwire": {
            "state": state.phase,
            "stage": state.stage,
            "progress": state.progress,
            "detail": state.detail,
            "reason": _reason(state),
            "note": info.note,
            "download": asdict(state.transfer) if state.transfer else None,
            "engine": asdict(state.live) if state.live else None,
            "context_length": info.context_length,
            "max_output_tokens": info.max_output_tokens,
            "sampling": _sampling(info.sampling),
            # Whatever else a model takes, text is all that is sent to it.
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "modalities": list(info.modalities),
            "capabilities": asdict(info.capabilities),
            "size_bytes": info.size_bytes,
            "needs_bytes": need.bytes if need else None,
            "servable": info.problem is None,
            "fits": need.problem is None if need else None,
            "source": info.source,
            "base": info.base,
            "aliases": list(info.aliases),
            "pinned": info.pinned,
            "licence": info.licence,
            "default": state.is_default,
            "description": info.description,
        },
    }


def _reason(state: ModelState) -> str | None:
    """Why it can't be used as it stands."""
    if state.phase in ("failed", "paused"):
        return state.detail
    return state.need.problem if state.need else None


def _sampling(defaults: Mapping[str, float | int] | None) -> JsonObject | None:
    """The model's own defaults by the names that they have in a create."""
    if defaults is None:
        return None
    return {RENAMED.get(name, name): value for name, value in defaults.items()}


def conversation_object(conversation: Conversation) -> JsonObject:
    return {"object": "conversation", **asdict(conversation)}
