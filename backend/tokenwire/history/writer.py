"""The only writer: one thread with one connection, through which every change to the file goes.

A piece of work is a function over a connection. All that waits is committed together, each of
several pieces in a savepoint of its own, and its caller hears of it after the commit. A thread and
not the event loop runs the statements: an eighth of the cost of an async engine, and no stream
waits for them. It says BEGIN and COMMIT to the driver itself: SQLAlchemy's way, with its pool, is
five times as long, and an event waits for it. It refuses to know what is written.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple, cast

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tokenwire.history.prepared import driver
from tokenwire.history.values import HistoryError, SaveFailed


if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from sqlalchemy import Connection, Engine


log = logging.getLogger(__name__)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# A transaction takes no further piece once it has this many, or has lasted this long.
GROUP = 200
GROUP_S = 0.005


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], object]
    future: asyncio.Future[object]
    result: object = None
    error: Exception | None = None


class Writer:
    """Begins to work when it is made, inside a running loop; `close` ends it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._waiting: set[asyncio.Future[object]] = set()
        self._closed = False
        self._ended = asyncio.Event()
        self._broken: BaseException | None = None
        self._last_taken = False
        Thread(target=self._live, name="history-writer", daemon=True).start()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """The result of `work`, once it is on disk; what `work` raises is raised, and undone.

        `work` may run twice: when a whole group could not be committed, each is tried alone.
        It runs even if the caller is cancelled while it waits. Raises `SaveFailed`.
        """
        if self._closed or self._ended.is_set():
            raise SaveFailed("the history is closed")
        future: asyncio.Future[object] = self._loop.create_future()
        self._waiting.add(future)
        self._queue.put(_Job(work, future))
        try:
            return cast("T", await future)
        finally:
            self._waiting.discard(future)

    async def ended(self) -> None:
        """Return when the writer was closed. Raises `HistoryError` if it ended otherwise."""
        await self._ended.wait()
        if self._broken is not None:
            raise HistoryError("the writer of the history has died") from self._broken

    async def close(self) -> None:
        """Write all that waits, then end."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await self._ended.wait()

    # What follows runs in the thread, but for `_settle` and `_end`.

    def _live(self) -> None:
        try:
            with self._engine.connect() as begun:
                connection = begun.execution_options(says_begin=False)
                while not self._last_taken and (first := self._queue.get()) is not None:
                    self._tell(self._settle, self._commit(connection, first))
                _tidy(connection)
            self._engine.dispose()
        except BaseException as error:  # noqa: BLE001 a thread's top: `ended` hands it to the owner
            self._broken = error
        self._tell(self._end)

    def _tell(self, what: Callable[[*Ts], None], *args: *Ts) -> None:
        # A loop that was closed before the writer leaves nobody to be told.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, *args)

    def _take(self, first: _Job) -> Iterator[_Job]:
        yield first
        deadline = time.monotonic() + GROUP_S
        for _ in range(GROUP - 1):
            if time.monotonic() > deadline:
                return
            try:
                job = self._queue.get_nowait()
            except Empty:
                return
            if job is None:
                self._last_taken = True
                return
            yield job

    def _commit(self, connection: Connection, first: _Job) -> list[_Job]:
        if self._queue.empty():
            # Nobody's work would be undone with it, so it needs no savepoint.
            _commit_alone(connection, first)
            return [first]
        jobs: list[_Job] = []
        try:
            with _transaction(connection):
                for job in self._take(first):
                    jobs.append(job)
                    _in_savepoint(connection, job)
        except Exception:  # noqa: BLE001 a full disk undoes the whole group, the innocent with it
            jobs = jobs or [first]
            for job in jobs:
                _commit_alone(connection, job)
        return jobs

    def _settle(self, jobs: list[_Job]) -> None:
        for job in jobs:
            if job.future.done():  # its caller was cancelled
                continue
            if job.error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(job.error)

    def _end(self) -> None:
        self._ended.set()
        for future in self._waiting:
            if not future.done():
                future.set_exception(SaveFailed("the writer of the history has ended"))


@contextmanager
def _transaction(connection: Connection) -> Generator[None]:
    run = driver(connection).execute
    run("BEGIN IMMEDIATE")
    try:
        yield
        run("COMMIT")
    except BaseException:
        if driver(connection).in_transaction:  # SQLite may have undone it already
            run("ROLLBACK")
        raise


def _commit_alone(connection: Connection, job: _Job) -> None:
    job.result = job.error = None
    try:
        with _transaction(connection):
            job.result = job.work(connection)
    except Exception as error:  # noqa: BLE001 whatever it is, it is the caller's
        job.error = _as_caller_sees(error)


def _tidy(connection: Connection) -> None:
    run = driver(connection).execute
    try:
        run("PRAGMA optimize")
        run("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:  # all is committed: the next start does without
        log.warning("the history was closed untidily: %s", error)


def _in_savepoint(connection: Connection, job: _Job) -> None:
    run = driver(connection).execute
    run("SAVEPOINT work")
    try:
        job.result = job.work(connection)
    except Exception as error:  # noqa: BLE001 whatever it is, it is the caller's
        job.error = _as_caller_sees(error)
        run("ROLLBACK TO work")
    run("RELEASE work")


def _as_caller_sees(error: Exception) -> Exception:
    if not isinstance(error, (SQLAlchemyError, sqlite3.Error)):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    failed = SaveFailed(f"the history could not be written: {cause}")
    failed.__cause__ = error
    return failed
