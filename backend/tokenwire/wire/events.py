"""The Response resource and the events of its log: each numbered once, encoded once.

An `Event`'s JSON never changes after it was numbered. This file refuses to know sockets, logs and
time, and in which order events come: narrator.py tells them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from tokenwire.wire.items import Item
from tokenwire.wire.schema import any_of, ref, shown_as
from tokenwire.wire.spelled import EchoedTools, ToolChoice


if TYPE_CHECKING:
    from tokenwire.wire.commands import Create


Status = Literal["queued", "in_progress", "completed", "incomplete", "cancelled", "failed"]
TEXT_DELTA: Final = "response.output_text.delta"
TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})

# The struct below has a field named "object", which would shadow the type in its annotations.
JsonObject = dict[str, object]
# As the documents show them; answers.py has the shapes.
Failure = Annotated[dict[str, str], shown_as(ref("Failure"))]
Cut = Annotated[dict[str, str], shown_as(ref("Cut"))]
Ref = Annotated[dict[str, str], shown_as(ref("ConversationRef"))]
_Calls = ("FunctionCall", "CustomToolCall", "ShellCall")
Said = any_of("OutputMessage", "Reasoning", *_Calls, "Compaction")
Output = list[Annotated[Item, shown_as(Said)]]
Reasoning = Annotated[JsonObject, shown_as(ref("ReasoningFields"))]
Text = Annotated[JsonObject, shown_as(ref("TextFields"))]
Usage = Annotated[JsonObject, shown_as(ref("Usage"))]
Notes = Annotated[JsonObject, shown_as(ref("ResponseNotes"))]
_encode = msgspec.json.Encoder().encode
_BARE_DELTA: Final = '{"type":"response.output_text.delta","item_id"'


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
        json = self.json
        return "+" + self.delta if json.startswith(_BARE_DELTA) else json

    @property
    def is_bare(self) -> bool:
        """Whether it is a text delta that says nothing but its text."""
        return self.json.startswith(_BARE_DELTA)

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
    error: Failure | None = None
    incomplete_details: Cut | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    model: str
    output: Output = msgspec.field(default_factory=list[Item])
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    conversation: Ref | None = None
    prompt_cache_key: str | None = None
    reasoning: Reasoning | None = None
    safety_identifier: str | None = None
    service_tier: str = "default"
    store: bool = True
    temperature: float | None = None
    text: Text = msgspec.field(default_factory=lambda: {"format": {"type": "text"}})
    tool_choice: ToolChoice = "auto"
    tools: EchoedTools = msgspec.field(default_factory=list[JsonObject])
    top_logprobs: int = 0
    top_p: float | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    truncation: str = "disabled"
    usage: Usage | None = None
    user: str | None = None
    tokenwire: Notes = msgspec.field(default_factory=JsonObject)

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
        reasoning=msgspec.to_builtins(create.reasoning) if create.reasoning else None,
        safety_identifier=create.safety_identifier,
        store=store,
        temperature=create.temperature,
        text={"format": {"type": "text"}} | msgspec.to_builtins(create.text or {}),
        tool_choice=create.tool_choice or "auto",
        tools=create.tools or [],
        top_logprobs=create.top_logprobs or 0,
        top_p=create.top_p,
        presence_penalty=create.presence_penalty or 0.0,
        frequency_penalty=create.frequency_penalty or 0.0,
        truncation=create.truncation or "disabled",
        user=create.user,
        tokenwire={} if create.seed is None else {"seed": create.seed},
    )


def usage(
    input_tokens: int, output_tokens: int, cached_tokens: int, reasoning_tokens: int = 0
) -> dict[str, object]:
    return {
        "input_tokens": input_tokens,
        # The SDK requires what was written to the cache; its price, and so its count, is none here.
        "input_tokens_details": {"cached_tokens": cached_tokens, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "total_tokens": input_tokens + output_tokens,
    }


def delta_head(item_id: str, output_index: int) -> str:
    """How each text delta of an item begins."""
    return (
        f'{_BARE_DELTA}:"{item_id}",'
        f'"output_index":{output_index},"content_index":0,"logprobs":[],"sequence_number":'
    )


def delta_event(head: str, number: int, delta: str) -> Event:
    """A text delta; `head` is its item's."""
    json = f'{head}{number},"delta":{_encode(delta).decode()}}}'
    return Event(TEXT_DELTA, number, json, delta)


def numbered(kind: str, number: int, fields: dict[str, object], delta: str = "") -> Event:
    """Any event from its fields; `delta` where it is a text delta that carries more than text."""
    body = {"type": kind, "sequence_number": number, **fields}
    return Event(kind, number, _encode(body).decode(), delta)
