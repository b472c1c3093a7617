"""A lane of a connection, and what it reads. Refuses to know frames and which lane is next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tokenwire.wire.commands import Create


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.wire.events import Event
    from tokenwire.wire.items import Item


class ReadableLog(Protocol):
    """What a session reads: an append-only log of events."""

    @property
    def closed(self) -> bool: ...

    @property
    def last_sequence_number(self) -> int: ...

    def after(self, sequence_number: int, most: int | None = None) -> Sequence[Event]: ...

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]: ...


class Source(Protocol):
    """A response as a session sees it."""

    @property
    def id(self) -> str: ...

    @property
    def log(self) -> ReadableLog: ...

    @property
    def status(self) -> str: ...

    def join(self) -> None:
        """Someone reads it now."""
        ...

    def leave(self) -> None:
        """Who joined has gone, or has read to the end."""
        ...

    def chain(self) -> list[Item] | None:
        """For a response that is not stored: the items that its successor continues from."""
        ...


@dataclass(slots=True)
class Lane:
    """A lane: what it reads now, from where, and the creates that wait behind it."""

    name: str | None
    source: Source | None = None
    # The source's own, which is looked at for each event.
    log: ReadableLog | None = None
    cursor: int = -1
    ahead: Sequence[Event] = ()
    create: Create | None = None
    starting: bool = False
    cancelled: bool = False
    waiting: deque[Create] = field(default_factory=deque[Create])
    # Kept for what follows the response that was steered; what is told when it was read.
    held: str | None = None
    then: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    unwatch: Callable[[], None] | None = None

    @property
    def busy(self) -> bool:
        return self.starting or self.held is not None or self.source is not None
