"""The parameters of query strings and headers, as the documents show them: reply.py and the doors
read them by hand.

It refuses to know which route takes which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from tokenwire.wire.schema import Schema


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of the query string, or of the headers."""

    name: str
    schema: Schema
    about: str
    place: str = "query"
    required: bool = False


_LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": 100}
LIMIT_20: Final = Parameter("limit", {**_LIMIT, "default": 20}, "How many at most.")
LIMIT_40: Final = Parameter("limit", {**_LIMIT, "default": 40}, "How many at most.")
ORDER: Final = Parameter(
    "order", {"enum": ["asc", "desc"], "default": "desc"}, "asc: the oldest first."
)
AFTER: Final = Parameter("after", {"type": "string"}, "The last id of the page before.")
PART: Final = (
    Parameter("limit", {**_LIMIT}, "How many at most; all, if it is left out."),
    Parameter("order", {"enum": ["asc", "desc"], "default": "asc"}, "desc: the newest first."),
    AFTER,
)
CURSOR: Final = Parameter(
    "after", {"type": "string"}, "`last_cursor` of the page before, or its last id."
)
_EITHER: Final = ["true", "false", "all"]
ARCHIVED: Final = Parameter(
    "archived", {"enum": _EITHER, "default": "false"}, "Those that are put away, or those not."
)
PINNED: Final = Parameter(
    "pinned", {"enum": _EITHER, "default": "all"}, "Those that are pinned, or those not."
)
WORDS: Final = Parameter(
    "q", {"type": "string", "minLength": 1, "maxLength": 200}, "The words to find.", required=True
)
AS_STREAM: Final = Parameter(
    "stream", {"enum": ["true", "1", "false", "0"], "default": "false"}, "Read its events."
)
STARTING_AFTER: Final = Parameter(
    "starting_after",
    {"type": "integer", "minimum": -1, "maximum": 2**53, "default": -1},
    "The last number that the client has.",
)
KEY: Final = Parameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 256},
    "As `tokenwire.idempotency_key` of the body.",
    "header",
)
