"""Several events in one frame, for who understands that. Refuses to know what an event says."""

from __future__ import annotations


_BRACKETS = 2


def framed(events: list[str], most_bytes: int) -> list[str]:
    """The events as few frames: one is itself, several are a JSON array of at most so many bytes,
    unless an event alone is longer.
    """
    frames: list[str] = []
    batch: list[str] = []
    size = _BRACKETS
    for event in events:
        added = _bytes(event) + 1
        if batch and size + added > most_bytes:
            frames.append(_frame(batch))
            batch, size = [], _BRACKETS
        batch.append(event)
        size += added
    return [*frames, _frame(batch)] if batch else frames


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _frame(events: list[str]) -> str:
    return events[0] if len(events) == 1 else f"[{','.join(events)}]"
