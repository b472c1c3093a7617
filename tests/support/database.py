"""What a database file is held against: nothing torn, nothing that points nowhere, and an index
that says what the texts say.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def assert_sound(path: Path) -> None:
    """Raises AssertionError, or sqlite3.DatabaseError where SQLite itself finds it torn."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        # 1: compare the index with the texts. Raises when they differ.
        connection.execute("INSERT INTO item_fts (item_fts, rank) VALUES ('integrity-check', 1)")
