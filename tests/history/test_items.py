"""The items of a conversation through the store: given, listed along the path, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.database import assert_sound
from tokenwire.history.values import (
    Exchange,
    JsonObject,
    Part,
    StillRunning,
    UnknownConversation,
)


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenwire.history.store import Store
    from tokenwire.history.values import Ended, NewResponse

    New = Callable[..., NewResponse]
    End = Callable[..., Ended]


def said(id: str, role: str, text: str) -> JsonObject:
    return {"id": id, "type": "message", "role": role, "content": text}


def exchange(id: str, asks: str = "Hi", answers: str | None = "Hello") -> Exchange:
    resource: JsonObject = {"id": id, "status": "completed", "model": ""}
    output = [] if answers is None else [said(f"out_{id}", "assistant", answers)]
    return Exchange(id, resource, [said(f"in_{id}", "user", asks)], output)


async def ids(store: Store, conversation_id: str = "c1") -> list[object]:
    found = await store.conversation_items("ann", conversation_id)
    assert found is not None
    return [item["id"] for item in found]


async def conversation(store: Store, *exchanges: Exchange) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={}, exchanges=exchanges)


async def test_a_conversation_begins_with_what_it_is_given(store: Store) -> None:
    made = await store.create_conversation(
        "ann", "c1", title=None, metadata={}, exchanges=[exchange("g1", "First"), exchange("g2")]
    )
    assert (made.title, made.active_response_id, made.running) == ("First", "g2", False)
    assert made.model is None
    assert await ids(store) == ["in_g1", "out_g1", "in_g2", "out_g2"]
    found, _ = await store.conversation_responses("ann", "c1", Part()) or ([], False)
    (first, asked), (second, _) = found
    assert (first["previous_response_id"], second["previous_response_id"]) == (None, "g1")
    assert (first["status"], first["output"]) == ("completed", list(exchange("g1").output))
    assert asked == list(exchange("g1", "First").input)
    assert await store.status("ann", "g1") == "completed"
    assert await store.events("ann", "g1") == []


async def test_a_new_turn_sees_what_was_given(store: Store, new: New, ended: End) -> None:
    await conversation(store, exchange("g1"))
    await store.begin(new("r1", conversation_id="c1", previous_response_id="g1"))
    assert await ids(store) == ["in_g1", "out_g1", "in_r1"]
    await store.finish(ended("r1"))
    await store.add_to_conversation("ann", "c1", [exchange("g2", answers=None)])
    assert await ids(store) == ["in_g1", "out_g1", "in_r1", "out_r1", "in_g2"]
    found = await store.conversation("ann", "c1")
    assert found is not None
    assert (found.active_response_id, found.model) == ("g2", "m")
    assert found.updated_at > 1_700_000_000
    assert await store.unfinished() == []


async def test_what_was_given_is_found(store: Store, tmp_path: Path) -> None:
    await conversation(store, exchange("g1", "Where do penguins live?", "In the south"))
    (hit,), _ = await store.search("ann", "south", limit=9, after=None)
    assert (hit.response_id, hit.item_id, hit.role) == ("g1", "out_g1", "assistant")
    assert await store.delete_item("ann", "c1", "out_g1")
    assert await store.search("ann", "south", limit=9, after=None) == ([], None)
    await store.delete_conversation("ann", "c1")
    await store.close()
    assert_sound(tmp_path / "history.db")


async def test_only_the_path_to_the_head_is_listed(store: Store, new: New, ended: End) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    assert await ids(store) == []
    for name, parent in (("a", None), ("b", "a"), ("c", "a")):
        await store.begin(new(name, conversation_id="c1", previous_response_id=parent))
        await store.finish(ended(name))
    assert await ids(store) == ["in_a", "out_a", "in_c", "out_c"]
    assert not await store.delete_item("ann", "c1", "in_b")


async def test_a_deleted_item_is_gone_from_all_that_is_read_later(
    store: Store, new: New, ended: End
) -> None:
    await store.create_conversation("ann", "c1", title=None, metadata={})
    await store.begin(new("r1", "Secret", conversation_id="c1"))
    await store.finish(ended("r1"))
    await store.begin(new("r2", conversation_id="c1", previous_response_id="r1"))
    # Its response has ended, so it can go; what runs has been told it already.
    assert await store.delete_item("ann", "c1", "in_r1")
    assert not await store.delete_item("ann", "c1", "in_r1")
    assert await ids(store) == ["out_r1", "in_r2"]
    assert await store.delete_item("ann", "c1", "out_r1")
    for read in (store.chain, store.input_items):
        assert [item["id"] for item in await read("ann", "r2") or []] == ["in_r2"]
    resource = await store.get("ann", "r1")
    assert resource is not None
    assert resource["output"] == []
    assert await store.events("ann", "r1") == ended("r1").events


async def test_a_response_without_items_is_still_there(store: Store) -> None:
    await conversation(store, exchange("g1", answers=None))
    assert await store.delete_item("ann", "c1", "in_g1")
    assert await ids(store) == []
    assert (await store.chain("ann", "g1"), await store.input_items("ann", "g1")) == ([], [])
    await store.add_to_conversation("ann", "c1", [exchange("g2")])
    assert await ids(store) == ["in_g2", "out_g2"]


async def test_an_item_that_was_sent_back_goes_from_each_of_its_places(
    store: Store, new: New, ended: End
) -> None:
    await conversation(store, exchange("g1"))
    again = list(exchange("g1").output)
    await store.begin(new("r1", input=again, conversation_id="c1", previous_response_id="g1"))
    await store.finish(ended("r1"))
    assert await ids(store) == ["in_g1", "out_g1", "out_g1", "out_r1"]
    assert await store.delete_item("ann", "c1", "out_g1")
    assert await ids(store) == ["in_g1", "out_r1"]


async def test_what_is_being_written_is_left_alone(store: Store, new: New, ended: End) -> None:
    await conversation(store, exchange("g1"))
    await store.begin(new("r1", conversation_id="c1", previous_response_id="g1"))
    with pytest.raises(StillRunning):
        await store.delete_item("ann", "c1", "in_r1")
    with pytest.raises(StillRunning):
        await store.add_to_conversation("ann", "c1", [exchange("g2")])
    assert await ids(store) == ["in_g1", "out_g1", "in_r1"]
    await store.finish(ended("r1"))
    await store.add_to_conversation("ann", "c1", [exchange("g2")])
    assert await store.delete_item("ann", "c1", "in_r1")


async def test_a_stranger_finds_no_items(store: Store) -> None:
    await conversation(store, exchange("g1"))
    assert await store.conversation_items("bob", "c1") is None
    with pytest.raises(UnknownConversation):
        await store.delete_item("bob", "c1", "in_g1")
    with pytest.raises(UnknownConversation):
        await store.add_to_conversation("bob", "c1", [exchange("g2")])
    assert await ids(store) == ["in_g1", "out_g1"]
