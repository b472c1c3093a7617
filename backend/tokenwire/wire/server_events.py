"""The shapes of the events that this server sends: those of a response's log, which a stream has
too, and those of a socket alone.

For the documents alone, as answers.py: narrator.py tells the log, session.py and the hub the rest.
It refuses to know in which order they come.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import UNSET, Struct, UnsetType

from tokenwire.wire.answers import Conversation, ErrorDetails
from tokenwire.wire.events import Response, Status
from tokenwire.wire.shown import Logprob, OutputItem, OutputText, ReasoningText
from tokenwire.wire.states import Model


class ServerEvent(Struct, kw_only=True, tag_field="type", tag="event"):
    """`stream_id`: the lane of a socket, where it has a name."""

    sequence_number: int
    stream_id: str | UnsetType = UNSET


class _OfResponse(ServerEvent, kw_only=True):
    response: Response


class Created(_OfResponse, kw_only=True, tag="response.created"):
    """Always the first event of a log."""


class Queued(_OfResponse, kw_only=True, tag="response.queued"):
    """It waits: in the line, or for its model."""


class InProgress(_OfResponse, kw_only=True, tag="response.in_progress"):
    """It is being answered. Repeated after a silence."""


class Completed(_OfResponse, kw_only=True, tag="response.completed"):
    """The last event of a complete answer."""


class Incomplete(_OfResponse, kw_only=True, tag="response.incomplete"):
    """The last event of an answer that was cut or cancelled."""


class Failed(_OfResponse, kw_only=True, tag="response.failed"):
    """The last event of an answer that failed."""


class _OfItem(ServerEvent, kw_only=True):
    output_index: int
    item: OutputItem


class ItemAdded(_OfItem, kw_only=True, tag="response.output_item.added"):
    """A message, a thought or a call begins."""


class ThoughtTiming(Struct, kw_only=True):
    """Milliseconds of thought so far."""

    reasoning_ms: int


class ThoughtNotes(Struct, kw_only=True):
    timing: ThoughtTiming


class ItemDone(_OfItem, kw_only=True, tag="response.output_item.done"):
    """It ends, and is whole. `tokenwire`: of a thought that was timed."""

    tokenwire: ThoughtNotes | UnsetType = UNSET


class _Placed(ServerEvent, kw_only=True):
    item_id: str
    output_index: int


class _InContent(_Placed, kw_only=True):
    content_index: int


class PartAdded(_InContent, kw_only=True, tag="response.content_part.added"):
    part: OutputText | ReasoningText


class PartDone(_InContent, kw_only=True, tag="response.content_part.done"):
    part: OutputText | ReasoningText


class OutputTextDelta(_InContent, kw_only=True, tag="response.output_text.delta"):
    """What the model says next."""

    delta: str
    logprobs: list[Logprob]


class OutputTextDone(_InContent, kw_only=True, tag="response.output_text.done"):
    text: str
    logprobs: list[Logprob]


class ReasoningDelta(_InContent, kw_only=True, tag="response.reasoning_text.delta"):
    """What the model thinks next."""

    delta: str


class ReasoningDone(_InContent, kw_only=True, tag="response.reasoning_text.done"):
    text: str


class ArgumentsDelta(_Placed, kw_only=True, tag="response.function_call_arguments.delta"):
    """What comes next of a call's arguments."""

    delta: str


class ArgumentsDone(_Placed, kw_only=True, tag="response.function_call_arguments.done"):
    arguments: str
    name: str


class CustomInputDelta(_Placed, kw_only=True, tag="response.custom_tool_call_input.delta"):
    """What comes next of the text that a custom tool is given."""

    delta: str


class CustomInputDone(_Placed, kw_only=True, tag="response.custom_tool_call_input.done"):
    input: str


