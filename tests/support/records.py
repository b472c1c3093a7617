"""A memory of responses that forgets at the end of the test: `generation.records.Records` in dicts.

It behaves (owners, parents, keys, nothing written when it refuses) and can be held or told to fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from tokenwire.errors import ConversationNotFound, NotSaved, PreviousResponseNotFound
from tokenwire.generation.records import Beginning, Cut, Entry, Finish, Unfinished
from tokenwire.wire.items import Item


@dataclass
class Row:
    """One response as it is stored."""

    user_id: str
    parent_id: str | None
    input: list[Item]
    resource: dict[str, object]
    durable: bool
    status: str
    plan: dict[str, object] | None = None
    events: list[str] = field(default_factory=list[str])
    finish: Finish | None = None
    journal: list[Entry] = field(default_factory=list[Entry])
    attempts: int = 0


class MemoryRecords:
    """Clear `can_begin`, `can_journal` or `can_finish` to hold a write; set `refuse`, `tear` or
    `lose` to fail it. `writes` counts those of the journal.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.keys: dict[tuple[str, str], str] = {}
        self.heads: dict[tuple[str, str], str | None] = {}
        self.can_begin = asyncio.Event()
        self.can_begin.set()
        self.can_journal = asyncio.Event()
        self.can_journal.set()
        self.can_finish = asyncio.Event()
        self.can_finish.set()
        self.beginning = asyncio.Event()
        self.finishing = asyncio.Event()
        self.refuse: Exception | None = None
        self.lose: Exception | None = None
        self.tear: Exception | None = None
        self.writes = 0

    def add_conversation(self, user_id: str, conversation_id: str) -> None:
        self.heads[user_id, conversation_id] = None

    async def begin(self, beginning: Beginning) -> str | None:
        self.beginning.set()
        await self.can_begin.wait()
        if self.refuse is not None:
            raise self.refuse
        response, user_id = beginning.response, beginning.user_id
        key = beginning.idempotency_key
        if key is not None and (known := self.keys.get((user_id, key))):
            return known
        if beginning.parent_id is not None:
            parent = self._own(user_id, beginning.parent_id)
            if parent is None:
                raise PreviousResponseNotFound("None.", param="previous_response_id")
        self.rows[response.id] = Row(
            user_id=user_id,
            parent_id=beginning.parent_id,
            input=[*beginning.input],
            resource=response.to_json(),
            durable=beginning.durable,
            status=response.status,
            plan=beginning.plan,
        )
        if key is not None:
            self.keys[user_id, key] = response.id
        conversation = (response.conversation or {}).get("id")
        if conversation is not None:
            self.heads[user_id, conversation] = response.id
        return None

    async def keyed(self, user_id: str, key: str) -> str | None:
        return self.keys.get((user_id, key))

    async def journal(self, entries: Sequence[Entry]) -> None:
        await self.can_journal.wait()
        if self.tear is not None:
            raise self.tear
        self.writes += 1
        for entry in entries:
            if row := self.rows.get(entry.response_id):
                row.journal = [entry] if entry.first == 0 else [*row.journal, entry]

    async def unfinished(self) -> list[Unfinished]:
        found: list[Unfinished] = []
        for id, row in self.rows.items():
            if row.finish is None:
                row.attempts += any(entry.prompt is not None for entry in row.journal)
                found.append(_unfinished(id, row))
        return found

    async def finish(self, finish: Finish) -> None:
        self.finishing.set()
        await self.can_finish.wait()
        if self.lose is not None:
            raise self.lose
        row = self.rows.get(finish.response.id)
        if row is None:
            raise NotSaved("It was deleted.")
        row.resource, row.status = finish.response.to_json(), finish.response.status
        row.events, row.finish, row.journal = [*finish.events], finish, []

    async def get(self, user_id: str, response_id: str) -> dict[str, object] | None:
        row = self._own(user_id, response_id)
        return row.resource if row else None

    async def cut(self, user_id: str, response_id: str) -> Cut | None:
        row = self._own(user_id, response_id)
        if row is None:
            return None
        return Cut(
            status=row.status,
            resource=row.resource,
            input=row.input,
            output=row.finish.response.output if row.finish else [],
            parent_id=row.parent_id,
            plan=row.plan if row.status in ("incomplete", "cancelled") else None,
            token_ids=list(row.finish.token_ids) if row.finish else [],
        )

    async def status(self, user_id: str, response_id: str) -> str | None:
        row = self._own(user_id, response_id)
        return row.status if row else None

    async def events(self, user_id: str, response_id: str) -> Sequence[str] | None:
        row = self._own(user_id, response_id)
        return row.events if row else None

    async def chain(self, user_id: str, response_id: str) -> list[Item] | None:
        row = self._own(user_id, response_id)
        if row is None:
            return None
        before = await self.chain(user_id, row.parent_id) if row.parent_id else []
        output = row.finish.response.output if row.finish else []
        return [*(before or []), *row.input, *output]

    async def input_items(self, user_id: str, response_id: str) -> list[Item] | None:
        row, chain = self._own(user_id, response_id), await self.chain(user_id, response_id)
        if row is None or chain is None:
            return None
        return chain[: len(chain) - len(row.finish.response.output if row.finish else [])]

    async def head(self, user_id: str, conversation_id: str) -> str | None:
        if (user_id, conversation_id) not in self.heads:
            raise ConversationNotFound("None.", param="conversation")
        return self.heads[user_id, conversation_id]

    async def delete(self, user_id: str, response_id: str) -> bool:
        if self._own(user_id, response_id) is None:
            return False
        del self.rows[response_id]
        return True

    def _own(self, user_id: str, response_id: str) -> Row | None:
        row = self.rows.get(response_id)
        return row if row and row.user_id == user_id else None


def _unfinished(id: str, row: Row) -> Unfinished:
    return Unfinished(
        response_id=id,
        user_id=row.user_id,
        resource=row.resource,
        input=row.input,
        parent_id=row.parent_id,
        plan=row.plan,
        durable=row.durable,
        age_s=1.0,
        events=[event for entry in row.journal for event in entry.events],
        token_ids=[token for entry in row.journal for token in entry.token_ids],
        prompt=next((entry.prompt for entry in row.journal if entry.prompt is not None), None),
        attempts=row.attempts,
    )
