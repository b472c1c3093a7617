"""The shapes of what is answered in the other dialects: Chat Completions, Completions, Anthropic
Messages; whole, and as the chunks of a stream.

For the documents alone, as answers.py. It refuses to know who asks.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import UNSET, Struct, UnsetType

from tokenwire.wire.answers import CachedTokens, ErrorDetails, Logprob, ReasoningTokens
from tokenwire.wire.messages import CalledFunction, ToolCall


FinishReason = Literal["stop", "length", "tool_calls"]


class ChatUsage(Struct, kw_only=True):
    """What all choices cost, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens | None
    completion_tokens_details: ReasoningTokens


class ChoiceLogprobs(Struct, kw_only=True):
    content: list[Logprob]
    refusal: None


class ChatMessage(Struct, kw_only=True):
    """What the model said, thought and called."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET


class ChatChoice(Struct, kw_only=True):
    index: int
    message: ChatMessage
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason


class ChatCompletion(Struct, kw_only=True):
    """An answer, as Chat Completions have it."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage


class FunctionDelta(Struct, kw_only=True):
    """The next piece of a call's arguments; its name comes first."""

    arguments: str
    name: str | UnsetType = UNSET


class CallDelta(Struct, kw_only=True):
    index: int
    function: FunctionDelta
    id: str | UnsetType = UNSET
    type: Literal["function"] | UnsetType = UNSET


class ChatDelta(Struct, kw_only=True):
    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[CallDelta] | UnsetType = UNSET


class ChunkChoice(Struct, kw_only=True):
    index: int
    delta: ChatDelta
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason | None


class ChatChunk(Struct, kw_only=True):
    """What comes next. `usage`: where it was asked for, in the last chunk, which has no choices."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: ChatUsage | UnsetType | None = UNSET


class LegacyLogprobs(Struct, kw_only=True):
    """How likely each token was, in columns."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]


class TextChoice(Struct, kw_only=True):
    index: int
    text: str
    logprobs: LegacyLogprobs | None
    finish_reason: FinishReason | None


class TextCompletion(Struct, kw_only=True):
    """An answer, or a chunk of it, as Completions have it."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: ChatUsage | UnsetType | None = UNSET


class StreamFailure(Struct, kw_only=True):
    """The end of a stream whose answer failed."""

    error: ErrorDetails


class SaidText(Struct, kw_only=True, tag_field="type", tag="text"):
    text: str
    citations: None


class SaidThinking(Struct, kw_only=True, tag_field="type", tag="thinking"):
    thinking: str
    signature: str


class SaidToolUse(Struct, kw_only=True, tag_field="type", tag="tool_use"):
    """A call that the client has to make."""

    id: str
    name: str
    input: object


Block = SaidText | SaidThinking | SaidToolUse
StopReason = Literal["end_turn", "max_tokens", "tool_use"]


class MessageUsage(Struct, kw_only=True):
    """What a message cost, in tokens."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int


class Message(Struct, kw_only=True, tag_field="type", tag="message"):
    """An answer, as Anthropic Messages have it."""

    id: str
    role: Literal["assistant"]
    model: str
    content: list[Block]
    stop_reason: StopReason | None
    stop_sequence: None
    usage: MessageUsage


class MessageTokens(Struct, kw_only=True):
    input_tokens: int


class MessageStart(Struct, kw_only=True, tag_field="type", tag="message_start"):
    message: Message


class BlockStart(Struct, kw_only=True, tag_field="type", tag="content_block_start"):
    index: int
    content_block: Block


class TextDelta(Struct, kw_only=True, tag_field="type", tag="text_delta"):
    text: str


class ThinkingDelta(Struct, kw_only=True, tag_field="type", tag="thinking_delta"):
    thinking: str


class InputDelta(Struct, kw_only=True, tag_field="type", tag="input_json_delta"):
    partial_json: str


class BlockDelta(Struct, kw_only=True, tag_field="type", tag="content_block_delta"):
    index: int
    delta: TextDelta | ThinkingDelta | InputDelta


class BlockStop(Struct, kw_only=True, tag_field="type", tag="content_block_stop"):
    index: int


class MessageEnd(Struct, kw_only=True):
    stop_reason: StopReason
    stop_sequence: None


class MessageDelta(Struct, kw_only=True, tag_field="type", tag="message_delta"):
    delta: MessageEnd
    usage: MessageUsage


class MessageStop(Struct, kw_only=True, tag_field="type", tag="message_stop"):
    """The last event."""


class Unsupported(Struct, kw_only=True):
    """What their SDK reads to go on without a thread."""

    error_code: Literal["thread_unsupported_request"]
    unsupported: list[str]


class AnthropicDetails(Struct, kw_only=True):
    type: str
    message: str
    details: Unsupported | UnsetType = UNSET


class AnthropicError(Struct, kw_only=True, tag_field="type", tag="error"):
    """A refusal or a failure, as Anthropic Messages have it; also the end of a stream."""

    error: AnthropicDetails


MESSAGE_EVENTS: Final = (
    *(MessageStart, BlockStart, BlockDelta, BlockStop, MessageDelta, MessageStop, AnthropicError),
)
DIALECTS: Final = (
    *(ChatCompletion, ChatChunk, TextCompletion, StreamFailure, CalledFunction),
    *(Message, MessageTokens, *MESSAGE_EVENTS),
)
