"""Full-text search: what was said is found where it was said, by nobody else, and the index is
sound."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.database import assert_sound
from tokenwire.history import database
from tokenwire.history.migrations import FOLDER, migrate
from tokenwire.history.search import words_of
from tokenwire.history.store import Store
from tokenwire.history.values import Hit, Piece


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenwire.history.values import Ended, NewResponse

    New = Callable[..., NewResponse]
    End = Callable[..., Ended]


async def found(store: Store, words: str, user: str = "ann") -> list[Hit]:
    return (await store.search(user, words, limit=10, after=None))[0]


async def texts(store: Store, words: str, user: str = "ann") -> list[str]:
    return ["".join(piece.text for piece in hit.snippet) for hit in await found(store, words, user)]


@pytest.fixture
async def said(store: Store, new: New, ended: End) -> Store:
    """Two conversations of Ann's, one of Bob's, and a response that is in none."""
    for user, conversation in (("ann", "c1"), ("ann", "c2"), ("bob", "c3")):
        await store.create_conversation(user, conversation, title=None, metadata={})
    await store.begin(new("r1", "Where do penguins live?", conversation_id="c1"))
    await store.finish(ended("r1", "Penguins live in the café of the Antarctic."))
    await store.begin(new("r2", "A poem about the sea", conversation_id="c2", created_ms=7_000))
    await store.begin(new("r3", "My penguin", conversation_id="c3", user_id="bob"))
    await store.begin(new("r4", "A penguin in no conversation"))
    return store


async def test_what_was_put_away_is_found_and_says_so(said: Store) -> None:
    await said.update_conversation("ann", "c2", archived=True)
    assert [hit.archived for hit in await found(said, "poem")] == [True]
    assert {hit.archived for hit in await found(said, "penguins")} == {False}


async def test_a_hit_says_where_it_is(said: Store) -> None:
    assert await found(said, "poem") == [
        Hit(
            conversation_id="c2",
            title="A poem about the sea",
            archived=False,
            response_id="r2",
            item_id="in_r2",
            role="user",
            snippet=[
                Piece("A ", match=False),
                Piece("poem", match=True),
                Piece(" about the sea", match=False),
            ],
            created_at=7,
        )
    ]


async def test_question_and_answer_are_found_the_newest_first(said: Store) -> None:
    hits = await found(said, "penguins")
    assert [(hit.response_id, hit.role) for hit in hits] == [("r1", "assistant"), ("r1", "user")]


@pytest.mark.parametrize(
    "words", ["penguins live", "LIVE penguins", "cafe antarctic", "pengu", "live pen", "café"]
)
async def test_all_words_are_looked_for_and_the_last_as_a_beginning(
    said: Store, words: str
) -> None:
    assert "r1" in {hit.response_id for hit in await found(said, words)}


@pytest.mark.parametrize("words", ["penguins sea", "pengu live", "ngu"])
async def test_what_has_not_all_words_is_not_found(said: Store, words: str) -> None:
    assert await found(said, words) == []


async def test_nobody_finds_what_another_said(said: Store) -> None:
    assert await texts(said, "penguin", "bob") == ["My penguin"]


async def test_hits_come_page_by_page(store: Store, new: New) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    for number in range(5):
        await store.begin(new(f"r{number}", f"word {number}", conversation_id="c1"))
    after, pages = None, list[list[str]]()
    while True:
        hits, after = await store.search("ann", "word", limit=2, after=after)
        pages.append([hit.response_id for hit in hits])
        if after is None:
            break
    assert pages == [["r4", "r3"], ["r2", "r1"], ["r0"]]
    with pytest.raises(ValueError, match="cursor"):
        await store.search("ann", "word", limit=2, after="zzz")


async def test_what_is_deleted_is_found_no_more_and_the_index_is_sound(
    said: Store, tmp_path: Path
) -> None:
    await said.delete_conversation("ann", "c1")
    assert await found(said, "penguins") == []
    assert_sound(tmp_path / "history.db")


def test_the_check_of_the_index_can_fail(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    database.prepare(path).release()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO item_fts (rowid, text) VALUES (7, 'of no item')")
    with pytest.raises(sqlite3.DatabaseError):
        assert_sound(path)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(words=st.text(max_size=40))
async def test_no_words_are_taken_for_a_query(said: Store, words: str) -> None:
    if words_of(words):
        await found(said, words.encode("utf-8", "replace").decode())


@pytest.mark.parametrize(
    "words",
    ['"', "-penguins", "text:penguins", "penguins OR sea", "NEAR(a b)", "*", "a AND", "(", "^"],
)
async def test_signs_and_words_of_the_query_language_are_words(said: Store, words: str) -> None:
    # "-penguins" is the word with a sign, which the index leaves out; "OR" has to be said.
    assert len(await found(said, words)) in (0, 2)


async def test_what_was_said_before_there_was_an_index_is_found(tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(FOLDER, older, ignore=shutil.ignore_patterns("__pycache__", "000[3-9]*"))
    path = tmp_path / "history.db"
    migrate(path, database.engine(path, foreign_keys=False), older)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO user VALUES (1, 'ann', 'Ann', 1)")
        connection.execute(
            "INSERT INTO conversation (pk, id, user_pk, title_source, metadata, created_ms,"
            " updated_ms) VALUES (1, 'c1', 1, 'auto', '{}', 1, 1)"
        )
        connection.execute(
            "INSERT INTO response (pk, id, user_pk, conversation_pk, status, model, resource,"
            " durable, created_ms) VALUES (1, 'r1', 1, 1, 'completed', 'm', '{}', 1, 1)"
        )
        connection.execute(
            "INSERT INTO item (id, response_pk, idx, direction, type, text, data)"
            " VALUES ('i1', 1, 0, 'in', 'message', 'an old word', '{\"role\": \"user\"}')"
        )
    store = await Store.open(path)
    assert await texts(store, "old") == ["an old word"]
    await store.close()
    assert_sound(path)
