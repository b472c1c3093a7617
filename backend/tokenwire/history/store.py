"""The door of the history room: each method is one transaction, over plain values.

Writes go through the one writer and return when they are on disk; reads have connections of their
own and never wait for a write. Every question carries the user who asks: what belongs to someone
else is not there. It refuses to know what a response is for: no sockets, no engine.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, Unpack

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tokenwire.history import (
    conversations,
    cut,
    database,
    exchanges,
    given,
    items,
    journal,
    responses,
    search,
    unfinished,
    users,
)
from tokenwire.history.cursors import position
from tokenwire.history.packing import pack_entries
from tokenwire.history.values import (
    Changes,
    Conversation,
    Cut,
    Ended,
    Exchange,
    ExchangePage,
    Fields,
    Hit,
    JsonObject,
    NewResponse,
    Part,
    ReadFailed,
    SaveFailed,
    Spoken,
    Unfinished,
    User,
    Which,
)
from tokenwire.history.writer import Writer


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine


T = TypeVar("T")
LISTED = Which()


class Store:
    """Made by `open`. Usable from then until `close`; all methods belong to one event loop."""

    def __init__(self, lock: database.Lock, writer: Writer, readers: AsyncEngine) -> None:
        self._lock = lock
        self._writer = writer
        self._readers = readers
        self._rows = journal.Rows()

    @classmethod
    async def open(cls, path: Path) -> Store:
        """Open the database file `path`; make it, with its folder, if it is not there.
        Raises `DatabaseInUse`, `SchemaTooNew`, or another `CannotOpen`.
        """
        lock = await asyncio.to_thread(database.prepare, path)
        store = cls(lock, Writer(database.engine(path)), database.readers(path))
        store._rows = journal.Rows(await store._read(journal.last_pk))
        return store

    async def run(self) -> None:
        """Return once the store is closed; raise what ended its writer otherwise. For the root task
        group, so that a broken writer is not found out by the next chat only.
        """
        await self._writer.ended()

    async def close(self) -> None:
        """Write what still waits, tidy up, let go of the file. A second call does nothing."""
        with suppress(SaveFailed):
            await self._writer.write(unfinished.forget_attempts)
        await self._writer.close()
        await self._readers.dispose()
        self._lock.release()

    async def user(self, user_id: str, *, name: str) -> User:
        """The user of this id; made, with this name, if there is none."""
        found, now_ms = await self._read(lambda c: users.find(c, user_id)), _now_ms()
        return found or await self._writer.write(
            lambda c: users.find_or_create(c, user_id, name, now_ms)
        )

    async def begin(self, new: NewResponse) -> str | None:
        """Store a response with its input, before it is acknowledged.

        None, or the id of the response that this user began with the same idempotency key: then
        nothing is stored. Its conversation moves to the top of the list, with a provisional title.
        Raises `UnknownUser`, `UnknownResponse`, `UnknownConversation` or `SaveFailed`.
        """
        return await self._writer.write(lambda c: responses.begin(c, new))

    async def finish(self, ended: Ended) -> None:
        """Store how a response ended, before its terminal event is seen; its journal goes.
        Only the first end counts; the end of a deleted response is dropped. Raises `SaveFailed`.
        """
        done = self._rows.without(ended.id)

        def fold(connection: Connection) -> None:
            responses.finish(connection, ended)
            journal.remove(connection, done)

        await self._writer.write(fold)
        self._rows.folded(ended.id)
        self._rows.removed(done)
        if self._rows.all_done:
            # Two that ended at once have each left to the other what both were in.
            await self._remove_rows(self._rows.done)

    async def _remove_rows(self, done: list[int]) -> None:
        with suppress(SaveFailed):
            await self._writer.write(lambda c: journal.remove(c, done))
            self._rows.removed(done)

    async def get(self, user_id: str, response_id: str) -> JsonObject | None:
        """The Response resource as it was last stored, with its output so far."""
        return await self._read(lambda c: responses.get(c, user_id, response_id))

    async def events(self, user_id: str, response_id: str) -> list[str] | None:
        """The events as encoded, index == sequence_number; empty when it did not end properly."""
        return await self._read(lambda c: responses.events(c, user_id, response_id))

    async def chain(self, user_id: str, response_id: str) -> list[JsonObject] | None:
        """Input and output items from the root of the tree to this response, in order."""
        return await self._read(lambda c: items.chain(c, user_id, response_id))

    async def input_items(self, user_id: str, response_id: str) -> list[JsonObject] | None:
        """What a response was made from: its chain without its own output."""
        return await self._read(lambda c: items.input_items(c, user_id, response_id))

    async def keyed(self, user_id: str, key: str) -> str | None:
        """The id of the response that this user began with this idempotency key."""
        return await self._read(lambda c: responses.keyed(c, user_id, key))

    async def status(self, user_id: str, response_id: str) -> str | None:
        return await self._read(lambda c: responses.status(c, user_id, response_id))

    async def cut(self, user_id: str, response_id: str) -> Cut | None:
        """A response with what it takes to go on with it, if it was cut."""
        return await self._read(lambda c: cut.find(c, user_id, response_id))

    async def delete(self, user_id: str, response_id: str) -> bool:
        """Delete a response and all that goes on from it. False: there is none. `SaveFailed`."""
        return await self._writer.write(
            lambda c: responses.delete_response(c, user_id, response_id)
        )

    async def journal(self, entries: Sequence[Spoken]) -> None:
        """Store what running responses have said, before anyone sees it: an entry that begins at 0
        stands for all that its response has said. Raises `SaveFailed`.
        """
        pk, payload, done = self._rows.next_pk(), pack_entries(entries), self._rows.done
        await self._writer.write(lambda c: journal.append(c, pk, payload, done))
        self._rows.removed(done)
        self._rows.wrote(pk, entries)

    async def unfinished(self) -> list[Unfinished]:
        """What was running when the last server ended, oldest first. Only before the first write
        of this one. Raises `SaveFailed`.
        """
        last = self._rows.last
        found = await self._writer.write(lambda c: unfinished.find(c, last))
        for pk, response in found:
            if response.said is not None:
                self._rows.wrote(pk, [response.said])
        return [response for _, response in found]

    async def create_conversation(
        self,
        user_id: str,
        conversation_id: str,
        *,
        exchanges: Sequence[Exchange] = (),
        **fields: Unpack[Fields],
    ) -> Conversation:
        """With what was said in it before. Raises `UnknownUser`, `SaveFailed`."""
        now_ms = _now_ms()

        def create(connection: Connection) -> Conversation:
            conversations.create(connection, user_id, conversation_id, fields, now_ms)
            given.add(connection, user_id, conversation_id, exchanges, now_ms)
            return conversations.one(connection, user_id, conversation_id)

        return await self._writer.write(create)

    async def conversation(self, user_id: str, conversation_id: str) -> Conversation | None:
        return await self._read(lambda c: conversations.get(c, user_id, conversation_id))

    async def conversations(
        self, user_id: str, *, limit: int, after: str | None, which: Which = LISTED
    ) -> tuple[list[Conversation], str | None]:
        """A page of at most `limit` (> 0), the last changed first, and the cursor of the next page,
        which is None on the last one. `after`: a cursor, or the id of a conversation.
        Raises `ValueError` for what is neither.
        """
        return await self._read(lambda c: conversations.page(c, user_id, limit, after, which))

    async def search(
        self, user_id: str, words: str, *, limit: int, after: str | None
    ) -> tuple[list[Hit], str | None]:
        """At most `limit` (> 0) places where all the `words` (one at least) were said, the newest
        first, and the cursor of the next page, as in `conversations`.
        """
        start = None if after is None else position(after)
        return await self._read(lambda c: search.hits(c, user_id, words, limit, start))

    async def update_conversation(
        self, user_id: str, conversation_id: str, **changes: Unpack[Changes]
    ) -> Conversation | None:
        """Change it: a title that no later message changes, another head. It keeps its place.

        Raises `UnknownResponse` where the head is not one of its responses, `SaveFailed`.
        """
        return await self._writer.write(
            lambda c: conversations.change(c, user_id, conversation_id, changes)
        )

    async def untitled(self, user_id: str, conversation_id: str) -> bool:
        """Whether it has no title but the provisional one, and a model may be asked for another."""
        return await self._read(lambda c: conversations.untitled(c, user_id, conversation_id))

    async def settle_title(self, user_id: str, conversation_id: str, title: str | None) -> bool:
        """Give an untitled one the title that a model made, if any; none is asked again. Whether
        its title is another now. Raises `SaveFailed`.
        """
        return await self._writer.write(
            lambda c: conversations.settle_title(c, user_id, conversation_id, title)
        )

    async def conversation_items(
        self, user_id: str, conversation_id: str
    ) -> list[JsonObject] | None:
        """What its next turn goes on from: the items on the path to its head, in order."""
        return await self._read(lambda c: items.of_conversation(c, user_id, conversation_id))

    async def add_to_conversation(
        self, user_id: str, conversation_id: str, exchanges: Sequence[Exchange]
    ) -> None:
        """Put at its head what was said elsewhere. It moves to the top of the list.

        Raises `UnknownConversation`, `StillRunning` (its head) or `SaveFailed`.
        """
        now_ms = _now_ms()
        await self._writer.write(
            lambda c: given.add(c, user_id, conversation_id, exchanges, now_ms)
        )

    async def delete_item(self, user_id: str, conversation_id: str, item_id: str) -> bool:
        """Take an item out of what `conversation_items` gives, wherever else it is read. False:
        there is none. Raises `UnknownConversation`, `StillRunning` (its response) or `SaveFailed`.
        """
        return await self._writer.write(
            lambda c: items.remove(c, user_id, conversation_id, item_id)
        )

    async def delete_conversation(self, user_id: str, conversation_id: str) -> bool:
        """Delete it with its responses. False: there is none. Raises `SaveFailed`."""
        return await self._writer.write(
            lambda c: conversations.delete_conversation(c, user_id, conversation_id)
        )

    async def conversation_responses(
        self, user_id: str, conversation_id: str, part: Part
    ) -> ExchangePage | None:
        """Of every branch, as they were begun. Raises `UnknownResponse` (its `after`)."""
        return await self._read(lambda c: exchanges.part_of(c, user_id, conversation_id, part))

    async def _read(self, query: Callable[[Connection], T]) -> T:
        try:
            async with self._readers.connect() as connection:
                return await connection.run_sync(query)
        except SQLAlchemyError as error:
            why = error.orig if isinstance(error, DBAPIError) else error
            raise ReadFailed(f"the history could not be read: {why}") from error


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
