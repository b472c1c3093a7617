"""Where a page of a list ended, as a word that clients hand back and cannot read: a time and a row.
Pure functions; they refuse to know which list.
"""

from __future__ import annotations

import base64
import json


_LENGTH = 100


def position(cursor: str) -> tuple[int, int]:
    """Where a page ended. Raises `ValueError` for anything that `cursor_at` did not give out."""
    if len(cursor) <= _LENGTH:
        try:
            value: object = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        except ValueError:
            value = None
        match value:
            case [int(ms), int(pk)] if _is_rowid(ms) and _is_rowid(pk):
                return ms, pk
            case _:
                pass
    raise ValueError("not a cursor of this list")


def cursor_at(ms: int, pk: int) -> str:
    text = json.dumps([ms, pk], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def _is_rowid(number: int) -> bool:
    return not isinstance(number, bool) and 0 <= number < 2**63
