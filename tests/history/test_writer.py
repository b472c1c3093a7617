"""The writer: groups, failures that sink nobody else, a full disk, and its end."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, Engine, event

from tokenwire.history import database
from tokenwire.history.store import Store
from tokenwire.history.values import HistoryError, SaveFailed
from tokenwire.history.writer import GROUP, Writer


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tokenwire.history.values import Ended, NewResponse

    New = Callable[..., NewResponse]
    End = Callable[..., Ended]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = database.engine(tmp_path / "writer.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER UNIQUE, y)")
    return engine


@pytest.fixture
async def writer(engine: Engine) -> AsyncIterator[Writer]:
    writer = Writer(engine)
    yield writer
    await writer.close()


def put(x: object, y: str = "") -> Callable[[Connection], object]:
    def work(connection: Connection) -> object:
        connection.exec_driver_sql("INSERT INTO t VALUES (?, ?)", (x, y))
        return x

    return work


def stored(connection: Connection) -> list[int]:
    return [x for (x,) in connection.exec_driver_sql("SELECT x FROM t ORDER BY x")]


def counted_commits(engine: Engine) -> list[Connection]:
    commits: list[Connection] = []
    event.listen(engine, "commit", commits.append)
    return commits


async def all_at_once(writer: Writer, *works: Callable[[Connection], object]) -> list[object]:
    """What came of each, when all wait at the time the writer is free."""
    free = threading.Event()
    held = asyncio.ensure_future(writer.write(lambda _: free.wait(10)))
    others = [asyncio.ensure_future(writer.write(work)) for work in works]
    await asyncio.sleep(0)  # so that all are queued
    free.set()
    await held
    return list(await asyncio.gather(*others, return_exceptions=True))


async def test_what_waits_is_committed_together(engine: Engine, writer: Writer) -> None:
    commits = counted_commits(engine)
    results = await all_at_once(writer, *map(put, range(GROUP * 2)))
    assert results == list(range(GROUP * 2))
    assert len(commits) < GROUP
    assert await writer.write(stored) == list(range(GROUP * 2))


async def test_a_failing_piece_sinks_no_other(writer: Writer) -> None:
    def half_done(connection: Connection) -> None:
        put(7)(connection)
        raise LookupError("half-way")

    results = await all_at_once(writer, put(1), half_done, put(1), put(2))
    assert results[0::3] == [1, 2]
    assert isinstance(results[1], LookupError)
    assert isinstance(results[2], SaveFailed)
    assert await writer.write(stored) == [1, 2]


async def test_a_piece_that_ends_the_transaction_sinks_no_other(
    engine: Engine, writer: Writer
) -> None:
    def undo_everything(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")  # what SQLite itself does on some I/O errors
        raise OSError("the disk is gone")

    results = await all_at_once(writer, put(1), undo_everything, put(2))
    assert results[0::2] == [1, 2]
    assert isinstance(results[1], OSError)
    assert await writer.write(stored) == [1, 2]


async def test_a_cancelled_caller_undoes_nothing(writer: Writer) -> None:
    free = threading.Event()
    held = asyncio.ensure_future(writer.write(lambda _: free.wait(10)))
    impatient = asyncio.ensure_future(writer.write(put(1)))
    await asyncio.sleep(0)
    impatient.cancel()
    free.set()
    await held
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert await writer.write(stored) == [1]


async def test_closing_writes_what_still_waits(engine: Engine, tmp_path: Path) -> None:
    writer = Writer(engine)
    waiting = [asyncio.ensure_future(writer.write(put(n))) for n in range(50)]
    await asyncio.sleep(0)
    await writer.close()
    assert await asyncio.gather(*waiting) == list(range(50))
    with pytest.raises(SaveFailed):
        await writer.write(put(99))
    await writer.close()
    await writer.ended()
    assert not (tmp_path / "writer.db-wal").exists()


async def test_a_writer_that_dies_fails_who_waits_and_tells_its_owner(engine: Engine) -> None:
    def die(_: Connection) -> None:
        raise SystemExit

    writer = Writer(engine)
    owner = asyncio.ensure_future(writer.ended())
    for work in (die, put(1)):
        with pytest.raises(SaveFailed):
            await writer.write(work)
    with pytest.raises(HistoryError, match="died"):
        await owner
    await writer.close()


async def test_five_hundred_begins_at_once_are_all_stored(store: Store, new: New) -> None:
    names = [f"r{n}" for n in range(500)]
    begun = await asyncio.gather(
        *(store.begin(new(name)) for name in names),
        store.begin(new("orphan", previous_response_id="missing")),
        return_exceptions=True,
    )
    assert begun[:500] == [None] * 500
    assert isinstance(begun[500], LookupError)
    assert [await store.status("ann", name) for name in names] == ["queued"] * 500


async def test_a_full_disk_fails_the_save_and_a_freed_one_saves_again(
    tmp_path: Path, new: New, ended: End
) -> None:
    path = tmp_path / "history.db"
    lock = database.prepare(path)
    writer = Writer(database.engine(path))
    store = Store(lock, writer, database.readers(path))
    await store.user("ann", name="Ann")
    await store.begin(new("r1"))

    def set_pages(most: int) -> Callable[[Connection], object]:
        return lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={most}").scalar()

    pages = await writer.write(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one())
    await writer.write(set_pages(int(pages) + 20))
    names = [f"big{n}" for n in range(20)]
    tried = await asyncio.gather(
        *(store.begin(new(name, says="x" * 9_000)) for name in names), return_exceptions=True
    )
    with pytest.raises(SaveFailed, match="full"):
        await store.finish(ended("r1", says="x" * 200_000))
    assert {type(result) for result in tried} == {type(None), SaveFailed}
    for name, result in zip(names, tried, strict=True):
        assert (await store.get("ann", name) is not None) == (result is None)
    assert await store.status("ann", "r1") == "queued"

    await writer.write(set_pages(2**30))
    await store.finish(ended("r1", says="x" * 200_000))
    assert await store.get("ann", "r1") == ended("r1", says="x" * 200_000).resource
    await store.close()
