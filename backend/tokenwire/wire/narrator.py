"""Tells one response as events: its output items one after another, each opened, said, closed.

The order is the protocol's, the numbers are gapless from 0. It refuses to know where the words come
from, who reads them, and when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

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
    output_message,
    output_text,
    reasoning_item,
    reasoning_text,
    tool_call,
)
from tokenwire.wire.offered import Called, called


if TYPE_CHECKING:
    from collections.abc import Sequence


Kind = Literal["message", "reasoning", "function_call", "custom_tool_call"]

_PREFIX: Final[dict[Kind, str]] = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "custom_tool_call": "ctc",
}
# How the events of a call name what it says.
_SAYS: Final[dict[Kind, str]] = {
    "function_call": "function_call_arguments",
    "custom_tool_call": "custom_tool_call_input",
}
_TOLD: Final = (
    "response.reasoning_text.delta",
    *(f"response.{say}.delta" for say in _SAYS.values()),
)


@dataclass(slots=True, kw_only=True)
class Told:
    """An output item as far as it was told. `text` is what a message or a thought says, and the
    arguments or the input of a call.
    """

    kind: Kind
    id: str
    index: int
    head: str
    call: int = 0
    call_id: str = ""
    name: str = ""
    namespace: str | None = None
    status: str = "in_progress"
    texts: list[str] = field(default_factory=list[str])
    logprobs: list[JsonObject] = field(default_factory=list[JsonObject])

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def open(self) -> bool:
        return self.status == "in_progress"

    @property
    def calls(self) -> bool:
        return self.kind in _SAYS

    def item(self) -> Item:
        match self.kind:
            case "message":
                return output_message(self.id, self.text, self.status, self.logprobs)
            case "reasoning":
                return reasoning_item(self.id, self.text, self.status)
            case kind:
                named = {"call_id": self.call_id, "name": self.name, "namespace": self.namespace}
                return tool_call(kind, self.text, id=self.id, status=self.status, **named)


class Narrator:
    """`item_id`: that of the answer's first message, from which the others are made. `said`: the
    events so far of a response that is gone on with.
    """

    def __init__(self, response: Response, item_id: str, said: Sequence[Event] = ()) -> None:
        self.response = response
        self.item_id = item_id
        # How long was thought, told where thoughts end, if it is known.
        self.reasoning_ms: int | None = None
        self.items: list[Told] = told_items(said)
        self._next = len(said)
        self._called = called(response.tools)

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

    def call(self, number: int, call_id: str, name: str, said: str) -> list[Event]:
        """What comes next of the answer's call `number`: of its arguments, or of its input. Its id
        and the name of the function that the model called are those of the first piece.
        """
        last = self.items[-1] if self.items else None
        events: list[Event] = []
        if last is None or not (last.open and last.calls and last.call == number):
            tool = self._called.get(name) or Called(name)
            kind: Kind = "custom_tool_call" if tool.custom else "function_call"
            events = [*self._close("completed"), self._open_call(kind, number, call_id, tool)]
        told = self.items[-1]
        if said:
            told.texts.append(said)
            name = f"response.{_SAYS[told.kind]}.delta"
            events.append(self._event(name, **_place(told), delta=said))
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

    def _turn_to(self, kind: Kind) -> list[Event]:
        last = self.items[-1] if self.items else None
        if last is not None and last.open and last.kind == kind:
            return []
        return [*self._close("completed"), *self._open(kind)]

    def _open(self, kind: Kind) -> list[Event]:
        told, item = self._begin(kind)
        item["content"] = list[Item]()
        part = output_text("") if kind == "message" else reasoning_text("")
        return [
            self._event("response.output_item.added", output_index=told.index, item=item),
            self._event("response.content_part.added", **_place(told), part=part),
        ]

    def _open_call(self, kind: Kind, number: int, call_id: str, tool: Called) -> Event:
        fields = {"call": number, "call_id": call_id}
        told, item = self._begin(kind, **fields, name=tool.name, namespace=tool.namespace)
        return self._event("response.output_item.added", output_index=told.index, item=item)

    def _begin(self, kind: Kind, **fields: Any) -> tuple[Told, Item]:
        index = len(self.items)
        first = kind == "message" and all(told.kind != "message" for told in self.items)
        id = self.item_id if first else f"{_PREFIX[kind]}_{self.item_id.partition('_')[2]}_{index}"
        told = Told(kind=kind, id=id, index=index, head=delta_head(id, index), **fields)
        self.items.append(told)
        return told, told.item()

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
                ends = [(_SAYS[told.kind], {"arguments": text, "name": told.name})]
            case "custom_tool_call":
                ends = [(_SAYS[told.kind], {"input": text})]
        fields: JsonObject = {"output_index": told.index, "item": told.item()}
        if told.kind == "reasoning" and self.reasoning_ms is not None:
            fields["tokenwire"] = {"timing": {"reasoning_ms": self.reasoning_ms}}
        return [
            *(self._event(f"response.{name}.done", **_place(told), **said) for name, said in ends),
            self._event("response.output_item.done", **fields),
        ]

    def _event(self, kind: str, **fields: object) -> Event:
        return numbered(kind, self._number(), fields)

    def _number(self) -> int:
        self._next += 1
        return self._next - 1


def _place(told: Told) -> JsonObject:
    place: JsonObject = {"item_id": told.id, "output_index": told.index}
    return place if told.calls else place | {"content_index": 0}


def told_items(said: Sequence[Event]) -> list[Told]:
    """The items that events have told, the last of them perhaps still open."""
    items: list[Told] = []
    for event in said:
        match event.type:
            case "response.output_item.added":
                items.append(_added(event, sum(told.calls for told in items)))
            case "response.output_item.done":
                items[-1].status = msgspec.json.decode(event.json, type=_Added).item.status
            case "response.output_text.delta":
                items[-1].texts.append(event.delta)
                if not event.is_bare:
                    items[-1].logprobs.extend(msgspec.json.decode(event.json, type=_Delta).logprobs)
            case kind if kind in _TOLD:
                items[-1].texts.append(msgspec.json.decode(event.json, type=_Delta).delta)
            case _:
                pass
    return items


def _added(event: Event, calls: int) -> Told:
    added = msgspec.json.decode(event.json, type=_Added)
    item = added.item
    head = delta_head(item.id, added.output_index)
    told = Told(kind=item.type, id=item.id, index=added.output_index, head=head)
    told.call_id, told.name, told.namespace = item.call_id, item.name, item.namespace
    told.call = calls
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
    namespace: str | None = None


class _Added(msgspec.Struct):
    output_index: int
    item: _Item
