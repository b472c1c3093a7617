"""The file: its folder, its lock, how connections to it are set up, and how it is left behind.

It knows SQLite's settings and why each is so, and refuses to know what is stored.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tokenwire.history.migrations import migrate
from tokenwire.history.values import CannotOpen, DatabaseInUse


if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.pool import ConnectionPoolEntry


# A thread each (aiosqlite), so few: SQLite answers faster than they can be kept busy.
READERS = 4

PRAGMAS = (
    "busy_timeout=5000",
    # With WAL, a commit survives a killed process; only power loss can take the last ones.
    "synchronous=NORMAL",
    "temp_store=MEMORY",
    "cache_size=-4000",
    "journal_size_limit=67108864",
)


class Lock:
    """One server per file. The kernel lets go of it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Raises `DatabaseInUse`."""
        file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 20).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise DatabaseInUse(
                f"{path} is in use by another server (process {holder}): stop that one, "
                "or give this one another data folder"
            ) from None
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file: int | None = file

    def release(self) -> None:
        """The lock file stays: removing it would let two servers lock two files of one name."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def prepare(path: Path) -> Lock:
    """Make the folder and the file if need be, lock it, bring its schema up to date. Blocks.

    Raises `CannotOpen`, with the lock let go again.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock(path)
    except OSError as error:
        raise CannotOpen(f"{path} cannot be opened: {error.strerror}") from error
    try:
        _make_file(path)
        migrate(path, engine(path, foreign_keys=False))
    except BaseException as error:
        lock.release()
        if isinstance(error, (sqlite3.Error, OSError)):
            raise CannotOpen(f"{path} cannot be opened: {error}") from error
        raise
    return lock


def _make_file(path: Path) -> None:
    # Conversations are private: SQLite gives its side files the mode of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path)
    try:
        mode: str = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    finally:
        connection.close()
    if mode != "wal":
        raise CannotOpen(
            f"{path} is on a file system without shared memory (journal mode {mode!r} instead of "
            "'wal'), such as a network share: choose a data folder on a local disk"
        )


def engine(path: Path, *, foreign_keys: bool = True) -> Engine:
    """For the one writer: its transactions take the write lock at their start, never half-way."""
    made = create_engine(
        URL.create("sqlite", database=str(path)), pool_size=1, max_overflow=0
    ).execution_options(write=True)
    _set_up(made, foreign_keys=foreign_keys)
    return made


def readers(path: Path) -> AsyncEngine:
    made = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)), pool_size=READERS, max_overflow=0
    )
    _set_up(made.sync_engine, foreign_keys=True)
    return made


def _set_up(made: Engine, *, foreign_keys: bool) -> None:
    def connected(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # The driver's own idea of when to send BEGIN (not before SELECT, not before DDL) is off;
        # `begins` says it. This is SQLAlchemy's documented recipe.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (*PRAGMAS, f"foreign_keys={'ON' if foreign_keys else 'OFF'}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begins(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("says_begin", True):
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("write") else "BEGIN")

    event.listen(made, "connect", connected)
    event.listen(made, "begin", begins)
