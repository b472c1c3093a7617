"""Events that are read back: from history, from the journal after a crash, for a late joiner.

They are what they were, byte for byte. This file refuses to know who kept them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tokenwire.wire.events import Event, JsonObject, delta_event, delta_head


if TYPE_CHECKING:
    from collections.abc import Sequence


_encode = msgspec.json.Encoder().encode


def kept_events(kept: Sequence[str]) -> list[Event]:
    """The events, from number 0 on, that were kept as `Event.kept`: the same, byte for byte."""
    events: list[Event] = []
    head = ""
    for number, text in enumerate(kept):
        if text.startswith("+"):
            events.append(delta_event(head, number, text[1:]))
            continue
        events.append(stored_event(text))
        if events[-1].type == "response.output_item.added":
            head = delta_head(msgspec.json.decode(text, type=_Added).item.id)
    return events


def stored_event(json: str) -> Event:
    """An event of a response that has ended, read back from history."""
    head = msgspec.json.decode(json, type=_Head)
    return Event(head.type, head.sequence_number, json, head.delta)


def times_taken_up(events: Sequence[Event]) -> int:
    """How often a response says that servers went on with it after another had ended."""
    for event in reversed(events):
        if event.type == "response.in_progress":
            return msgspec.json.decode(event.json, type=_InProgress).response.tokenwire.taken_up
    return 0


def snapshot(events: Sequence[Event]) -> list[Event]:
    """What a late joiner has to be sent in the place of `events`, the log so far: the same, but all
    text deltas as one, numbered as the last of them; what lies between them is left out.

    The log then goes on after the last of these numbers.
    """
    deltas = [event for event in events if event.delta]
    if not deltas:
        return list(events)
    first, last = deltas[0].sequence_number, deltas[-1].sequence_number
    body = msgspec.json.decode(deltas[-1].json, type=JsonObject)
    text = body["delta"] = "".join(event.delta for event in deltas)
    whole = Event(deltas[-1].type, last, _encode(body).decode(), text)
    return [*events[:first], whole, *events[last + 1 :]]


class _TakenUp(msgspec.Struct):
    taken_up: int = 0


class _Resource(msgspec.Struct):
    tokenwire: _TakenUp = msgspec.field(default_factory=_TakenUp)


class _InProgress(msgspec.Struct):
    response: _Resource


class _Item(msgspec.Struct):
    id: str


class _Added(msgspec.Struct):
    item: _Item


class _Head(msgspec.Struct):
    type: str
    sequence_number: int
    delta: str = ""
