"""Reads what stands at the beginning of a safetensors file: which weights are in it, where, and in
which type.

It reads headers only, never a weight, and refuses to know which model they make.
"""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast


if TYPE_CHECKING:
    from pathlib import Path


# As the format has it: no header is longer.
_HEADER_MAX: Final = 100_000_000
_LENGTH_BYTES: Final = 8
_MATRIX: Final = 2
# What git leaves in the place of a large file that it has not fetched.
_LFS_POINTER: Final = b"version https://git-lfs"


class BrokenFile(Exception):  # noqa: N818 - named for what is wrong
    """A file of weights that can't be loaded, with the sentence that says why."""


class Weight(NamedTuple):
    """The type of a weight in the format's words ("BF16"), its bytes on disk, and of a matrix, or
    of all in a stack of them, rows and columns together.
    """

    dtype: str
    size: int
    sides: int


def weights_in(file: Path) -> dict[str, Weight]:
    """The weights of a file by their names. Raises BrokenFile for one that is cut off, too long or
    something else, and OSError.
    """
    with file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        first = opened.read(_LENGTH_BYTES)
        if (length := int.from_bytes(first, "little")) > _HEADER_MAX:
            start = first + opened.read(len(_LFS_POINTER) - _LENGTH_BYTES)
            raise BrokenFile(_stranger(file.name, start))
        if size < _LENGTH_BYTES + length or not length:
            raise BrokenFile(_cut_off(file.name, size, _LENGTH_BYTES + length, "at least "))
        header = opened.read(length)
    entries = _entries(file.name, header)
    weights = dict[str, Weight]()
    end = 0
    for name, (dtype, start, stop, sides) in entries.items():
        weights[name] = Weight(dtype, stop - start, sides)
        end = max(end, stop)
    expected = _LENGTH_BYTES + length + end
    if size < expected:
        raise BrokenFile(_cut_off(file.name, size, expected))
    if size > expected:
        raise BrokenFile(
            f"{file.name} is too long: it has {size:,} bytes and should have {expected:,}. "
            "Fetch it again."
        )
    return weights


def _entries(name: str, header: bytes) -> dict[str, tuple[str, int, int, int]]:
    """Type, first byte, end and sides of each weight."""
    try:
        found = cast("dict[str, dict[str, Any]]", json.loads(header))
        return {
            weight: (str(entry["dtype"]), *_ends(entry["data_offsets"]), _sides(entry["shape"]))
            for weight, entry in found.items()
            if weight != "__metadata__"
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BrokenFile(f"{name} can't be read: its header is broken. Fetch it again.") from error


def _ends(offsets: list[int]) -> tuple[int, int]:
    start, stop = offsets
    return int(start), int(stop)


def _sides(shape: list[int]) -> int:
    *stack, rows, columns = (0, 0, *shape) if len(shape) < _MATRIX else shape
    return math.prod(stack) * (rows + columns)


def _stranger(name: str, start: bytes) -> str:
    if start == _LFS_POINTER:
        return f"{name} is only git's pointer to the weights; `git lfs pull` fetches them."
    return f"{name} is no safetensors file."


def _cut_off(name: str, size: int, expected: int, least: str = "") -> str:
    return (
        f"{name} is cut off: it has {size:,} bytes and should have {least}{expected:,}. "
        "Fetch it again."
    )
