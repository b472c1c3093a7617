"""Events that are read back: from history, from the journal after a crash, for a late joiner.

They are what they were, byte for byte. This file refuses to know who kept them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from tokenwire.wire.events import TEXT_DELTA, Event, JsonObject, delta_event, delta_head


if TYPE_CHECKING:
    from collections.abc import Sequence


_encode = msgspec.json.Encoder().encode
_REPEATED: Final = ("response.queued", "response.in_progress")


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
            added = msgspec.json.decode(text, type=_Added)
            head = delta_head(added.item.id, added.output_index)
    return events


def stored_event(json: str) -> Event:
    """An event of a response that has ended, read back from history."""
    head = msgspec.json.decode(json, type=_Head)
    return Event(
        head.type, head.sequence_number, json, head.delta if head.type == TEXT_DELTA else ""
    )


def times_taken_up(events: Sequence[Event]) -> int:
    """How often a response says that servers went on with it after another had ended."""
    for event in reversed(events):
        if event.type == "response.in_progress":
            return msgspec.json.decode(event.json, type=_InProgress).response.tokenwire.taken_up
    return 0


def thought_ms(events: Sequence[Event]) -> float | None:
    """How long the model has thought, in milliseconds: None where it has not, NaN where it was not
    told, or where these events end amid a thought.
    """
    found: float | None = None
    for event in events:
        if event.type == "response.output_item.added":
            if msgspec.json.decode(event.json, type=_Added).item.type == "reasoning":
                found = math.nan
        elif event.type == "response.output_item.done":
            done = msgspec.json.decode(event.json, type=_Done)
            if done.item.type == "reasoning" and done.tokenwire is not None:
                found = done.tokenwire.timing.reasoning_ms
    return found


def snapshot(events: Sequence[Event]) -> list[Event]:
    """What a late joiner has to be sent in the place of `events`, the log so far: the same, but the
    text deltas of each part as one, numbered as the last of them; what is repeated between them is
    left out.

    The log then goes on after the last of these numbers.
    """
    told: list[Event] = []
    run: list[Event] = []
    repeated: list[Event] = []
    for event in events:
        if event.delta:
            run.append(event)
            repeated = []
        elif run and event.type in _REPEATED:
            repeated.append(event)
        else:
            told += [*_whole(run), *repeated, event]
            run, repeated = [], []
    return [*told, *_whole(run), *repeated]


def _whole(deltas: Sequence[Event]) -> list[Event]:
    if len(deltas) < 2:
        return [*deltas]
    last = deltas[-1]
    body = msgspec.json.decode(last.json, type=JsonObject)
    text = body["delta"] = "".join(event.delta for event in deltas)
    if not all(event.is_bare for event in deltas):
        body["logprobs"] = [
            told
            for event in deltas
            for told in msgspec.json.decode(event.json, type=_Told).logprobs
        ]
    return [Event(last.type, last.sequence_number, _encode(body).decode(), text)]


class _TakenUp(msgspec.Struct):
    taken_up: int = 0


class _Resource(msgspec.Struct):
    tokenwire: _TakenUp = msgspec.field(default_factory=_TakenUp)


class _InProgress(msgspec.Struct):
    response: _Resource


class _Told(msgspec.Struct):
    logprobs: list[JsonObject] = msgspec.field(default_factory=list[JsonObject])


class _Item(msgspec.Struct):
    id: str
    type: str


class _Added(msgspec.Struct):
    output_index: int
    item: _Item


class _Thought(msgspec.Struct):
    reasoning_ms: float


class _Timing(msgspec.Struct):
    timing: _Thought


class _Done(msgspec.Struct):
    item: _Item
    tokenwire: _Timing | None = None


class _Head(msgspec.Struct):
    type: str
    sequence_number: int
    delta: str = ""
