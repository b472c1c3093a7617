"""New ids: a prefix and a time-ordered random number, never reused. Knows not what they name."""

from __future__ import annotations

import secrets
import time


def new_id(prefix: str) -> str:
    """`<prefix>_` and 32 hex digits in the order of UUID version 7: 48 bits of milliseconds, then
    random.
    """
    milliseconds = time.time_ns() // 1_000_000
    return f"{prefix}_{milliseconds:012x}{secrets.token_hex(10)}"
