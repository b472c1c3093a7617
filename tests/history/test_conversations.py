"""Conversations through the store: make, title, list in pages, rename, delete, read whole."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from tokenwire.history.conversations import listed
from tokenwire.history.values import Conversation, Part, UnknownResponse, UnknownUser, Which


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenwire.history.store import Store
    from tokenwire.history.values import Ended, NewResponse

    New = Callable[..., NewResponse]
    End = Callable[..., Ended]


async def there(store: Store, id: str) -> Conversation:
    found = await store.conversation("ann", id)
    assert found is not None
    return found


async def test_a_user_is_made_once(store: Store) -> None:
    first = await store.user("cleo", name="Cleo")
    assert first.id == "cleo"
    assert await store.user("cleo", name="Another") == first


async def test_a_new_conversation_is_as_asked_for(store: Store) -> None:
    made = await store.create_conversation("ann", "c1", title=None, metadata={"k": "v"})
    assert made == Conversation(
        id="c1",
        title=None,
        title_source="auto",
        model=None,
        metadata={"k": "v"},
        settings={},
        pinned=False,
        archived=False,
        active_response_id=None,
        running=False,
        created_at=made.created_at,
        updated_at=made.created_at,
    )
    assert made.created_at > 1_700_000_000
    assert await store.conversation("ann", "c1") == made


async def test_a_conversation_made_with_a_title_keeps_it(store: Store, new: New) -> None:
    made = await store.create_conversation("ann", "c1", title="Mine", metadata={})
    assert made.title_source == "user"
    await store.begin(new("r1", "Something else", conversation_id="c1"))
    assert (await there(store, "c1")).title == "Mine"


async def test_a_conversation_is_refused_to_an_unknown_user(store: Store) -> None:
    with pytest.raises(UnknownUser):
        await store.create_conversation("nobody", "c1", title=None, metadata={})


async def test_a_stranger_finds_no_conversation(store: Store, new: New) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    await store.begin(new("r1", conversation_id="c1"))
    assert await store.conversation("bob", "c1") is None
    assert await store.conversation_responses("bob", "c1", Part()) is None
    assert await store.update_conversation("bob", "c1", title="Stolen") is None
    assert not await store.delete_conversation("bob", "c1")
    assert await store.conversations("bob", limit=10, after=None) == ([], None)
    assert (await there(store, "c1")).title == "Hi"


async def test_a_response_makes_its_conversation_run_until_it_ends(
    store: Store, new: New, ended: End
) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    await store.begin(new("r1", "What is a log?", conversation_id="c1", created_ms=7_000))
    begun = await there(store, "c1")
    assert (begun.title, begun.title_source, begun.model) == ("What is a log?", "auto", "m")
    assert (begun.running, begun.active_response_id, begun.updated_at) == (True, "r1", 7)
    await store.finish(ended("r1", done_ms=9_000))
    done = await there(store, "c1")
    assert (done.running, done.active_response_id, done.updated_at) == (False, "r1", 9)


async def test_a_conversation_runs_while_any_branch_runs(
    store: Store, new: New, ended: End
) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    await store.begin(new("r1", conversation_id="c1"))
    await store.begin(new("r2", conversation_id="c1"))
    await store.finish(ended("r2"))
    assert (await there(store, "c1")).running
    await store.finish(ended("r1"))
    assert not (await there(store, "c1")).running


async def test_the_provisional_title_is_given_once(store: Store, new: New) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    await store.begin(new("r0", input=[], conversation_id="c1"))
    assert (await there(store, "c1")).title is None
    await store.begin(new("r1", "First words", conversation_id="c1"))
    await store.begin(new("r2", "Other words", conversation_id="c1"))
    assert (await there(store, "c1")).title == "First words"


async def test_a_title_from_the_user_stays_and_keeps_the_place(store: Store, new: New) -> None:
    made = await store.create_conversation("ann", "c1", title=None, metadata={})
    renamed = await store.update_conversation("ann", "c1", title="Logs")
    assert renamed is not None
    assert (renamed.title, renamed.title_source) == ("Logs", "user")
    assert renamed.updated_at == made.updated_at
    await store.begin(new("r1", conversation_id="c1"))
    assert (await there(store, "c1")).title == "Logs"


async def test_metadata_is_replaced_whole_and_without_it_nothing_changes(store: Store) -> None:
    made = await store.create_conversation("ann", "c1", title="Logs", metadata={"k": "v"})
    assert await store.update_conversation("ann", "c1") == made
    changed = await store.update_conversation("ann", "c1", metadata={"other": "w"})
    assert changed == replace(made, metadata={"other": "w"})
    assert await there(store, "c1") == changed


async def test_a_title_that_a_model_made_is_given_once(store: Store, new: New) -> None:
    await store.create_conversation("ann", "c1")
    await store.begin(new("r1", "First words", conversation_id="c1"))
    assert await store.untitled("ann", "c1")
    assert not await store.untitled("bob", "c1")
    assert not await store.settle_title("bob", "c1", "Stolen")
    before = await there(store, "c1")
    assert await store.settle_title("ann", "c1", "A greeting")
    assert await there(store, "c1") == replace(before, title="A greeting")
    assert not await store.untitled("ann", "c1")
    assert not await store.settle_title("ann", "c1", "Another")
    assert (await there(store, "c1")).title == "A greeting"
    assert not await store.settle_title("ann", "gone", "Nobody's")


async def test_where_a_model_found_none_the_provisional_title_stays(store: Store, new: New) -> None:
    await store.create_conversation("ann", "c1")
    await store.begin(new("r1", "First words", conversation_id="c1"))
    assert not await store.settle_title("ann", "c1", None)
    assert not await store.untitled("ann", "c1")
    assert (await there(store, "c1")).title == "First words"


async def test_a_typed_title_is_never_that_of_a_model(store: Store) -> None:
    await store.create_conversation("ann", "c1", title="Mine")
    await store.create_conversation("ann", "c2")
    await store.update_conversation("ann", "c2", title="Mine")
    for name in ("c1", "c2"):
        assert not await store.untitled("ann", name)
        assert not await store.settle_title("ann", name, "A model's")
        assert (await there(store, name)).title == "Mine"


async def test_it_is_made_and_changed_with_pins_places_and_settings(store: Store) -> None:
    asked: dict[str, object] = {"temperature": 0.5, "instructions": "Be kind."}
    made = await store.create_conversation("ann", "c1", pinned=True, archived=True, settings=asked)
    assert (made.pinned, made.archived, made.settings) == (True, True, asked)
    plain = await store.create_conversation("ann", "c2")
    assert (plain.pinned, plain.archived, plain.settings) == (False, False, {})
    changed = await store.update_conversation("ann", "c1", archived=False, settings={"seed": 1})
    assert changed == replace(made, archived=False, settings={"seed": 1})
    assert await there(store, "c1") == changed


async def test_another_response_of_its_own_can_be_the_head(
    store: Store, new: New, ended: End
) -> None:
    for name in ("c1", "c2"):
        await store.create_conversation("ann", name)
    for name, parent in (("a", None), ("b", "a"), ("c", "a")):
        await store.begin(new(name, conversation_id="c1", previous_response_id=parent))
        await store.finish(ended(name))
    await store.begin(new("elsewhere", conversation_id="c2"))
    before = await there(store, "c1")
    changed = await store.update_conversation("ann", "c1", active_response_id="b", title="Mine")
    assert changed == replace(before, active_response_id="b", title="Mine", title_source="user")
    assert await there(store, "c1") == changed
    items = await store.conversation_items("ann", "c1")
    assert items is not None
    assert [item["id"] for item in items] == ["in_a", "out_a", "in_b", "out_b"]
    for wrong in ("elsewhere", "nothing", "c1"):
        with pytest.raises(UnknownResponse):
            await store.update_conversation("ann", "c1", active_response_id=wrong, title="Not")
    assert await there(store, "c1") == changed
    await store.begin(new("d", conversation_id="c1", previous_response_id="b"))
    assert (await there(store, "c1")).active_response_id == "d"


async def test_a_deleted_conversation_is_gone_with_its_responses(
    store: Store, new: New, ended: End
) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    await store.begin(new("r1", conversation_id="c1"))
    await store.finish(ended("r1"))
    assert await store.delete_conversation("ann", "c1")
    assert not await store.delete_conversation("ann", "c1")
    assert await store.conversation("ann", "c1") is None
    assert await store.get("ann", "r1") is None


async def test_all_branches_of_a_conversation_are_read_oldest_first(
    store: Store, new: New, ended: End
) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    assert await store.conversation_responses("ann", "c1", Part()) == ([], False)
    for name, parent in (("a", None), ("b", "a"), ("c", "a")):
        await store.begin(new(name, conversation_id="c1", previous_response_id=parent))
    await store.begin(new("elsewhere"))
    await store.finish(ended("a"))
    assert await store.conversation_responses("ann", "c1", Part()) == (
        [
            (ended("a").resource, list(new("a").input)),
            (new("b").resource | {"output": []}, list(new("b").input)),
            (new("c").resource | {"output": []}, list(new("c").input)),
        ],
        False,
    )


async def test_what_was_said_is_read_in_parts_from_either_end(
    store: Store, new: New, ended: End
) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    for name in ("a", "b", "c", "d", "e"):
        await store.begin(new(name, conversation_id="c1"))
        await store.finish(ended(name))
        # What is said elsewhere meanwhile is in no part.
        await store.begin(new(f"{name}_elsewhere"))

    async def part(
        limit: int | None, after: str | None, *, oldest_first: bool = False
    ) -> tuple[list[str], bool]:
        found = await store.conversation_responses("ann", "c1", Part(limit, after, oldest_first))
        assert found is not None
        for resource, asked in found[0]:
            name = str(resource["id"])
            assert (resource, asked) == (ended(name).resource, list(new(name).input))
        return [str(resource["id"]) for resource, _ in found[0]], found[1]

    assert await part(2, None) == (["e", "d"], True)
    assert await part(2, "d") == (["c", "b"], True)
    assert await part(2, "b") == (["a"], False)
    assert await part(1, "b") == (["a"], False)
    assert await part(5, None) == (["e", "d", "c", "b", "a"], False)
    assert await part(None, "c") == (["b", "a"], False)
    assert await part(2, "a") == ([], False)
    assert await part(2, None, oldest_first=True) == (["a", "b"], True)
    assert await part(9, "b", oldest_first=True) == (["c", "d", "e"], False)
    for stranger in ("a_elsewhere", "nobody"):
        with pytest.raises(UnknownResponse):
            await part(2, stranger)


async def pages(store: Store, limit: int) -> list[list[str]]:
    found: list[list[str]] = []
    after: str | None = None
    while True:
        page, after = await store.conversations("ann", limit=limit, after=after)
        found.append([conversation.id for conversation in page])
        if after is None:
            return found


async def test_pages_show_the_last_changed_first(store: Store, new: New) -> None:
    for name in "abcde":
        await store.create_conversation("ann", name, title=None, metadata={})
    for n, name in enumerate("cabed"):
        await store.begin(new(f"r{n}", conversation_id=name, created_ms=5_000))
    # All changed in one millisecond: then the one made last comes first.
    assert await pages(store, 2) == [["e", "d"], ["c", "b"], ["a"]]
    await store.begin(new("r9", conversation_id="b", created_ms=5_001))
    assert await pages(store, 5) == [["b", "e", "d", "c", "a"]]


async def test_the_other_order_and_a_place_by_id_give_the_same_list(store: Store) -> None:
    for name in "abcde":
        await store.create_conversation("ann", name, title=None, metadata={})
    await store.create_conversation("bob", "bobs", title=None, metadata={})
    for oldest_first, ids in ((True, "abcde"), (False, "edcba")):
        found: list[str] = []
        after: str | None = None
        for by_id in (False, True, False):
            page, cursor = await store.conversations(
                "ann", limit=2, after=after, which=Which(oldest_first=oldest_first)
            )
            found += [conversation.id for conversation in page]
            after = page[-1].id if by_id else cursor
        assert found == list(ids)
        assert cursor is None
    with pytest.raises(ValueError, match="not a cursor"):
        await store.conversations("ann", limit=2, after="bobs")


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_each_list_has_its_own_in_its_own_pages(store: Store, oldest_first: bool) -> None:
    for n in range(12):
        await store.create_conversation(
            "ann", f"{n:02}", pinned=n % 3 == 0, archived=n % 2 == 0, title="x"
        )
    for archived in (None, False, True):
        for pinned in (None, False, True):
            which = Which(archived=archived, pinned=pinned, oldest_first=oldest_first)
            found: list[str] = []
            after: str | None = None
            while True:
                page, after = await store.conversations("ann", limit=2, after=after, which=which)
                found += [conversation.id for conversation in page]
                if after is None:
                    break
            expected = [
                f"{n:02}"
                for n in range(12)
                if archived in (None, n % 2 == 0) and pinned in (None, n % 3 == 0)
            ]
            assert found == (expected if oldest_first else expected[::-1])


async def test_a_place_by_id_may_lie_in_another_list(store: Store) -> None:
    for name in "abcd":
        await store.create_conversation("ann", name)
    await store.update_conversation("ann", "c", archived=True)
    page, _ = await store.conversations("ann", limit=9, after="c")
    assert [conversation.id for conversation in page] == ["b", "a"]


@pytest.mark.parametrize(
    ("which", "index"),
    [
        (Which(), "user_pk_archived_updated_ms_pk"),
        (Which(oldest_first=True), "user_pk_archived_updated_ms_pk"),
        (Which(pinned=True), "pinned"),
    ],
)
async def test_a_list_is_read_in_the_order_of_an_index(
    store: Store, tmp_path: Path, which: Which, index: str
) -> None:
    await store.create_conversation("ann", "c1")
    sql = str(listed(which, after_a_place=True).compile(dialect=sqlite.dialect(paramstyle="named")))
    values = {"user": "ann", "most": 3, "after_ms": 2**42, "after_pk": 9, "param_1": 0}
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
    plan = "; ".join(str(step[3]) for step in steps)
    assert f"ix_conversation_{index} " in plan
    assert "TEMP B-TREE" not in plan


async def test_a_page_is_stable_while_conversations_move(store: Store, new: New) -> None:
    for name in "abcdef":
        await store.create_conversation("ann", name, title=None, metadata={})
    first, after = await store.conversations("ann", limit=2, after=None)
    await store.begin(new("r1", conversation_id="a", created_ms=2**42))
    await store.create_conversation("ann", "g", title=None, metadata={})
    await store.delete_conversation("ann", "e")
    second, _ = await store.conversations("ann", limit=2, after=after)
    assert [c.id for c in first + second] == ["f", "e", "d", "c"]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    moves=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=8),
    limit=st.integers(1, 4),
)
async def test_paging_skips_and_repeats_nobody_who_stays(
    store: Store,
    new: New,
    moves: list[tuple[int, int]],
    limit: int,
) -> None:
    for n in range(10):
        await store.create_conversation("ann", f"c{n}", title=None, metadata={})
    seen: list[str] = []
    after: str | None = None
    for page in range(10):
        found, after = await store.conversations("ann", limit=limit, after=after)
        seen += [conversation.id for conversation in found]
        if after is None:
            break
        for k, (n, when) in enumerate(moves):
            if when == page:
                begun = new(f"r{page}-{k}", conversation_id=f"c{n}", created_ms=2**42 + k)
                await store.begin(begun)
    moved = {f"c{n}" for n, _ in moves}
    stayed = [name for name in seen if name not in moved]
    assert stayed == [f"c{n}" for n in reversed(range(10)) if f"c{n}" not in moved][: len(stayed)]
    assert after is not None or len(stayed) == 10 - len(moved)
    for n in range(10):
        await store.delete_conversation("ann", f"c{n}")


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "é",
        "a" * 5_000,
        "=",
        base64.b64encode(b"\xff\xfe").decode(),
        encoded([1]),
        encoded([1, 2, 3]),
        encoded({"1": 2}),
        encoded(["1", 2]),
        encoded([True, 2]),
        encoded([1.0, 2]),
        encoded([-1, 2]),
        encoded([1, 2**63]),
        encoded(None),
    ],
)
async def test_a_cursor_that_was_not_given_out_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        await store.conversations("ann", limit=2, after=cursor)
