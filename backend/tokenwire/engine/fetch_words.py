"""What the server and the process that fetches a model say to each other: how patient to be, and
lines of JSON about how far it is.

It refuses to know the hub, and how the lines travel.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import msgspec


if TYPE_CHECKING:
    from collections.abc import Callable


_TELL_EVERY_S = 0.1


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a bad connection is borne: `tries` in a row that bring next to nothing, a pause
    before each that doubles, or is what the hub asks for (its limits count over five minutes) up
    to `longest_s`, and how long a reply may be silent. No reply is asked to have more than
    `reply_bytes`: what is behind the hub hands nothing out that is larger than 50 GB, but any part.
    """

    tries: int = 6
    pause_s: float = 1.0
    longest_s: float = 330.0
    stall_s: float = 20.0
    reply_bytes: int = 20 * 10**9


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """`done` of `total` bytes are here. `checked` of them are known to be right; `detail` is said
    where a person should know more.
    """

    stage: Literal["resolving", "downloading", "verifying"]
    done: int = 0
    total: int | None = None
    checked: int = 0
    detail: str | None = None


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """The last line. `paused` keeps what is there; `refused` says that trying again is no help
    before something else has changed.
    """

    how: Literal["done", "paused", "refused"]
    why: str = ""


Line = Progress | End


class Teller:
    """Says how far it is, not too often. What is done never goes down, even where bytes that are
    here have to be fetched again.
    """

    def __init__(self, say: Callable[[Line], None]) -> None:
        self._say, self._have, self._done, self._said_at = say, 0, 0, 0.0
        self.total: int | None = None

    def tell(self, line: Progress) -> None:
        self._said_at = time.monotonic()
        self._say(msgspec.structs.replace(line, done=self._done, total=self.total))

    def moved(self, count: int) -> None:
        self._have += count
        self._done = max(self._done, self._have)
        if time.monotonic() - self._said_at >= _TELL_EVERY_S:
            self.tell(Progress(stage="downloading"))

    def checked(self, count: int) -> None:
        if time.monotonic() - self._said_at >= _TELL_EVERY_S:
            self.tell(Progress(stage="verifying", checked=count))


def size(count: int) -> str:
    """Bytes for a person, in the decimal units that the hub and disks are sold in."""
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1000:.0f} kB"
