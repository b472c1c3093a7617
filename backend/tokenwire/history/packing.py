"""How blobs are packed: the numbered events of a response, its token ids, a row of the journal.

It gives back exactly what it was given, for any string that JSON can carry; it refuses to know what
an event means.
"""

from __future__ import annotations

import json
import zlib
from array import array
from typing import TYPE_CHECKING, cast

import msgspec

from tokenwire.history.prepared import to_json
from tokenwire.history.values import JournalEntry, Spoken


if TYPE_CHECKING:
    from collections.abc import Sequence


# Events repeat themselves so much that the fastest level already takes nine tenths away, and the
# writer, which everyone waits for, is not held up.
LEVEL = 1


def pack_events(events: Sequence[str]) -> bytes:
    return zlib.compress(to_json(events).encode(), LEVEL)


def unpack_events(blob: bytes) -> list[str]:
    return cast("list[str]", json.loads(zlib.decompress(blob)))


def pack_token_ids(token_ids: Sequence[int]) -> bytes:
    """Four bytes a token, in the byte order of this machine, compressed."""
    return zlib.compress(array("I", token_ids).tobytes(), LEVEL)


def unpack_token_ids(blob: bytes) -> list[int]:
    return array("I", zlib.decompress(blob)).tolist()


class _Entry(msgspec.Struct, array_like=True):
    response_id: str
    first: int
    events: list[str]
    token_ids: list[int]
    prompt: list[int] | None


# Not compressed: a row lives for seconds, and its bytes are made while every stream waits.
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Entry]).decode


def pack_entries(entries: Sequence[Spoken]) -> bytes:
    return _encode(
        [(e.response_id, e.first, e.events, list(e.token_ids), e.prompt) for e in entries]
    )


def unpack_entries(blob: bytes) -> list[JournalEntry]:
    return [
        JournalEntry(e.response_id, e.first, e.events, e.token_ids, e.prompt) for e in _decode(blob)
    ]
