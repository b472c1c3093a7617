"""New ids: a prefix and a time-ordered random number, never reused. Of what they name it knows only
the kinds of items.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from tokenwire.wire.items import Item


_KINDS: Final = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "local_shell_call": "lsh",
    "local_shell_call_output": "lsho",
    "reasoning": "rs",
    "compaction": "cmp",
}


def new_id(prefix: str) -> str:
    """`<prefix>_` and 32 hex digits in the order of UUID version 7: 48 bits of milliseconds, then
    random.
    """
    milliseconds = time.time_ns() // 1_000_000
    return f"{prefix}_{milliseconds:012x}{secrets.token_hex(10)}"


def named(item: Item) -> Item:
    """A canonical item under a new id of its kind."""
    return {**item, "id": new_id(_KINDS[str(item["type"])])}
