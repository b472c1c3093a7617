"""The file: who may open it, how it is set up, what is left when it is closed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tokenwire.history import database
from tokenwire.history.store import Store
from tokenwire.history.values import CannotOpen, DatabaseInUse, ReadFailed, SaveFailed


if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenwire.history.values import NewResponse


async def test_folders_are_made_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "100% new? #folder" / "deep" / "hïstory.db"
    store = await Store.open(path)
    await store.user("ann", name="Ann")
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    await store.close()
    assert {file.name for file in path.parent.iterdir()} == {"hïstory.db", "hïstory.db.lock"}


async def test_a_second_server_on_one_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    first = await Store.open(path)
    with pytest.raises(
        DatabaseInUse, match=f"in use by another server \\(process {os.getpid()}\\)"
    ):
        await Store.open(path)
    await first.user("ann", name="Ann")
    await first.close()
    second = await Store.open(path)
    assert (await second.user("ann", name="Another")).name == "Ann"
    await second.close()


async def test_closing_twice_lets_go_of_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    first = await Store.open(path)
    await first.close()
    second = await Store.open(path)
    await first.close()
    with pytest.raises(DatabaseInUse):
        await Store.open(path)
    await second.close()


async def test_a_file_of_another_kind_is_refused_and_unharmed(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(b"dear diary, " * 1_000)
    for _ in range(2):
        with pytest.raises(CannotOpen, match="not a database"):
            await Store.open(path)
    assert path.read_bytes() == b"dear diary, " * 1_000


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotOpen, match="cannot be opened"):
        await Store.open(tmp_path / "file" / "history.db")


async def test_a_place_that_cannot_keep_a_write_ahead_log_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The one name for which SQLite says "memory" instead of "wal"; network shares say "delete".
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CannotOpen, match="local disk"):
        await Store.open(Path(":memory:"))


def test_every_connection_of_the_writer_has_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    lock = database.prepare(path)
    engine = database.engine(path)
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 1,
        "busy_timeout": 5000,
        "foreign_keys": 1,
    }
    engine.dispose()
    lock.release()


def test_a_write_takes_its_lock_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    lock = database.prepare(path)
    engine = database.engine(path)
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        with engine.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.execute("BEGIN IMMEDIATE")
    engine.dispose()
    lock.release()


async def test_readers_do_not_wait_for_a_writer(store: Store, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "history.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        read = store.conversations("ann", limit=1, after=None)
        assert await asyncio.wait_for(read, 3) == ([], None)
        other.execute("ROLLBACK")


async def test_cancelled_reads_give_their_connections_back(store: Store) -> None:
    for rounds in range(30):
        reads = [asyncio.ensure_future(store.status("ann", "r1")) for _ in range(4)]
        for _ in range(rounds % 10):
            await asyncio.sleep(0)
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
    many = (store.status("ann", "r1") for _ in range(20))
    assert await asyncio.wait_for(asyncio.gather(*many), 5) == [None] * 20


async def test_the_store_runs_until_it_is_closed(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "history.db")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(store.run())
        await store.user("ann", name="Ann")
        assert not running.done()
        await store.close()
    with pytest.raises(SaveFailed, match="closed"):
        await store.delete("ann", "r1")


async def test_cancelling_run_leaves_the_writer_to_save_what_is_left(
    tmp_path: Path, new: Callable[..., NewResponse]
) -> None:
    store = await Store.open(tmp_path / "history.db")
    await store.user("ann", name="Ann")
    running = asyncio.ensure_future(store.run())
    await asyncio.sleep(0)
    running.cancel()
    await store.begin(new("r1"))
    assert await store.status("ann", "r1") == "queued"
    await store.close()


PAGE = 4_096


async def test_a_damaged_file_fails_the_read_with_one_sentence(
    tmp_path: Path, new: Callable[..., NewResponse]
) -> None:
    path = tmp_path / "history.db"
    store = await Store.open(path)
    await store.user("ann", name="Ann")
    await store.begin(new("r1", says="x" * 50_000))
    await store.close()
    text = path.read_bytes().find(b"x" * 3_000)
    with path.open("r+b") as file:  # the page of the item's row, and those that its text goes on in
        file.seek(text // PAGE * PAGE)
        file.write(b"\x55" * (path.stat().st_size - file.tell()))
    store = await Store.open(path)
    with pytest.raises(ReadFailed, match="could not be read"):
        await store.chain("ann", "r1")
    await store.close()
