"""The Response resource and its server events: built in order, numbered once, encoded once.

An `Event` is an entry of a response's log; its JSON never changes after it was numbered. This
file refuses to know sockets, logs and time: whoever calls it says what happened and when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from tokenwire.wire.items import Item, output_message, output_text


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.wire.commands import Create


Status = Literal["queued", "in_progress", "completed", "incomplete", "cancelled", "failed"]
TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})

# The struct below has a field named "object", which would shadow the type in its annotations.
JsonObject = dict[str, object]
JsonValue = object
_encode = msgspec.json.Encoder().encode


class Event(msgspec.Struct, frozen=True):
    """One numbered event. `json` is the whole event without a stream_id; `delta` is the text it
    adds.
    """

    type: str
    sequence_number: int
    json: str
    delta: str = ""

    @property
    def kept(self) -> str:
        """What `kept_events` makes it of again, in few characters: for what is written once a token
        and read after a crash.
        """
        return f"+{self.delta}" if self.delta else self.json

    @property
    def is_terminal(self) -> bool:
        return self.type in TERMINAL

    def on_lane(self, stream_id: str | None) -> str:
        """The event as a frame of the lane `stream_id`."""
        if stream_id is None:
            return self.json
        return f'{{"stream_id":"{stream_id}",{self.json[1:]}'


class Response(msgspec.Struct, kw_only=True):
    """The Response resource, all fields that the SDKs and Open Responses require."""

    id: str
    object: str = "response"
    created_at: int
    completed_at: int | None = None
    status: Status = "in_progress"
    background: bool = False
    error: dict[str, str] | None = None
    incomplete_details: dict[str, str] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    model: str
    output: list[Item] = msgspec.field(default_factory=list[Item])
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    conversation: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    reasoning: JsonObject | None = None
    safety_identifier: str | None = None
    service_tier: str = "default"
    store: bool = True
    temperature: float | None = None
    text: JsonObject = msgspec.field(default_factory=lambda: {"format": {"type": "text"}})
    tool_choice: JsonValue = "auto"
    tools: list[JsonObject] = msgspec.field(default_factory=list[JsonObject])
    top_logprobs: int = 0
    top_p: float | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    truncation: str = "disabled"
    usage: JsonObject | None = None
    user: str | None = None
    tokenwire: JsonObject = msgspec.field(default_factory=JsonObject)

    def to_json(self) -> JsonObject:
        return msgspec.to_builtins(self)


def new_response(
    create: Create, *, response_id: str, model: str, created_at: int, store: bool
) -> Response:
    """The resource of a create that was accepted, before anything was generated."""
    conversation = create.conversation_id
    return Response(
        id=response_id,
        created_at=created_at,
        model=model,
        background=bool(create.background),
        instructions=create.instructions,
        max_output_tokens=create.max_output_tokens,
        max_tool_calls=create.max_tool_calls,
        metadata=create.metadata or {},
        parallel_tool_calls=create.parallel_tool_calls is not False,
        previous_response_id=create.parent_id,
        conversation={"id": conversation} if conversation else None,
        prompt_cache_key=create.prompt_cache_key,
        reasoning=create.reasoning,
        safety_identifier=create.safety_identifier,
        store=store,
        temperature=create.temperature,
        text={"format": {"type": "text"}} | (create.text or {}),
        tool_choice=create.tool_choice or "auto",
        top_p=create.top_p,
        presence_penalty=create.presence_penalty or 0.0,
        frequency_penalty=create.frequency_penalty or 0.0,
        truncation=create.truncation or "disabled",
        user=create.user,
    )


def usage(input_tokens: int, output_tokens: int, cached_tokens: int) -> dict[str, object]:
    return {
        "input_tokens": input_tokens,
        # The SDK requires what was written to the cache; its price, and so its count, is none here.
        "input_tokens_details": {"cached_tokens": cached_tokens, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }


class Narrator:
    """Tells one text response as events, in the order of the protocol, numbers gapless from 0.

    `said`: the events so far of a response that is gone on with.
    """

    def __init__(self, response: Response, item_id: str, said: Sequence[Event] = ()) -> None:
        self.response = response
        self.item_id = item_id
        self._next = len(said)
        self._open = any(event.type == "response.content_part.added" for event in said)
        self._delta_head = delta_head(item_id)

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

    def text(self, delta: str) -> list[Event]:
        """The text that came since the last call: at the first, the item and the part open before
        it.
        """
        events = [] if self._open else self._opening()
        events.append(delta_event(self._delta_head, self._number(), delta))
        return events

    def closing(self, text: str, status: Literal["completed", "incomplete"]) -> list[Event]:
        """The end of the message item, which goes into the resource's output.

        A complete answer without a word still has its (empty) message; a cut one has none.
        """
        if not self._open and status == "incomplete":
            return []
        opening = [] if self._open else self._opening()
        item = output_message(self.item_id, text, status)
        self.response.output = [item]
        return [
            *opening,
            self._part_event("output_text.done", text=text, logprobs=[]),
            self._part_event("content_part.done", part=output_text(text)),
            self._event("response.output_item.done", output_index=0, item=item),
        ]

    def undo(self, event: Event) -> None:
        """Take back the newest event, which nobody has seen, so that it can be told otherwise."""
        if event.sequence_number != self._next - 1:
            raise AssertionError("only the newest event can be taken back")
        self._next -= 1

    def _opening(self) -> list[Event]:
        self._open = True
        item: Item = {**output_message(self.item_id, "", "in_progress"), "content": list[Item]()}
        return [
            self._event("response.output_item.added", output_index=0, item=item),
            self._part_event("content_part.added", part=output_text("")),
        ]

    def _part_event(self, name: str, **fields: object) -> Event:
        return self._event(
            f"response.{name}", item_id=self.item_id, output_index=0, content_index=0, **fields
        )

    def _event(self, kind: str, **fields: object) -> Event:
        number = self._number()
        body = {"type": kind, "sequence_number": number, **fields}
        return Event(kind, number, _encode(body).decode())

    def _number(self) -> int:
        self._next += 1
        return self._next - 1


def delta_head(item_id: str) -> str:
    """How each text delta of an item begins."""
    return (
        f'{{"type":"response.output_text.delta","item_id":"{item_id}",'
        '"output_index":0,"content_index":0,"logprobs":[],"sequence_number":'
    )


def delta_event(head: str, number: int, delta: str) -> Event:
    """A text delta; `head` is its item's."""
    json = f'{head}{number},"delta":{_encode(delta).decode()}}}'
    return Event("response.output_text.delta", number, json, delta)
