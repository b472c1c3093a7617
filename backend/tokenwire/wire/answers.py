"""The shapes of what is answered in our own words: lists, models, conversations, errors.

For the documents alone: the code that makes an answer stands where its subject is, and the tests
hold each answer that they see against these shapes. It refuses to know who asks.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import UNSET, Struct, UnsetType

from tokenwire.wire.chat_settings import ChatSettings
from tokenwire.wire.events import Response
from tokenwire.wire.shown import Compaction, ListedItem, Logprob, OutputItem


class CachedTokens(Struct, kw_only=True):
    cached_tokens: int
    cache_write_tokens: int


class ReasoningTokens(Struct, kw_only=True):
    reasoning_tokens: int


class Usage(Struct, kw_only=True):
    """What a response cost, in tokens."""

    input_tokens: int
    input_tokens_details: CachedTokens
    output_tokens: int
    output_tokens_details: ReasoningTokens
    total_tokens: int


class Queue(Struct, kw_only=True):
    """The place in the line, 1 is next, and about how many seconds it has yet to wait: an estimate
    from the answers before it, null where there is nothing to tell it from.
    """

    position: int
    length: int
    eta_s: int | None


class ModelStage(Struct, kw_only=True):
    """Where the model of a response stands, while that has to wait for it."""

    state: Literal[
        "absent",
        "downloading",
        "paused",
        "unloaded",
        "loading",
        "ready",
        "recovering",
        "draining",
        "failed",
    ]
    stage: str | None
    progress: float | None
    detail: str | None


class Timing(Struct, kw_only=True):
    """Milliseconds in the line, to the first token and from there to the end; tokens a second;
    milliseconds of thought, null where there was none or part of it was not timed.
    """

    queue_ms: int | None
    ttft_ms: int | None
    decode_ms: int | None
    tok_per_s: int | None
    reasoning_ms: int | None


class Freed(Struct, kw_only=True):
    """How long after a cancel the engine had let go."""

    freed_ms: int


class ResponseNotes(Struct, kw_only=True):
    """What this server adds to a response."""

    queue: Queue | UnsetType = UNSET
    model: ModelStage | UnsetType = UNSET
    timing: Timing | UnsetType = UNSET
    cancel: Freed | UnsetType = UNSET
    taken_up: int | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    warm_tokens: int | UnsetType = UNSET
    given: bool | UnsetType = UNSET
    continues: str | UnsetType = UNSET
    kept_tokens: int | UnsetType = UNSET


class Failure(Struct, kw_only=True):
    """Why a response failed."""

    code: str
    message: str


class Cut(Struct, kw_only=True):
    """Why a response ended before it was complete."""

    reason: Literal["max_output_tokens", "cancelled", "steered", "interrupted"]


class InputTokens(Struct, kw_only=True):
    object: Literal["response.input_tokens"]
    input_tokens: int


class Compacted(Struct, kw_only=True):
    """A conversation, made short."""

    id: str
    object: Literal["response.compaction"]
    created_at: int
    output: list[Compaction]
    usage: Usage | None


class Deleted(Struct, kw_only=True):
    id: str
    object: Literal["response.deleted", "conversation.deleted"]
    deleted: Literal[True]


class Page(Struct, kw_only=True):
    """A part of a list: the next one is `after` its last id."""

    object: Literal["list"]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ItemPage(Page, kw_only=True):
    data: list[ListedItem]


class Conversation(Struct, kw_only=True):
    """A conversation. `active_response_id` is its head, which the next turn goes on from."""

    id: str
    object: Literal["conversation"]
    title: str | None
    title_source: Literal["auto", "user"]
    model: str | None
    metadata: dict[str, str]
    settings: ChatSettings
    pinned: bool
    archived: bool
    active_response_id: str | None
    running: bool
    created_at: int
    updated_at: int


class ConversationPage(Page, kw_only=True):
    data: list[Conversation]
    last_cursor: str | None


class Piece(Struct, kw_only=True):
    """A piece of a snippet. `match`: it is what was looked for."""

    text: str
    match: bool


class Hit(Struct, kw_only=True):
    """Where words were found, and the text around them."""

    object: Literal["conversation.hit"]
    conversation_id: str
    title: str | None
    archived: bool
    response_id: str
    item_id: str
    role: str | None
    snippet: list[Piece]
    created_at: int


class HitPage(Page, kw_only=True):
    data: list[Hit]
    last_cursor: str | None


class Exchange(Struct, kw_only=True):
    """A response of a conversation, and what it answers."""

    response: Response
    input: list[ListedItem]


class ExchangePage(Page, kw_only=True):
    data: list[Exchange]


class ErrorDetails(Struct, kw_only=True):
    """What is wrong. `param` names the field of the request that is to blame."""

    message: str
    type: str
    code: str
    param: str | None


class ErrorBody(Struct, kw_only=True):
    """A refusal, or a failure."""

    error: ErrorDetails


ANSWERS: Final = (
    *(Logprob, OutputItem, ListedItem, Usage, ResponseNotes, Failure, Cut, Response),
    *(InputTokens, Compacted, Deleted, ItemPage, Conversation, ConversationPage, HitPage),
    *(ExchangePage, ErrorBody),
)
