"""Statements that are written with each answer: compiled once by SQLAlchemy, run by the driver
itself, which takes a tenth of the time. Values are the driver's own: JSON goes in as `to_json`
makes it. It refuses to know what is written.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import msgspec
from sqlalchemy.dialects import sqlite


if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.sql.expression import ClauseElement


_DIALECT = sqlite.dialect(paramstyle="named")
_encode = msgspec.json.Encoder().encode


class Prepared:
    """One statement. `columns`: those that an insert or an update sets."""

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self._sql = str(statement.compile(dialect=_DIALECT, column_keys=columns))

    def run(self, connection: Connection, values: Mapping[str, Any]) -> sqlite3.Cursor:
        """Raises sqlite3.Error."""
        return driver(connection).execute(self._sql, values)

    def run_each(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Raises sqlite3.Error."""
        driver(connection).executemany(self._sql, rows)


def driver(connection: Connection) -> sqlite3.Connection:
    """The driver's connection, inside the transaction of SQLAlchemy's."""
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def to_json(value: object) -> str:
    """Any JSON value, half surrogate pairs and long numbers among them."""
    try:
        return _encode(value).decode()
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(value)
