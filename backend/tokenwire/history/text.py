"""The words in items: what an item says as plain text, and the title a conversation gets from it.

Pure functions over the wire's JSON. They take any shape that a client may have sent and refuse to
judge it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tokenwire.history.values import JsonObject


TITLE_LENGTH = 60


def item_text(item: JsonObject) -> str | None:
    """All text of a message, reasoning, tool call or tool output; None when it has none."""
    parts = [
        piece
        for key in ("summary", "content", "arguments", "output")
        for piece in _pieces(item.get(key))
    ]
    return _storable("\n".join(parts)) if parts else None


def provisional_title(items: Sequence[JsonObject]) -> str | None:
    """The first 60 characters of the first thing the user said, cut at a word."""
    for item in items:
        if item.get("role") == "user" and (text := item_text(item)):
            words = " ".join(text.split())
            if words:
                return _cut(words)
    return None


def _pieces(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in cast("list[object]", value):
            if isinstance(part, dict):
                text = cast("JsonObject", part).get("text")
                if isinstance(text, str):
                    yield text


def _cut(words: str) -> str:
    if len(words) <= TITLE_LENGTH:
        return words
    head, space, _ = words[: TITLE_LENGTH + 1].rpartition(" ")
    return head if space else words[:TITLE_LENGTH]


def _storable(text: str) -> str:
    # JSON may carry half a surrogate pair (a cut emoji); SQLite takes only whole characters.
    return text.encode("utf-8", "replace").decode()
