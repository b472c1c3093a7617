"""The journal: what running responses have said, on disk before anyone sees it.

One row holds what one flush added to every response that had something new. At its end a response
is folded into its own rows; a journal row goes when all that are in it are folded. It refuses to
know what an event means and who generates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, delete, insert, select

from tokenwire.history.packing import pack_entries, unpack_entries
from tokenwire.history.tables import journal
from tokenwire.history.values import JournalEntry


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_INSERT = insert(journal)
_DELETE = delete(journal).where(journal.c.pk.in_(bindparam("rows", expanding=True)))
_ALL = select(journal.c.payload).order_by(journal.c.pk)


def append(connection: Connection, payload: bytes, done: Sequence[int]) -> int:
    """Add a row and remove those that are done. Returns the row's pk."""
    remove(connection, done)
    return connection.execute(_INSERT, {"payload": payload}).lastrowid


def remove(connection: Connection, done: Sequence[int]) -> None:
    if done:
        connection.execute(_DELETE, {"rows": list(done)})


def compact(connection: Connection, ids: Iterable[str]) -> dict[str, tuple[int, JournalEntry]]:
    """The whole journal of each response in `ids`, rewritten as one row each; the rest is dropped.

    By id: the new row's pk, and all that was kept as one entry. One that has nothing is missing.
    """
    wanted = set(ids)
    whole: dict[str, JournalEntry] = {}
    for payload in connection.execute(_ALL).scalars():
        for entry in unpack_entries(payload):
            if entry.response_id in wanted:
                before = whole.get(entry.response_id)
                whole[entry.response_id] = _joined(before, entry) if before else entry
    connection.execute(delete(journal))
    return {
        id: (append(connection, pack_entries([entry]), ()), entry) for id, entry in whole.items()
    }


def _joined(before: JournalEntry, entry: JournalEntry) -> JournalEntry:
    """Both as one. What does not follow without a gap is left out: it can't be gone on from."""
    if entry.first != before.first + len(before.events):
        return before
    return JournalEntry(
        before.response_id,
        before.first,
        [*before.events, *entry.events],
        [*before.token_ids, *entry.token_ids],
        entry.prompt if before.prompt is None else before.prompt,
    )


class Rows:
    """Which journal rows are still needed, and by whom. Belongs to the event loop."""

    def __init__(self) -> None:
        self._of_response: dict[str, set[int]] = {}
        self._needed_by: dict[int, int] = {}
        self._done: list[int] = []

    def wrote(self, pk: int, ids: Iterable[str]) -> None:
        needed_by = set(ids)
        self._needed_by[pk] = len(needed_by)
        for id in needed_by:
            self._of_response.setdefault(id, set()).add(pk)

    def without(self, id: str) -> list[int]:
        """The rows that nobody needs any more once the response `id` is folded."""
        own = [pk for pk in self._of_response.get(id, ()) if self._needed_by[pk] == 1]
        return [*self._done, *own]

    def folded(self, id: str) -> None:
        for pk in self._of_response.pop(id, ()):
            self._needed_by[pk] -= 1
            if not self._needed_by[pk]:
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
