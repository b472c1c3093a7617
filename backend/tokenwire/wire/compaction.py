"""Compaction: a conversation asked for in short, and the item that then stands for it.

The item's content is opaque to a client, as the Responses API has it, but no secret: it came from
the model that reads it again. It refuses to know who makes the summary, and when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import UNSET, Meta

from tokenwire.errors import InvalidRequest
from tokenwire.wire.checked import JsonObject, convert
from tokenwire.wire.commands import Create, check_create
from tokenwire.wire.inputs import InputItems
from tokenwire.wire.items import canonical_input, compaction_item
from tokenwire.wire.tools import ReasoningFields


if TYPE_CHECKING:
    from tokenwire.wire.events import Response


SUMMARY_TOKENS: Final = 2048
_ASK: Final = (
    "Summarize our conversation so far, so that you can go on with it when only the summary is "
    "left: what I want, what is known and decided, names, numbers and code that matter, what is "
    "still to be done. Write the summary alone."
)


class Compact(msgspec.Struct, kw_only=True):
    """`POST /v1/responses/compact`: the standard body."""

    model: Annotated[str, Meta(min_length=1)]
    input: str | InputItems | None = None
    previous_response_id: str | None = None
    instructions: str | None = None


def parse_compact(body: JsonObject) -> Create:
    """The create that makes the summary. Raises InvalidRequest or UnsupportedParameter."""
    asked = convert(body, Compact)
    items = canonical_input(asked.input) if asked.input else []
    if not items and asked.previous_response_id is None:
        raise InvalidRequest("`input` or `previous_response_id` is required.", param="input")
    create = Create(
        model=asked.model,
        input=[*items, *canonical_input(_ASK)],
        previous_response_id=asked.previous_response_id or UNSET,
        instructions=asked.instructions,
        store=False,
        max_output_tokens=SUMMARY_TOKENS,
        # A conversation is made short because it is too long.
        truncation="auto",
        reasoning=ReasoningFields(effort="none"),
    )
    check_create(create)
    return create


def compacted(response: Response, item_id: str, summary: str) -> JsonObject:
    """The answer to a compaction: `summary` as the one item to go on from."""
    return {
        "id": response.id,
        "object": "response.compaction",
        "created_at": response.created_at,
        "output": [compaction_item(item_id, summary)],
        "usage": response.usage,
    }
