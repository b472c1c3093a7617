"""What generation needs of the memory, as a small protocol: begin, finish, and what came before.

Whoever stands behind it stores things. This file refuses to know how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from tokenwire.generation.orders import plan_of


if TYPE_CHECKING:
    from tokenwire.generation.generation import Generation
    from tokenwire.wire.events import Response
    from tokenwire.wire.items import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A response that was accepted. `parent_id` is its stored parent, if it has one; `plan` is
    what is needed to go on with it after a restart.
    """

    response: Response
    user_id: str
    input: Sequence[Item]
    parent_id: str | None
    idempotency_key: str | None
    durable: bool
    plan: dict[str, object] | None = None


def beginning_of(generation: Generation, parent_id: str | None) -> Beginning:
    """What is saved of a generation before it is acknowledged."""
    order = generation.order
    # A parent that was never stored leaves its items with the first stored child.
    loose = order.context if parent_id is None else []
    return Beginning(
        response=generation.response,
        user_id=order.user_id,
        input=[*loose, *order.input],
        parent_id=parent_id,
        idempotency_key=order.create.idempotency_key,
        durable=order.durable,
        plan=plan_of(order, generation.item_id),
    )


class Entry(Protocol):
    """What a response says next: its events as `Event.kept`, numbered from `first` on, the tokens
    that they were made of and, once, the token ids of its prompt.
    """

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


class PlainEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that holds values alone."""

    response_id: str
    first: int
    events: Sequence[str]
    token_ids: Sequence[int]
    prompt: Sequence[int] | None = None

    @classmethod
    def of(cls, entry: Entry) -> PlainEntry:
        return cls(
            response_id=entry.response_id,
            first=entry.first,
            events=entry.events,
            token_ids=entry.token_ids,
            prompt=entry.prompt,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A response that was running when the last server ended, and all that it had said.

    `attempts`: how often in a row, this time included, it was handed out without a new token in
    between. `resource` is the Response resource as it began; `age_s` is in seconds.
    """

    response_id: str
    user_id: str
    resource: dict[str, object]
    input: list[Item]
    parent_id: str | None
    plan: dict[str, object] | None
    durable: bool
    age_s: float
    events: Sequence[str]
    token_ids: Sequence[int]
    prompt: Sequence[int] | None
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A response as it is stored. Its `plan` and `token_ids` are kept where it was cut: to go on
    with.
    """

    status: str
    resource: dict[str, object]
    input: list[Item]
    output: list[Item]
    parent_id: str | None
    plan: dict[str, object] | None
    token_ids: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """A response that ended. `events[n]` is the JSON of the event numbered n; times in
    milliseconds. `keeps_key` false: whoever sends its create again gets another response.
    """

    response: Response
    finish_reason: str | None
    events: Sequence[str]
    token_ids: Sequence[int]
    prompt_tokens: int
    cached_tokens: int
    queued_ms: int | None
    ttft_ms: int | None
    decode_ms: int | None
    seed: int | None
    keeps_key: bool = True


class Records(Protocol):
    """The memory of responses. Someone else's response is as unknown as one that never was."""

    async def begin(self, beginning: Beginning) -> str | None:
        """Save the row and the input. None, or the id that already has this idempotency key.

        Raises PreviousResponseNotFound, ConversationNotFound or NotSaved; nothing is written then.
        """
        ...

    async def keyed(self, user_id: str, key: str) -> str | None:
        """The id of the response that this user began with this idempotency key."""
        ...

    async def journal(self, entries: Sequence[Entry]) -> None:
        """Save what running responses said. Raises NotSaved."""
        ...

    async def unfinished(self) -> list[Unfinished]:
        """What was running when the last server ended, oldest first. Called once, at the start."""
        ...

    async def finish(self, finish: Finish) -> None:
        """Save the end. Raises NotSaved."""
        ...

    async def get(self, user_id: str, response_id: str) -> dict[str, object] | None: ...

    async def cut(self, user_id: str, response_id: str) -> Cut | None:
        """A response with what it takes to go on with it, if it was cut."""
        ...

    async def status(self, user_id: str, response_id: str) -> str | None: ...

    async def events(self, user_id: str, response_id: str) -> Sequence[str] | None: ...

    async def chain(self, user_id: str, response_id: str) -> list[Item] | None:
        """The items from the first turn to this response, its output included."""
        ...

    async def input_items(self, user_id: str, response_id: str) -> list[Item] | None:
        """The items that a response was made from: its chain without its own output."""
        ...

    async def head(self, user_id: str, conversation_id: str) -> str | None:
        """The response that a conversation stands at. Raises ConversationNotFound."""
        ...

    async def delete(self, user_id: str, response_id: str) -> bool: ...
