"""What is kept of a cut response, to go on with it; and what of all others is not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tokenwire.history.store import Store


if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenwire.history.values import Ended, NewResponse

    New = Callable[..., NewResponse]
    End = Callable[..., Ended]

PLAN: dict[str, object] = {"create": {"seed": -(2**63)}, "model": "m", "item": "msg_1"}


@pytest.mark.parametrize("status", ["incomplete", "cancelled"])
async def test_a_cut_response_keeps_its_plan_and_its_tokens(
    store: Store, new: New, ended: End, status: str
) -> None:
    await store.begin(new("parent"))
    await store.finish(ended("parent"))
    await store.begin(new("r1", plan=PLAN, previous_response_id="parent"))
    await store.finish(ended("r1", status=status, token_ids=[7, 2**31, 0]))

    cut = await store.cut("ann", "r1")
    assert cut is not None
    assert (cut.status, cut.plan, cut.token_ids) == (status, PLAN, [7, 2**31, 0])
    assert cut.previous_response_id == "parent"
    assert [item["id"] for item in (*cut.input, *cut.output)] == ["in_r1", "out_r1"]
    assert await store.cut("bob", "r1") is None
    assert await store.cut("ann", "r2") is None


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_any_other_keeps_no_plan(store: Store, new: New, ended: End, status: str) -> None:
    await store.begin(new("r1", plan=PLAN))
    running = await store.cut("ann", "r1")
    await store.finish(ended("r1", status=status))

    cut = await store.cut("ann", "r1")
    assert running is not None
    assert (running.status, running.token_ids) == ("queued", [])
    assert cut is not None
    assert (cut.status, cut.plan) == (status, None)


async def test_what_was_deleted_of_it_is_in_no_token_any_more(
    tmp_path: Path, store: Store, new: New, ended: End
) -> None:
    await store.create_conversation("ann", "c1")
    for name in ("r1", "r2"):
        await store.begin(replace(new(name, plan=PLAN), conversation_id="c1"))
        await store.finish(ended(name, status="incomplete"))
        kind = "in" if name == "r1" else "out"
        assert await store.delete_item("ann", "c1", f"{kind}_{name}")

    first, second = await store.cut("ann", "r1"), await store.cut("ann", "r2")
    assert first is not None
    assert (first.input, first.plan, first.token_ids) == ([], PLAN, [1, 2, 3])
    assert second is not None
    assert (second.output, second.plan, second.token_ids) == ([], None, [])
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection:
        rows = connection.execute("SELECT id, token_ids IS NULL, plan IS NULL FROM response")
        assert rows.fetchall() == [("r1", 0, 0), ("r2", 1, 1)]
