"""Items that no answer of this server made, as the exchanges in which they would have been said:
what came to a model, and what it said.

Pure functions over JSON values. This file refuses to know where they are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenwire.wire.events import Response


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tokenwire.wire.items import Item


def exchanges(items: Iterable[Item]) -> list[tuple[list[Item], list[Item]]]:
    """The items in their order, as (input, output) of one exchange after another."""
    found: list[tuple[list[Item], list[Item]]] = []
    for item in items:
        said = _is_said_by_a_model(item)
        if not found or (found[-1][1] and not said):
            found.append(([], []))
        found[-1][said].append(item)
    return found


def given_response(response_id: str, conversation_id: str, created_at: int) -> Response:
    """The resource of an exchange that was given: nothing is known of who made it, and how."""
    return Response(
        id=response_id,
        created_at=created_at,
        completed_at=created_at,
        status="completed",
        model="",
        conversation={"id": conversation_id},
        tokenwire={"given": True},
    )


def _is_said_by_a_model(item: Item) -> bool:
    """A message says who said it; of the rest only what a tool gave back comes from outside."""
    if "role" in item:
        return item["role"] == "assistant"
    return not str(item.get("type")).endswith("_output")