RESPONSE_EVENTS: Final = (
    *(Created, Queued, InProgress, ItemAdded, PartAdded, OutputTextDelta, OutputTextDone),
    *(
        ReasoningDelta,
        ReasoningDone,
        ArgumentsDelta,
        ArgumentsDone,
        CustomInputDelta,
        CustomInputDone,
    ),
    *(PartDone, ItemDone, Completed, Incomplete, Failed),
)


class ErrorEvent(ServerEvent, kw_only=True, tag="error"):
    """A frame was refused. The connection stays usable."""

    status: int
    error: ErrorDetails


class SteerId(Struct, kw_only=True):
    """A steer that was accepted, and the response that it steers."""

    id: str
    previous_response_id: str


class SteerAccepted(ServerEvent, kw_only=True, tag="response.steer.accepted"):
    """The server has it. The successor's `response.created` is the point of no return."""

    steer: SteerId


class RequiredInput(Struct, kw_only=True, tag_field="type", tag="function_call_output"):
    """A result that is owed, without its output."""

    call_id: str
    name: str


class RequiredText(Struct, kw_only=True, tag_field="type", tag="custom_tool_call_output"):
    """A custom tool's, without its output."""

    call_id: str


class SteerPending(ServerEvent, kw_only=True, tag="response.steer.pending"):
    """The answer waits for results: what was said goes before them in the next create."""

    reason: Literal["waiting_for_required_input"]
    required_input: list[RequiredInput | RequiredText]
    steer: SteerId


class SteerError(Struct, kw_only=True):
    type: Literal["invalid_request_error"]
    code: str
    message: str


class SteerGiven(Struct, kw_only=True):
    """What was said, given back; its id where it had been accepted."""

    previous_response_id: str
    input: object
    id: str | UnsetType = UNSET


class SteerFailed(ServerEvent, kw_only=True, tag="response.steer.failed"):
    """What was said can't reach the answer."""

    error: SteerError
    steer: SteerGiven


class HelloLimits(Struct, kw_only=True):
    max_in_flight: int
    max_lanes: int
    max_message_bytes: int


class Hello(ServerEvent, kw_only=True, tag="tokenwire:hello"):
    """The first event."""

    connection_id: str
    server_id: str
    protocol: Literal["tokenwire.v1"]
    build: str | None
    limits: HelloLimits
    saving: bool
    heartbeat_ms: int
    max_age_s: int


class ModelChanged(ServerEvent, kw_only=True, tag="tokenwire:model.state"):
    """Where a model stands: each one after hello, and at each change."""

    model: Model


class Attached(ServerEvent, kw_only=True, tag="tokenwire:response.attached"):
    """The lane reads a log from here on."""

    response_id: str
    status: Status
    last_sequence_number: int


class Started(ServerEvent, kw_only=True, tag="tokenwire:response.started"):
    """An answer began, in another tab or over another door."""

    conversation_id: str
    response_id: str
    origin_connection_id: str | None


class ConversationChanged(ServerEvent, kw_only=True, tag="tokenwire:conversation.changed"):
    conversation_id: str
    op: Literal["created", "updated", "items", "deleted"]
    conversation: Conversation | None


class SavingChanged(ServerEvent, kw_only=True, tag="tokenwire:saving.changed"):
    """Whether the server can write to its disk."""

    saving: bool


class Draining(ServerEvent, kw_only=True, tag="tokenwire:server.draining"):
    """The server stops: close 1012 follows."""

    grace_ms: int


class ServerPing(ServerEvent, kw_only=True, tag="tokenwire:ping"):
    """It comes after a silence of the server's."""

    t: int


class Pong(ServerEvent, kw_only=True, tag="tokenwire:pong"):
    """The answer to a ping, with the same `t`."""

    t: str | float | None


SOCKET_EVENTS: Final = (
    *RESPONSE_EVENTS,
    *(SteerAccepted, SteerPending, SteerFailed, ErrorEvent),
)
PAGE_EVENTS: Final = (
    *(Hello, ModelChanged, Attached, Started, ConversationChanged),
    *(SavingChanged, Draining, ServerPing, Pong),
)
