"""What goes into and out of the history room: plain values, and the errors of the room.

A JSON object is a `dict[str, object]`, as the wire has it. Times are UTC: milliseconds in names
that end in `_ms`, seconds in `created_at` and `updated_at`. Nothing here knows of a database.
"""

# ruff: noqa: N818 errors are named for what happened, as in errors.py

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypedDict


if TYPE_CHECKING:
    from collections.abc import Sequence


JsonObject: TypeAlias = dict[str, object]


class HistoryError(Exception):
    """What this room raises on purpose; the text is one sentence for a person.

    HistoryError
    ├── CannotOpen                the file cannot be used: say so and do not start
    │   ├── DatabaseInUse         another server has it open
    │   └── SchemaTooNew          a newer Tokenwire wrote it
    ├── SaveFailed                this write did not happen (disk full, I/O error); the next one may
    ├── ReadFailed                this read did not happen
    ├── StillRunning              an answer is being written there; try again later
    └── Unknown (a LookupError)   what was named is not there, or belongs to someone else
        ├── UnknownUser
        ├── UnknownResponse
        └── UnknownConversation
    """


class CannotOpen(HistoryError): ...


class DatabaseInUse(CannotOpen): ...


class SchemaTooNew(CannotOpen): ...


class SaveFailed(HistoryError): ...


class ReadFailed(HistoryError): ...


class StillRunning(HistoryError):
    """`id` is the conversation."""

    def __init__(self, id: str) -> None:
        super().__init__(f"an answer is still being written in conversation {id!r}")
        self.id = id


class Unknown(HistoryError, LookupError):
    """`id` is the name that was asked for."""

    noun = "thing"

    def __init__(self, id: str) -> None:
        super().__init__(f"no {self.noun} {id!r}")
        self.id = id


class UnknownUser(Unknown):
    noun = "user"


class UnknownResponse(Unknown):
    noun = "response"


class UnknownConversation(Unknown):
    noun = "conversation"


@dataclass(frozen=True, slots=True)
class User:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """`active_response_id`: the response begun last, or the one chosen since. `running`: some
    response has not ended yet. `settings`: how its answers are to be made, for whoever asks.
    """

    id: str
    title: str | None
    title_source: Literal["auto", "user"]
    model: str | None
    metadata: dict[str, str]
    settings: JsonObject
    pinned: bool
    archived: bool
    active_response_id: str | None
    running: bool
    created_at: int
    updated_at: int


class Fields(TypedDict, total=False):
    """What a conversation is made with. `title`: the user's; None is none."""

    title: str | None
    metadata: dict[str, str]
    settings: JsonObject
    pinned: bool
    archived: bool


class Changes(Fields, total=False):
    """What is to change: no title changes none."""

    active_response_id: str


@dataclass(frozen=True, slots=True)
class Which:
    """Which conversations a list has, and in which order. None: either."""

    archived: bool | None = False
    pinned: bool | None = None
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Which of a conversation's responses: so many (None: all) after the response `after`."""

    limit: int | None = None
    after: str | None = None
    oldest_first: bool = True


# Each a response's JSON with its output, and its input items; and whether more follow.
ExchangePage: TypeAlias = tuple[list[tuple[JsonObject, list[JsonObject]]], bool]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a snippet. `match`: it is what was looked for."""

    text: str
    match: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """Where words were found: an item of a response in a conversation, and the text around them."""

    conversation_id: str
    title: str | None
    archived: bool
    response_id: str
    item_id: str
    role: str | None
    snippet: list[Piece]
    created_at: int


@dataclass(frozen=True, slots=True)
class NewResponse:
    """A response as it begins: its JSON without output, and its input items, each with an "id".

    `model` is empty where none of ours makes it. `plan` is what its maker needs to go on with it,
    after a restart or when it was cut; nobody else reads it.
    """

    id: str
    user_id: str
    resource: JsonObject
    input: Sequence[JsonObject]
    model: str
    previous_response_id: str | None
    conversation_id: str | None
    idempotency_key: str | None
    durable: bool
    created_ms: int
    plan: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """A response as it stands, its items beside its JSON. `plan` and `token_ids` are those of one
    that was cut, and of which nothing was deleted.
    """

    status: str
    resource: JsonObject
    input: list[JsonObject]
    output: list[JsonObject]
    previous_response_id: str | None
    plan: JsonObject | None
    token_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was said without an answer of this server, items each with an "id". `resource` is the
    JSON of the ended response `id` that stands for it, without output and parent.
    """

    id: str
    resource: JsonObject
    input: Sequence[JsonObject]
    output: Sequence[JsonObject]


class Spoken(Protocol):
    """A journal entry as it is handed in, by whoever has one."""

    @property
    def response_id(self) -> str: ...

    @property
    def first(self) -> int: ...

    @property
    def events(self) -> Sequence[str]: ...

    @property
    def token_ids(self) -> Sequence[int]: ...

    @property
    def prompt(self) -> Sequence[int] | None: ...


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What one flush added to a response: its events as encoded, numbered from `first` on, the
    tokens that they were made of, and, once, the token ids of its prompt.
    """

    response_id: str
    first: int
    events: Sequence[str]
    token_ids: Sequence[int]
    prompt: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A response that was running when the last server ended, as it was begun, and `said`: all of
    its journal. `attempts`: how often in a row it was handed out without a new token since.
    """

    begun: NewResponse
    said: JournalEntry | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A response as it ended. `resource` has its "output"; `events[n]` is the JSON of event n."""

    id: str
    resource: JsonObject
    status: str
    finish_reason: str | None
    events: Sequence[str]
    token_ids: Sequence[int]
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    queued_ms: int | None
    ttft_ms: int | None
    decode_ms: int | None
    seed: int | None
    done_ms: int
    keeps_key: bool = True
