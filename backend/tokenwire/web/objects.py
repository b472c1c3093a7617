"""The JSON of models and conversations, as both doors show it. Pure functions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tokenwire.engine.base import ModelState
    from tokenwire.history.values import Conversation


JsonObject = dict[str, object]


def model_object(state: ModelState) -> JsonObject:
    """The standard model object with our `tokenwire` field."""
    info = state.info
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
            "context_length": info.context_length,
            "max_output_tokens": info.max_output_tokens,
            # Whatever else a model takes, text is all that is sent to it.
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "capabilities": asdict(info.capabilities),
            "size_bytes": info.size_bytes,
            "default": state.is_default,
            "description": info.description,
        },
    }


def conversation_object(conversation: Conversation) -> JsonObject:
    return {"object": "conversation", **asdict(conversation)}
