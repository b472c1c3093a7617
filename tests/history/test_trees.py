"""Deleting: a response goes with all that goes on from it, and nothing else goes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenwire.history.store import Store


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenwire.history.values import Ended, NewResponse

    New = Callable[..., NewResponse]
    End = Callable[..., Ended]


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


async def test_deleting_a_response_deletes_its_subtree(
    store: Store, new: New, ended: End, tmp_path: Path
) -> None:
    for name, parent in (("a", None), ("b", "a"), ("c", "b"), ("d", "a"), ("e", None)):
        await store.begin(new(name, previous_response_id=parent))
        await store.finish(ended(name))
    assert await store.delete("ann", "b")
    left = [name for name in "abcde" if await store.get("ann", name)]
    assert left == ["a", "d", "e"]
    assert count(tmp_path / "history.db", "item") == 6
    assert count(tmp_path / "history.db", "response_log") == 3


async def test_a_conversation_shows_the_parent_of_what_was_deleted(store: Store, new: New) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    for name, parent in (("a", None), ("b", "a"), ("c", "a"), ("d", "c")):
        await store.begin(new(name, previous_response_id=parent, conversation_id="c1"))
    await store.delete("ann", "c")
    shown = await store.conversation("ann", "c1")
    assert shown is not None
    assert shown.active_response_id == "a"


async def test_a_conversation_shows_its_newest_root_when_a_root_was_deleted(
    store: Store, new: New
) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    for name in "ab":
        await store.begin(new(name, conversation_id="c1"))
    for deleted, expected in (("b", "a"), ("a", None)):
        await store.delete("ann", deleted)
        shown = await store.conversation("ann", "c1")
        assert shown is not None
        assert shown.active_response_id == expected


async def test_deleting_a_conversation_deletes_what_went_on_elsewhere(
    store: Store, new: New, tmp_path: Path
) -> None:
    for name in ("c1", "c2"):
        await store.create_conversation("ann", name, title=None, metadata={})
    await store.begin(new("a", conversation_id="c1"))
    await store.begin(new("x", conversation_id="c2"))
    await store.begin(new("b", conversation_id="c2", previous_response_id="a"))
    await store.begin(new("c", previous_response_id="b"))
    assert await store.delete_conversation("ann", "c1")
    assert [name for name in "abcx" if await store.get("ann", name)] == ["x"]
    other = await store.conversation("ann", "c2")
    assert other is not None
    assert other.active_response_id == "x"
    assert count(tmp_path / "history.db", "item") == 1


async def test_a_chain_deeper_than_a_cascade_can_go_is_deleted(
    store: Store, new: New, tmp_path: Path
) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    await store.begin(new("r0", conversation_id="c1"))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection, connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)"
            " INSERT INTO response (pk, id, user_pk, conversation_pk, previous_pk, status, model,"
            " resource, durable, created_ms)"
            " SELECT i, 'r' || i, user_pk, conversation_pk, i - 1, status, model, resource,"
            " durable, created_ms FROM n, response WHERE pk = 1"
        )
    store = await Store.open(tmp_path / "history.db")
    chain = await store.chain("ann", "r2500")
    assert chain is not None
    assert len(chain) == 1
    assert await store.delete_conversation("ann", "c1")
    assert await store.status("ann", "r2500") is None
    await store.close()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parents=st.lists(st.integers(-1, 30), min_size=1, max_size=14),
    victims=st.lists(st.integers(0, 13), max_size=3),
)
async def test_what_is_left_is_what_has_no_deleted_ancestor(
    store: Store,
    new: New,
    parents: list[int],
    victims: list[int],
) -> None:
    tree = {n: None if p < 0 or n == 0 else p % n for n, p in enumerate(parents)}
    for n, parent in tree.items():
        name = None if parent is None else str(parent)
        await store.begin(new(str(n), previous_response_id=name))
    paths: dict[int, set[int]] = {}
    for n, parent in tree.items():
        paths[n] = {n} | (set() if parent is None else paths[parent])
    for victim in victims:
        await store.delete("ann", str(victim))
    left = {n for n in tree if await store.status("ann", str(n))}
    assert left == {n for n in tree if not paths[n] & set(victims)}
    for n in left:
        await store.delete("ann", str(n))
