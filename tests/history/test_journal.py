"""The journal on disk: what was said is given back after a kill, and goes when it is folded."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.history.journal import Rows
from tokenwire.history.packing import pack_entries, unpack_entries
from tokenwire.history.store import Store
from tokenwire.history.values import JournalEntry


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenwire.history.values import Ended, NewResponse

    New = Callable[..., NewResponse]
    End = Callable[..., Ended]

TEXTS = st.lists(st.text())
IDS = st.lists(st.integers(0, 2**31 - 1))


@given(
    st.lists(st.builds(JournalEntry, st.text(), st.integers(0, 2**31), TEXTS, IDS, st.none() | IDS))
)
def test_entries_come_back_identical(entries: list[JournalEntry]) -> None:
    assert unpack_entries(pack_entries(entries)) == entries


def entry(id: str, first: int, *events: str, tokens: tuple[int, ...] = ()) -> JournalEntry:
    return JournalEntry(id, first, list(events), list(tokens), [7] if first == 0 else None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM journal").fetchone()[0]


async def test_what_was_said_is_given_back_in_order_by_response(store: Store, new: New) -> None:
    await store.begin(new("r1", plan={"a": [1]}, durable=False))
    await store.begin(new("r2", previous_response_id=None))
    await store.journal([entry("r1", 0, "a", "b", tokens=(1,)), entry("r2", 0, "x")])
    await store.journal([entry("r1", 2, "c", tokens=(2, 3))])

    one, two = await store.unfinished()
    assert one.begun == new("r1", plan={"a": [1]}, durable=False, resource=one.begun.resource)
    assert one.said == JournalEntry("r1", 0, ["a", "b", "c"], [1, 2, 3], [7])
    assert two.said == JournalEntry("r2", 0, ["x"], [], [7])


async def test_what_said_nothing_has_no_journal(store: Store, new: New) -> None:
    await store.begin(new("r1"))
    (left,) = await store.unfinished()
    assert left.said is None


async def test_an_entry_after_a_gap_is_left_out_with_all_that_follow(
    store: Store, new: New
) -> None:
    await store.begin(new("r1"))
    await store.journal([entry("r1", 0, "a", tokens=(1,))])
    await store.journal([entry("r1", 2, "c", tokens=(3,))])
    await store.journal([entry("r1", 3, "d", tokens=(4,))])
    (left,) = await store.unfinished()
    assert left.said == JournalEntry("r1", 0, ["a"], [1], [7])


async def test_parent_and_conversation_are_given_back(store: Store, new: New, ended: End) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    await store.begin(new("r1", conversation_id="c1"))
    await store.finish(ended("r1"))
    wanted = new("r2", conversation_id="c1", previous_response_id="r1", idempotency_key="k")
    await store.begin(wanted)
    (left,) = await store.unfinished()
    begun = left.begun
    assert (begun.conversation_id, begun.previous_response_id) == ("c1", "r1")
    assert (begun.idempotency_key, begun.input) == ("k", wanted.input)


async def test_a_row_goes_when_all_in_it_are_folded(path: Path, new: New, ended: End) -> None:
    store = await Store.open(path)
    await store.user("ann", name="Ann")
    for id in ("r1", "r2"):
        await store.begin(new(id))
    await store.journal([entry("r1", 0, "a"), entry("r2", 0, "a")])
    await store.journal([entry("r1", 1, "b")])
    await store.finish(ended("r1"))
    assert rows(path) == 1
    await store.finish(ended("r2"))
    assert rows(path) == 0
    await store.close()


async def test_responses_that_end_at_once_leave_no_row_behind(
    path: Path, new: New, ended: End
) -> None:
    store = await Store.open(path)
    await store.user("ann", name="Ann")
    ids = [f"r{n}" for n in range(8)]
    for id in ids:
        await store.begin(new(id))
    for n in range(3):
        await store.journal([entry(id, n, str(n)) for id in ids])
    await asyncio.gather(*(store.finish(ended(id)) for id in ids))
    assert rows(path) == 0
    await store.close()


async def test_after_a_restart_each_response_has_one_row_that_goes_with_it(
    path: Path, new: New, ended: End
) -> None:
    before = await Store.open(path)
    await before.user("ann", name="Ann")
    for id in ("r1", "r2", "r3"):
        await before.begin(new(id))
    for n in range(5):
        await before.journal([entry(id, n, str(n)) for id in ("r1", "r2", "r3")])
    await before.finish(ended("r3"))
    await before.close()

    store = await Store.open(path)
    assert len(await store.unfinished()) == 2
    assert rows(path) == 2
    await store.journal([entry("r1", 5, "5")])
    await store.finish(ended("r1"))
    await store.finish(ended("r2"))
    assert rows(path) == 0
    await store.close()


async def test_attempts_count_until_a_token_comes(path: Path, new: New) -> None:
    store = await Store.open(path)
    await store.user("ann", name="Ann")
    await store.begin(new("r1"))
    await store.journal([entry("r1", 0, "a", tokens=(1,))])
    assert [left.attempts for left in await store.unfinished()] == [1]
    assert [left.attempts for left in await store.unfinished()] == [2]
    await store.journal([entry("r1", 1, "only an event")])
    assert [left.attempts for left in await store.unfinished()] == [3]
    await store.journal([entry("r1", 2, "b", tokens=(2,))])
    assert [left.attempts for left in await store.unfinished()] == [1]
    await store.close()


async def test_a_server_that_ends_in_order_blames_nobody(path: Path, new: New) -> None:
    store = await Store.open(path)
    await store.user("ann", name="Ann")
    await store.begin(new("r1"))
    await store.journal([entry("r1", 0, "a")])
    await store.unfinished()
    await store.unfinished()
    await store.close()
    store = await Store.open(path)
    assert [left.attempts for left in await store.unfinished()] == [1]
    await store.close()


async def test_a_finished_response_no_longer_has_a_plan(path: Path, new: New, ended: End) -> None:
    store = await Store.open(path)
    await store.user("ann", name="Ann")
    await store.begin(new("r1", plan={"secret": "words"}))
    await store.finish(ended("r1"))
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT plan FROM response").fetchall() == [(None,)]


def test_rows_know_who_needs_them() -> None:
    needed = Rows()
    needed.wrote(1, [entry("a", 0, "x"), entry("b", 0, "x")])
    needed.wrote(2, [entry("a", 1, "y")])
    assert needed.without("a") == [2]
    assert needed.without("b") == []
    needed.folded("a")
    assert needed.done == [2]
    assert sorted(needed.without("b")) == [1, 2]
    needed.removed([2])
    assert not needed.all_done
    needed.folded("b")
    assert needed.done == [1]
    assert needed.all_done
    needed.folded("never heard of")
    assert needed.done == [1]


def test_an_entry_that_is_whole_frees_the_rows_before_it() -> None:
    needed = Rows()
    for pk in (1, 2, 3):
        needed.wrote(pk, [entry("a", pk - 1, "x")])
    needed.wrote(4, [entry("a", 0, "x", "x", "x", "y"), entry("b", 0, "x")])
    assert needed.done == [1, 2, 3]
    assert needed.without("a") == [1, 2, 3]
    needed.folded("b")
    assert needed.without("a") == [1, 2, 3, 4]


async def test_an_entry_that_is_whole_stands_for_all_before_it(store: Store, new: New) -> None:
    await store.begin(new("r1"))
    await store.journal([entry("r1", 0, "a", tokens=(1,))])
    await store.journal([entry("r1", 5, "after a gap", tokens=(6,))])
    await store.journal([entry("r1", 0, "a", "b", tokens=(1, 2))])
    await store.journal([entry("r1", 2, "c", tokens=(3,))])
    (left,) = await store.unfinished()
    assert left.said == JournalEntry("r1", 0, ["a", "b", "c"], [1, 2, 3], [7])


async def test_what_has_no_beginning_can_not_be_gone_on_from(store: Store, new: New) -> None:
    await store.begin(new("r1"))
    await store.journal([entry("r1", 3, "d", tokens=(4,))])
    (left,) = await store.unfinished()
    assert left.said is None


async def test_a_removal_that_waits_takes_no_row_that_came_after_it(
    path: Path, new: New, ended: End
) -> None:
    store = await Store.open(path)
    await store.user("ann", name="Ann")
    for id in ("r1", "r2", "r3", "r4"):
        await store.begin(new(id))
    await store.journal([entry("r3", 0, "a")])
    await store.journal([entry("r1", 0, "a"), entry("r2", 0, "a")])
    # Both end at once: each leaves the row that both were in to the other.
    await asyncio.gather(store.finish(ended("r1")), store.finish(ended("r2")))
    # The next row, and an end that was told of the same free row, queued behind it.
    await asyncio.gather(store.journal([entry("r4", 0, "kept")]), store.finish(ended("r3")))
    with closing(sqlite3.connect(path)) as connection:
        kept = [
            unpack_entries(blob) for (blob,) in connection.execute("SELECT payload FROM journal")
        ]
    assert [each.response_id for entries in kept for each in entries] == ["r4"]
    await store.close()


async def test_what_only_waited_is_to_blame_for_no_end_of_a_server(path: Path, new: New) -> None:
    store = await Store.open(path)
    await store.user("ann", name="Ann")
    await store.begin(new("r1"))
    await store.journal([JournalEntry("r1", 0, ["created"], [], None)])
    assert [(await store.unfinished())[0].attempts for _ in range(5)] == [0] * 5
    await store.close()


async def test_a_key_that_is_not_kept_is_free_again(store: Store, new: New, ended: End) -> None:
    await store.begin(new("r1", idempotency_key="k"))
    await store.finish(ended("r1", keeps_key=False))
    assert await store.begin(new("r2", idempotency_key="k")) is None
