"""Tells one response as events: its output items one after another, each opened, said, closed.

The order is the protocol's, the numbers are gapless from 0. It refuses to know where the words come
from, who reads them, and when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from tokenwire.wire.events import (
    TEXT_DELTA,
    Event,
    JsonObject,
    Response,
    delta_event,
    delta_head,
    numbered,
)
from tokenwire.wire.items import (
    Item,
    function_call,
    output_message,
    output_text,
    reasoning_item,
    reasoning_text,
)


if TYPE_CHECKING:
    from collections.abc import Sequence


Kind = Literal["message", "reasoning", "function_call"]

_PREFIX: Final[dict[Kind, str]] = {"message": "msg", "reasoning": "rs", "function_call": "fc"}


@dataclass(slots=True, kw_only=True)
class Told:
    """An output item as far as it was told. `text` is what a message or a thought says, and the
    arguments of a call.
    """

    kind: Kind
    id: str
    index: int
    head: str
    call: int = 0
    call_id: str = ""
    name: str = ""
    status: str = "in_progress"
    texts: list[str] = field(default_factory=list[str])
    logprobs: list[JsonObject] = field(default_factory=list[JsonObject])

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def open(self) -> bool:
        return self.status == "in_progress"

    def item(self) -> Item:
        match self.kind:
            case "message":
                return output_message(self.id, self.text, self.status, self.logprobs)
            case "reasoning":
                return reasoning_item(self.id, self.text, self.status)
            case "function_call":
                return function_call(self.id, self.call_id, self.name, self.text, self.status)


class Narrator:
    """`item_id`: that of the answer's first message, from which the others are made. `said`: the
    events so far of a response that is gone on with.
    """

    def __init__(self, response: Response, item_id: str, said: Sequence[Event] = ()) -> None:
        self.response = response
        self.item_id = item_id
        self.items: list[Told] = told_items(said)
        self._next = len(said)

    @property
    def last_sequence_number(self) -> int:
        return self._next - 1

    def lifecycle(self, name: str, tokenwire: dict[str, object] | None = None) -> Event:
        """`response.<name>` with the resource as it is; `tokenwire` adds to this event only."""
        kept = self.response.tokenwire
        if tokenwire is not None:
            self.response.tokenwire = kept | tokenwire
        event = self._event(f"response.{name}", response=self.response)
        self.response.tokenwire = kept
        return event

    def text(self, delta: str, logprobs: Sequence[JsonObject] = ()) -> list[Event]:
        """What the answer says next. A new item opens before it where another kind was told."""
        events = self._turn_to("message")
        told = self.items[-1]
        told.texts.append(delta)
        if logprobs:
            told.logprobs.extend(logprobs)
            fields = _place(told) | {"logprobs": list(logprobs), "delta": delta}
            events.append(numbered(TEXT_DELTA, self._number(), fields, delta))
        else:
            events.append(delta_event(told.head, self._number(), delta))
        return events

    def reasoning(self, delta: str) -> list[Event]:
        """What the model thinks next."""
        events = self._turn_to("reasoning")
        told = self.items[-1]
        told.texts.append(delta)
        events.append(self._event("response.reasoning_text.delta", **_place(told), delta=delta))
        return events

    def call(self, number: int, call_id: str, name: str, arguments: str) -> list[Event]:
        """What comes next of the answer's function call `number`; its id and its name are those of
        the first piece.
        """
        events = self._turn_to("function_call", number, call_id, name)
        told = self.items[-1]
        if arguments:
            told.texts.append(arguments)
            kind = "response.function_call_arguments.delta"
            events.append(self._event(kind, **_place(told), delta=arguments))
        return events

    def closing(self, status: Literal["completed", "incomplete"]) -> list[Event]:
        """The end of what is being told; all items go into the resource's output.

        A complete answer without a word still has its (empty) message; a cut one has none.
        """
        events: list[Event] = []
        if not self.items and status == "completed":
            events += self._open("message")
        events += self._close(status)
        self.response.output = [told.item() for told in self.items]
        return events

    def undo(self, event: Event) -> None:
        """Take back the newest event, which nobody has seen, so that it can be told otherwise."""
        if event.sequence_number != self._next - 1:
            raise AssertionError("only the newest event can be taken back")
        self._next -= 1

    def _turn_to(self, kind: Kind, call: int = 0, call_id: str = "", name: str = "") -> list[Event]:
        last = self.items[-1] if self.items else None
        if last is not None and last.open and (last.kind, last.call) == (kind, call):
            return []
        return [*self._close("completed"), *self._open(kind, call, call_id, name)]

    def _open(self, kind: Kind, call: int = 0, call_id: str = "", name: str = "") -> list[Event]:
        index = len(self.items)
        first = kind == "message" and all(told.kind != "message" for told in self.items)
        id = self.item_id if first else f"{_PREFIX[kind]}_{self.item_id.partition('_')[2]}_{index}"
        told = Told(kind=kind, id=id, index=index, head=delta_head(id, index))
        told.call, told.call_id, told.name = call, call_id, name
        self.items.append(told)
        item = told.item()
        if kind != "function_call":
            item["content"] = list[Item]()
        added = self._event("response.output_item.added", output_index=index, item=item)
        if kind == "function_call":
            return [added]
        part = output_text("") if kind == "message" else reasoning_text("")
        begun = self._event("response.content_part.added", **_place(told), part=part)
        return [added, begun]

    def _close(self, status: Literal["completed", "incomplete"]) -> list[Event]:
        told = self.items[-1] if self.items else None
        if told is None or not told.open:
            return []
        told.status = status
        text = told.text
        ends: list[tuple[str, JsonObject]]
        match told.kind:
            case "message":
                said: JsonObject = {"text": text, "logprobs": told.logprobs}
                part: JsonObject = {"part": output_text(text, told.logprobs)}
                ends = [("output_text", said), ("content_part", part)]
            case "reasoning":
                part = {"part": reasoning_text(text)}
                ends = [("reasoning_text", {"text": text}), ("content_part", part)]
            case "function_call":
                ends = [("function_call_arguments", {"arguments": text, "name": told.name})]
        return [
            *(self._event(f"response.{name}.done", **_place(told), **said) for name, said in ends),
            self._event("response.output_item.done", output_index=told.index, item=told.item()),
        ]

    def _event(self, kind: str, **fields: object) -> Event:
        return numbered(kind, self._number(), fields)

    def _number(self) -> int:
        self._next += 1
        return self._next - 1


def _place(told: Told) -> JsonObject:
    place: JsonObject = {"item_id": told.id, "output_index": told.index}
    return place if told.kind == "function_call" else place | {"content_index": 0}


def told_items(said: Sequence[Event]) -> list[Told]:
    """The items that events have told, the last of them perhaps still open."""
    items: list[Told] = []
    for event in said:
        match event.type:
            case "response.output_item.added":
                calls = sum(told.kind == "function_call" for told in items)
                items.append(_added(event, calls))
            case "response.output_item.done":
                items[-1].status = msgspec.json.decode(event.json, type=_Added).item.status
            case "response.output_text.delta":
                items[-1].texts.append(event.delta)
                if not event.is_bare:
                    items[-1].logprobs.extend(msgspec.json.decode(event.json, type=_Delta).logprobs)
            case "response.reasoning_text.delta" | "response.function_call_arguments.delta":
                items[-1].texts.append(msgspec.json.decode(event.json, type=_Delta).delta)
            case _:
                pass
    return items


def _added(event: Event, calls: int) -> Told:
    added = msgspec.json.decode(event.json, type=_Added)
    item = added.item
    head = delta_head(item.id, added.output_index)
    told = Told(kind=item.type, id=item.id, index=added.output_index, head=head)
    told.call_id, told.name, told.call = item.call_id, item.name, calls
    return told


class _Delta(msgspec.Struct):
    delta: str
    logprobs: list[JsonObject] = msgspec.field(default_factory=list[JsonObject])


class _Item(msgspec.Struct):
    id: str
    type: Kind
    status: str = "completed"
    call_id: str = ""
    name: str = ""


class _Added(msgspec.Struct):
    output_index: int
    item: _Item
