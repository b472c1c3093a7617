"""Brings the schema of a file up to date, or refuses the file. Revisions are written by hand.

It runs before anything else has the file open, on a connection of its own without foreign keys:
SQLite can change a table only by dropping it, and that would delete every row that points at it.
It refuses to know what the tables are for.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from tokenwire.history.values import CannotOpen, SchemaTooNew


if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


FOLDER = Path(__file__).parent


def migrate(path: Path, engine: Engine, folder: Path = FOLDER) -> None:
    """Upgrade to the newest revision in `folder`, in one transaction, and dispose of `engine`.

    `engine` has foreign keys off. A file of an older revision is first copied to
    `<name>.backup-<revision>`. Raises `SchemaTooNew`, `CannotOpen`, `sqlite3.Error`.
    """
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    revision = _revision(path)
    if revision == scripts.get_current_head():
        return
    if revision is not None:
        if revision not in {script.revision for script in scripts.walk_revisions()}:
            raise SchemaTooNew(
                f"{path} was written by a newer version (schema {revision}): update this server"
            )
        _back_up(path, path.with_name(f"{path.name}.backup-{revision}"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            _check(path, connection)
    finally:
        engine.dispose()


def _revision(path: Path) -> str | None:
    """None for a new file."""
    connection = sqlite3.connect(path)
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return None
        if "alembic_version" not in tables or "schema_meta" not in tables:
            raise CannotOpen(f"{path} is a database, but not one of Tokenwire's")
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    finally:
        connection.close()


def _back_up(path: Path, backup: Path) -> None:
    unfinished = backup.with_name(f"{backup.name}.part")
    unfinished.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("VACUUM INTO ?", (str(unfinished),))
    finally:
        connection.close()
    unfinished.replace(backup)


def _check(path: Path, connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise CannotOpen(
            f"{path} was left as it was: after the upgrade {len(broken)} rows would point nowhere"
        )
