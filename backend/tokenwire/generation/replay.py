"""A response that ended earlier, read back from the memory: a log that is closed from the start.

It reads like a Generation and refuses to know that there is an engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenwire.generation.log import Log
from tokenwire.wire.kept import stored_event


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.wire.items import Item


class Replay:
    """A response that ended earlier, read from the memory."""

    def __init__(self, response_id: str, status: str, events: Sequence[str]) -> None:
        self.id = response_id
        self.status = status
        self.log = Log([stored_event(event) for event in events], closed=True)

    def chain(self) -> list[Item] | None:
        return None

    def join(self) -> None: ...

    def leave(self) -> None: ...
