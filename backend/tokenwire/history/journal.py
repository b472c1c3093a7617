"""The journal: what running responses have said, on disk before anyone sees it.

One row holds what one flush added to every response that had something new. At its end a response
is folded into its own rows; a journal row goes when all that are in it are folded. It refuses to
know what an event means and who generates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from tokenwire.history.packing import pack_entries, unpack_entries
from tokenwire.history.prepared import Prepared
from tokenwire.history.tables import journal
from tokenwire.history.values import JournalEntry, Spoken


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_INSERT = Prepared(insert(journal), ["pk", "payload"])
_DELETE = Prepared(delete(journal).where(journal.c.pk == bindparam("which")))
_LAST = select(func.coalesce(func.max(journal.c.pk), 0))
_ALL = select(journal.c.payload).order_by(journal.c.pk)


def append(connection: Connection, pk: int, payload: bytes, done: Sequence[int]) -> None:
    """Add a row and remove those that are done. `pk` was never used before: a removal that still
    waits must find no other row under the number of one that is gone.
    """
    remove(connection, done)
    _INSERT.run(connection, {"pk": pk, "payload": payload})


def remove(connection: Connection, done: Sequence[int]) -> None:
    _DELETE.run_each(connection, [{"which": pk} for pk in done])


def last_pk(connection: Connection) -> int:
    return connection.execute(_LAST).scalar_one()


def compact(
    connection: Connection, ids: Iterable[str], last: int
) -> dict[str, tuple[int, JournalEntry]]:
    """The whole journal of each response in `ids`, rewritten as one row each, numbered after
    `last`; the rest is dropped.

    By id: the new row's pk, and all that was kept as one entry. One that has nothing is missing.
    """
    kept = {id: _Kept() for id in ids}
    for payload in connection.execute(_ALL).scalars():
        for entry in unpack_entries(payload):
            if (whole := kept.get(entry.response_id)) is not None:
                whole.add(entry)
    connection.execute(delete(journal))
    found = [(id, whole.entry(id)) for id, whole in kept.items() if whole.events]
    rows = {id: (pk, entry) for pk, (id, entry) in enumerate(found, last + 1)}
    for pk, entry in rows.values():
        append(connection, pk, pack_entries([entry]), ())
    return rows


@dataclass(slots=True)
class _Kept:
    """What a response's entries add up to."""

    events: list[str] = field(default_factory=list[str])
    token_ids: list[int] = field(default_factory=list[int])
    prompt: Sequence[int] | None = None

    def add(self, entry: JournalEntry) -> None:
        """One that begins at 0 stands for all before it. What does not follow without a gap is left
        out: it can't be gone on from.
        """
        if entry.first == 0:
            self.events.clear()
            self.token_ids.clear()
        elif entry.first != len(self.events):
            return
        self.events += entry.events
        self.token_ids += entry.token_ids
        self.prompt = entry.prompt if self.prompt is None else self.prompt

    def entry(self, id: str) -> JournalEntry:
        return JournalEntry(id, 0, self.events, self.token_ids, self.prompt)


class Rows:
    """Which journal rows are still needed, and by whom. Belongs to the event loop. `last`: the
    highest number of a row so far.
    """

    def __init__(self, last: int = 0) -> None:
        self._of_response: dict[str, list[int]] = {}
        self._needed_by: dict[int, int] = {}
        self._done: list[int] = []
        self.last = last

    def next_pk(self) -> int:
        """A number that no row has or had."""
        self.last += 1
        return self.last

    def wrote(self, pk: int, entries: Iterable[Spoken]) -> None:
        """A row is on disk. An entry that begins at 0 frees the rows that its response had."""
        self.last = max(self.last, pk)
        needed = 0
        for entry in entries:
            rows = self._of_response.get(entry.response_id)
            if rows is None or (entry.first == 0 and rows[-1] != pk):
                self.folded(entry.response_id)
                self._of_response[entry.response_id] = [pk]
            elif rows[-1] == pk:  # what had waited for the disk, and what came after it
                continue
            else:
                rows.append(pk)
            needed += 1
        self._needed_by[pk] = needed
        if not needed:
            self._free(pk)

    def without(self, id: str) -> list[int]:
        """The rows that nobody needs any more once the response `id` is folded."""
        own = [pk for pk in self._of_response.get(id, ()) if self._needed_by[pk] == 1]
        return [*self._done, *own]

    def folded(self, id: str) -> None:
        for pk in self._of_response.pop(id, ()):
            self._needed_by[pk] -= 1
            if not self._needed_by[pk]:
                self._free(pk)

    def _free(self, pk: int) -> None:
        del self._needed_by[pk]
        self._done.append(pk)

    @property
    def done(self) -> list[int]:
        """The rows that nobody needs and that may still be there."""
        return list(self._done)

    @property
    def all_done(self) -> bool:
        """Whether rows may be there and nobody needs any."""
        return bool(self._done) and not self._needed_by

    def removed(self, rows: Iterable[int]) -> None:
        gone = set(rows)
        self._done = [pk for pk in self._done if pk not in gone]
