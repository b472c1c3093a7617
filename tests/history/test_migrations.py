"""The schema: made by revisions, equal to the tables, upgraded without loss, refused when newer."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tokenwire.history import database
from tokenwire.history.migrations import FOLDER, migrate
from tokenwire.history.store import Store
from tokenwire.history.tables import metadata
from tokenwire.history.values import CannotOpen, SchemaTooNew


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenwire.history.values import Ended, NewResponse

REBUILD = """
    # The dangerous way, on a table that others point at: SQLite drops it and makes it anew.
    with op.batch_alter_table("response", recreate="always") as batch:
        batch.add_column(sa.Column("mood", sa.String))
"""
ORPHAN = """
    op.execute("UPDATE item SET response_pk = 99")
"""
HEAD = "0004"
# The full-text index and the tables under it, which no class stands for.
INDEX = "item_fts"
FAIL = """
    op.add_column("response", sa.Column("mood", sa.String))
    raise RuntimeError("half-way")
"""


def revisions(folder: Path, upgrade: str) -> Path:
    """The revisions of this version and one more."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_next.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n\n"
        f'revision = "9999"\ndown_revision = "{HEAD}"\n\n\ndef upgrade():{upgrade}'
    )
    return folder


def bring_up(path: Path, folder: Path = FOLDER) -> None:
    migrate(path, database.engine(path, foreign_keys=False), folder)


def ask(path: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


@pytest.fixture
async def lived(
    tmp_path: Path, new: Callable[..., NewResponse], ended: Callable[..., Ended]
) -> Path:
    """A database with something in each table that matters."""
    path = tmp_path / "history.db"
    store = await Store.open(path)
    await store.user("ann", name="Ann")
    await store.create_conversation("ann", "c1", title=None, metadata={})
    await store.begin(new("r1", conversation_id="c1"))
    await store.finish(ended("r1"))
    await store.begin(new("r2", conversation_id="c1", previous_response_id="r1"))
    await store.close()
    return path


def is_ours(name: str | None, *_: object) -> bool:
    return not str(name).startswith(INDEX)


def test_the_revisions_make_the_schema_of_the_tables(tmp_path: Path) -> None:
    database.prepare(tmp_path / "migrated.db").release()
    engine = database.engine(tmp_path / "migrated.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": is_ours,
            },
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_revisions_make_the_checks_of_the_tables_too(tmp_path: Path) -> None:
    # compare_metadata does not see CHECKs and the conditions of indices: the text does.
    database.prepare(tmp_path / "migrated.db").release()
    engine = database.engine(tmp_path / "created.db")
    metadata.create_all(engine)
    engine.dispose()

    def bare(sql: object) -> str:
        return str(sql).replace('"', "")

    def schema(path: Path) -> dict[object, list[str]]:
        rows = ask(path, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {
            # ALTER TABLE adds columns behind the constraints, on one line and without quotes.
            name: sorted(
                filter(None, (part.strip(" )\t") for part in re.split("[,\n]", bare(sql))))
            )
            for name, sql in rows
            if name != "alembic_version" and not str(name).startswith((INDEX, "item_"))
        }

    assert schema(tmp_path / "migrated.db") == schema(tmp_path / "created.db")


async def test_opening_again_changes_nothing(lived: Path) -> None:
    before = ask(lived, "SELECT * FROM schema_meta")
    await (await Store.open(lived)).close()
    assert ask(lived, "SELECT * FROM schema_meta") == before
    assert sorted(file.name for file in lived.parent.iterdir()) == ["history.db", "history.db.lock"]


async def test_a_newer_schema_is_refused_and_unharmed(lived: Path) -> None:
    with closing(sqlite3.connect(lived)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for _ in range(2):
        with pytest.raises(SchemaTooNew, match="newer version"):
            await Store.open(lived)
    assert ask(lived, "SELECT version_num FROM alembic_version") == [("9999",)]


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE user (name)")
    with pytest.raises(CannotOpen, match="not one of Tokenwire's"):
        await Store.open(path)


def test_an_upgrade_keeps_all_rows_and_the_old_file(lived: Path, tmp_path: Path) -> None:
    counts = "SELECT (SELECT count(*) FROM response), (SELECT count(*) FROM item)"
    before = ask(lived, counts)
    (tmp_path / f"history.db.backup-{HEAD}.part").write_text("left by an upgrade that was killed")
    bring_up(lived, revisions(tmp_path / "revisions", REBUILD))
    assert ask(lived, "SELECT version_num FROM alembic_version") == [("9999",)]
    assert ask(lived, "SELECT mood FROM response") == [(None,), (None,)]
    assert ask(lived, counts) == before == [(2, 3)]
    assert ask(lived, "PRAGMA foreign_key_check") == []
    assert ask(tmp_path / f"history.db.backup-{HEAD}", counts) == before
    assert not (tmp_path / f"history.db.backup-{HEAD}.part").exists()


def test_an_upgrade_that_would_leave_rows_without_a_parent_is_undone(
    lived: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(lived)) as connection, connection:
        connection.execute("DELETE FROM item WHERE pk > 1")
    with pytest.raises(CannotOpen, match="1 rows would point nowhere"):
        bring_up(lived, revisions(tmp_path / "revisions", ORPHAN))
    assert ask(lived, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert ask(lived, "SELECT response_pk FROM item") == [(1,)]


def test_an_upgrade_that_fails_half_way_is_undone(lived: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="half-way"):
        bring_up(lived, revisions(tmp_path / "revisions", FAIL))
    assert "mood" not in {row[1] for row in ask(lived, "PRAGMA table_info(response)")}
    assert ask(lived, "SELECT version_num FROM alembic_version") == [(HEAD,)]


async def test_a_file_of_the_first_version_keeps_what_is_in_it(tmp_path: Path) -> None:
    first = tmp_path / "first"
    shutil.copytree(FOLDER, first, ignore=shutil.ignore_patterns("__pycache__", "000[2-9]*"))
    path = tmp_path / "history.db"
    bring_up(path, first)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO user VALUES (1, 'ann', 'Ann', 1)")
        connection.execute(
            "INSERT INTO response (id, user_pk, status, model, resource, durable, created_ms)"
            " VALUES ('r1', 1, 'in_progress', 'm', '{}', 1, 1)"
        )
        connection.execute(
            "INSERT INTO conversation (id, user_pk, title, title_source, metadata, created_ms,"
            " updated_ms) VALUES ('c1', 1, 'Hi', 'auto', '{}', 1, 1)"
        )
    store = await Store.open(path)
    (left,) = await store.unfinished()
    assert (left.begun.id, left.begun.plan, left.said, left.attempts) == ("r1", None, None, 0)
    (known,), _ = await store.conversations("ann", limit=9, after=None)
    assert (known.title, known.settings, known.pinned, known.archived) == ("Hi", {}, False, False)
    # No model renames what its user knows.
    assert not await store.untitled("ann", "c1")
    await store.close()
