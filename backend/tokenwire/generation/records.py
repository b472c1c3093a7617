"""What generation needs of the memory, as a small protocol: begin, finish, and what came before.

Whoever stands behind it stores things. This file refuses to know how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.wire.events import Response
    from tokenwire.wire.items import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A response that was accepted. `parent_id` is its stored parent, if it has one."""

    response: Response
    user_id: str
    input: Sequence[Item]
    parent_id: str | None
    idempotency_key: str | None
    durable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """A response that ended. `events[n]` is the JSON of the event numbered n; times in
    milliseconds.
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


class Records(Protocol):
    """The memory of responses. Someone else's response is as unknown as one that never was."""

    async def begin(self, beginning: Beginning) -> str | None:
        """Save the row and the input. None, or the id that already has this idempotency key.

        Raises PreviousResponseNotFound, ConversationNotFound or NotSaved; nothing is written then.
        """
        ...

    async def finish(self, finish: Finish) -> None:
        """Save the end. Raises NotSaved."""
        ...

    async def get(self, user_id: str, response_id: str) -> dict[str, object] | None: ...

    async def status(self, user_id: str, response_id: str) -> str | None: ...

    async def events(self, user_id: str, response_id: str) -> Sequence[str] | None: ...

    async def chain(self, user_id: str, response_id: str) -> list[Item] | None:
        """The items from the first turn to this response, its output included."""
        ...

    async def head(self, user_id: str, conversation_id: str) -> str | None:
        """The response that a conversation stands at. Raises ConversationNotFound."""
        ...

    async def delete(self, user_id: str, response_id: str) -> bool: ...
