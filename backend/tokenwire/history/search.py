"""The SQL of full-text search: where in a user's conversations words were said, the newest first.

The index is SQLite's FTS5, kept by triggers (revision 0003). It has a query language of its own,
which people's words must never become. This file refuses to rank: a chat is looked for by when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import JSON, Boolean, Integer, String, text

from tokenwire.history.cursors import cursor_at
from tokenwire.history.values import Hit, Piece


if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


MAX_WORDS = 16
# Characters that no text has, around what was found.
_OPEN, _CLOSE = "\x02", "\x03"
_SNIPPET_WORDS = 20

_HITS = text(
    """
    SELECT item.pk, item.id AS item_id, item.data, response.id AS response_id,
        conversation.id AS conversation_id, conversation.title, conversation.archived,
        response.created_ms,
        snippet(item_fts, 0, :open, :close, '…', :words) AS snippet
    FROM item_fts
    JOIN item ON item.pk = item_fts.rowid
    JOIN response ON response.pk = item.response_pk
    JOIN conversation ON conversation.pk = response.conversation_pk
    JOIN user ON user.pk = conversation.user_pk
    WHERE item_fts MATCH :query AND user.id = :user AND item_fts.rowid < :before
    ORDER BY item_fts.rowid DESC
    LIMIT :most
    """
).columns(
    pk=Integer,
    item_id=String,
    data=JSON,
    response_id=String,
    conversation_id=String,
    title=String,
    archived=Boolean,
    created_ms=Integer,
    snippet=String,
)


def hits(
    connection: Connection, user_id: str, words: str, limit: int, after: tuple[int, int] | None
) -> tuple[list[Hit], str | None]:
    asked = {
        "query": _query(words),
        "user": user_id,
        "before": after[1] if after is not None else 2**63 - 1,
        # One more than asked for tells whether there is more.
        "most": limit + 1,
        "open": _OPEN,
        "close": _CLOSE,
        "words": _SNIPPET_WORDS,
    }
    found = connection.execute(_HITS, asked).all()
    shown = [
        Hit(
            conversation_id=row.conversation_id,
            title=row.title,
            archived=row.archived,
            response_id=row.response_id,
            item_id=row.item_id,
            role=str(row.data.get("role", "")) or None,
            snippet=list(_pieces(row.snippet)),
            created_at=row.created_ms // 1000,
        )
        for row in found[:limit]
    ]
    if len(found) <= limit:
        return shown, None
    last = found[limit - 1]
    return shown, cursor_at(last.created_ms, last.pk)


def words_of(text: str) -> list[str]:
    """The words that a search looks for: all of them, the last as a beginning too."""
    return text.replace("\0", " ").split()[:MAX_WORDS]


def _query(words: str) -> str:
    quoted = ['"' + word.replace('"', '""') + '"' for word in words_of(words)]
    return " ".join(quoted) + "*"


def _pieces(snippet: str) -> Iterator[Piece]:
    before, *rest = snippet.split(_OPEN)
    if before:
        yield Piece(before, match=False)
    for part in rest:
        found, _, after = part.partition(_CLOSE)
        yield Piece(found, match=True)
        if after:
            yield Piece(after, match=False)
