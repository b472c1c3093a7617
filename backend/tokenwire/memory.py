"""Joins generation to history: the store behind the small protocol that generation asks for.

Part of the composition root. It translates values and errors and decides nothing.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, TypeVar

from tokenwire.errors import (
    ConversationNotFound,
    NotSaved,
    PreviousResponseNotFound,
    ServerError,
)
from tokenwire.generation.records import Cut, Unfinished
from tokenwire.history.values import (
    Ended,
    NewResponse,
    ReadFailed,
    SaveFailed,
    UnknownConversation,
    UnknownResponse,
)


if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from tokenwire.generation.records import Beginning, Entry, Finish
    from tokenwire.history import values as history
    from tokenwire.history.store import Store
    from tokenwire.wire.items import Item


log = logging.getLogger(__name__)

T = TypeVar("T")


class StoredRecords:
    """`generation.records.Records` and `generation.titles.Titles` over `history.Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(self, beginning: Beginning) -> str | None:
        response = beginning.response
        new = NewResponse(
            id=response.id,
            user_id=beginning.user_id,
            resource=response.to_json(),
            input=beginning.input,
            model=response.model,
            previous_response_id=beginning.parent_id,
            conversation_id=(response.conversation or {}).get("id"),
            idempotency_key=beginning.idempotency_key,
            durable=beginning.durable,
            created_ms=_now_ms(),
            plan=beginning.plan,
        )
        try:
            return await self._store.begin(new)
        except UnknownResponse as error:
            raise PreviousResponseNotFound(str(error), param="previous_response_id") from error
        except UnknownConversation as error:
            raise ConversationNotFound(str(error), param="conversation") from error
        except SaveFailed as error:
            raise NotSaved(f"The request could not be saved: {error}") from error

    async def keyed(self, user_id: str, key: str) -> str | None:
        return await _read(self._store.keyed(user_id, key))

    async def journal(self, entries: Sequence[Entry]) -> None:
        try:
            await self._store.journal(entries)
        except SaveFailed as error:
            raise NotSaved(str(error)) from error

    async def unfinished(self) -> list[Unfinished]:
        now_ms = _now_ms()
        return [_unfinished(left, now_ms) for left in await self._store.unfinished()]

    async def finish(self, finish: Finish) -> None:
        response = finish.response
        counts = response.usage or {}
        output_tokens = counts.get("output_tokens", 0)
        ended = Ended(
            id=response.id,
            resource=response.to_json(),
            status=response.status,
            finish_reason=finish.finish_reason,
            events=finish.events,
            token_ids=finish.token_ids,
            prompt_tokens=finish.prompt_tokens,
            cached_tokens=finish.cached_tokens,
            completion_tokens=output_tokens if isinstance(output_tokens, int) else 0,
            queued_ms=finish.queued_ms,
            ttft_ms=finish.ttft_ms,
            decode_ms=finish.decode_ms,
            seed=finish.seed,
            done_ms=_now_ms(),
            keeps_key=finish.keeps_key,
        )
        try:
            await self._store.finish(ended)
        except (SaveFailed, UnknownResponse) as error:
            raise NotSaved(str(error)) from error

    async def get(self, user_id: str, response_id: str) -> dict[str, object] | None:
        return await _read(self._store.get(user_id, response_id))

    async def cut(self, user_id: str, response_id: str) -> Cut | None:
        found = await _read(self._store.cut(user_id, response_id))
        if found is None:
            return None
        return Cut(
            status=found.status,
            resource=found.resource,
            input=found.input,
            output=found.output,
            parent_id=found.previous_response_id,
            plan=found.plan,
            token_ids=found.token_ids,
        )

    async def status(self, user_id: str, response_id: str) -> str | None:
        return await _read(self._store.status(user_id, response_id))

    async def events(self, user_id: str, response_id: str) -> Sequence[str] | None:
        return await _read(self._store.events(user_id, response_id))

    async def chain(self, user_id: str, response_id: str) -> list[Item] | None:
        return await _read(self._store.chain(user_id, response_id))

    async def input_items(self, user_id: str, response_id: str) -> list[Item] | None:
        return await _read(self._store.input_items(user_id, response_id))

    async def head(self, user_id: str, conversation_id: str) -> str | None:
        found = await _read(self._store.conversation(user_id, conversation_id))
        if found is None:
            raise ConversationNotFound(
                f"Conversation with id {conversation_id!r} not found.", param="conversation"
            )
        return found.active_response_id

    async def untitled(self, user_id: str, conversation_id: str) -> bool:
        return await _read(self._store.untitled(user_id, conversation_id))

    async def settle_title(self, user_id: str, conversation_id: str, title: str | None) -> bool:
        try:
            return await self._store.settle_title(user_id, conversation_id, title)
        except SaveFailed as error:
            raise NotSaved(str(error)) from error

    async def delete(self, user_id: str, response_id: str) -> bool:
        return await self._store.delete(user_id, response_id)


async def _read(reading: Awaitable[T]) -> T:
    try:
        return await reading
    except ReadFailed as error:
        log.exception("A read failed")
        raise ServerError(f"The server failed: {error}.") from error


def _unfinished(left: history.Unfinished, now_ms: int) -> Unfinished:
    begun, said = left.begun, left.said
    return Unfinished(
        response_id=begun.id,
        user_id=begun.user_id,
        resource=begun.resource,
        input=list(begun.input),
        parent_id=begun.previous_response_id,
        plan=begun.plan,
        durable=begun.durable,
        age_s=max(0.0, (now_ms - begun.created_ms) / 1000),
        events=said.events if said else [],
        token_ids=said.token_ids if said else [],
        prompt=said.prompt if said else None,
        attempts=left.attempts,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
