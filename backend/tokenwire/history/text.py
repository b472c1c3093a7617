"""The words in items: what an item says as plain text, and the title a conversation gets from it.

Pure functions over the wire's JSON. They take any shape that a client may have sent and refuse to
judge it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tokenwire.history.values import JsonObject


TITLE_LENGTH = 60
_FENCE: Final = re.compile(r"(`{3,})([^`]*)\Z")


def item_text(item: JsonObject) -> str | None:
    """All text of a message, reasoning, tool call or tool output; None when it has none."""
    parts = [
        piece
        for key in ("summary", "content", "arguments", "output")
        for piece in _pieces(item.get(key))
    ]
    return _storable("\n".join(parts)) if parts else None


def provisional_title(items: Sequence[JsonObject]) -> str | None:
    """The first 60 characters of the first thing the user said, cut at a word. What stands in
    fences names it only where nothing else does.
    """
    for item in items:
        text = item_text(item) if item.get("role") == "user" else None
        lines = text.split("\n") if text else []
        inside = (line for line in lines if not _FENCE.match(line))
        if words := _beginning(_unfenced(lines)) or _beginning(inside) or _beginning(lines):
            return _cut(words)
    return None


def _unfenced(lines: Iterable[str]) -> Iterator[str]:
    """Those that stand in no fence."""
    closes = ""
    for line in lines:
        fence = _FENCE.match(line)
        if not closes and fence is None:
            yield line
        elif not closes and fence is not None:
            closes = fence[1]
        elif fence is not None and fence[1] == closes and not fence[2].strip():
            closes = ""


def _beginning(lines: Iterable[str]) -> str:
    """Enough words of them for a title."""
    words, length = list[str](), 0
    for line in lines:
        for word in line.split():
            words.append(word)
            length += len(word) + 1
            if length > TITLE_LENGTH + 1:
                return " ".join(words)
    return " ".join(words)


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
