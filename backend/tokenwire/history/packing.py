"""How blobs are packed: the numbered events of a response, and its token ids.

It gives back exactly what it was given, for any string that JSON can carry; it refuses to know what
an event means.
"""

from __future__ import annotations

import json
import zlib
from array import array
from typing import TYPE_CHECKING, cast


if TYPE_CHECKING:
    from collections.abc import Sequence


# Events repeat themselves so much that the fastest level already takes nine tenths away, and the
# writer, which everyone waits for, is not held up.
LEVEL = 1


def pack_events(events: Sequence[str]) -> bytes:
    return zlib.compress(json.dumps(list(events)).encode(), LEVEL)


def unpack_events(blob: bytes) -> list[str]:
    return cast("list[str]", json.loads(zlib.decompress(blob)))


def pack_token_ids(token_ids: Sequence[int]) -> bytes:
    """Four bytes a token, in the byte order of this machine, compressed."""
    return zlib.compress(array("I", token_ids).tobytes(), LEVEL)


def unpack_token_ids(blob: bytes) -> list[int]:
    return array("I", zlib.decompress(blob)).tolist()
