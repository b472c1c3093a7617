"""An append-only log with replay: append, after(n), watch, close. The index is the sequence number.

Readers are cursors: a slow one costs an integer and can neither close the log nor slow it. This
file refuses to know what an event means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenwire.generation.bell import Bell


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from tokenwire.wire.events import Event


# Events that a reader is given at once: what it holds while its peer is slow.
BATCH = 256


class Log:
    """The events of one response. Closed exactly once, by its generation."""

    def __init__(self, events: Sequence[Event] = (), *, closed: bool = False) -> None:
        self._events = list(events)
        self._closed = closed
        self._watchers: dict[object, Callable[[], None]] = {}

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def last_sequence_number(self) -> int:
        """-1 while the log is empty."""
        return len(self._events) - 1

    def append(self, *events: Event) -> None:
        """Add events whose numbers follow the last one's."""
        if self._closed:
            raise AssertionError("a closed log takes no event")
        known = self._events
        for event in events:
            if event.sequence_number != len(known):
                raise AssertionError(f"event {event.sequence_number} would be entry {len(known)}")
            known.append(event)
        self._tell()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._tell()

    def after(self, sequence_number: int, most: int | None = None) -> Sequence[Event]:
        """The events whose number is greater, -1 for all, `most` of them at most."""
        first = sequence_number + 1
        return self._events[first : None if most is None else first + most]

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after each append and at the end. Returns the way to stop."""
        # A key of its own: the same reader may watch twice, and each stops only itself.
        key = object()
        self._watchers[key] = changed

        def stop() -> None:
            self._watchers.pop(key, None)

        return stop

    def _tell(self) -> None:
        for changed in tuple(self._watchers.values()):
            changed()


async def follow(
    logs: Sequence[Log], after: int, *, silence: float
) -> AsyncGenerator[tuple[int, Sequence[Event]], None]:
    """What lies after a position in each of `logs`: which of them, and a batch as large as the
    reader is slow, but for a bound, until all are closed.

    An empty batch says that nothing came for `silence` seconds.
    """
    # The bell belongs to this reader alone, so no wake-up can be taken by another.
    bell = Bell(silence)
    unwatch = [log.watch(bell.ring) for log in logs]
    cursors = [after] * len(logs)
    try:
        while True:
            silent = True
            for index, log in enumerate(logs):
                if batch := log.after(cursors[index], BATCH):
                    cursors[index], silent = batch[-1].sequence_number, False
                    yield index, batch
            if not silent:
                continue
            if all(log.closed for log in logs):
                return
            if not await bell.wait():
                yield 0, ()
    finally:
        for stop in unwatch:
            stop()
        bell.close()
