"""Responses through the store: begin, finish, read, chain, delete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenwire.history.store import Store
from tokenwire.history.values import UnknownConversation, UnknownResponse, UnknownUser


if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenwire.history.values import Ended, JsonObject, NewResponse

    New = Callable[..., NewResponse]
    End = Callable[..., Ended]


def ids(items: list[JsonObject] | None) -> list[object]:
    return [item["id"] for item in items or []]


async def test_a_response_is_there_once_begun(store: Store, new: New) -> None:
    assert await store.begin(new("r1")) is None
    assert await store.get("ann", "r1") == new("r1").resource | {"output": []}
    assert await store.status("ann", "r1") == "queued"
    assert await store.events("ann", "r1") == []
    assert ids(await store.chain("ann", "r1")) == ["in_r1"]


async def test_a_finished_response_is_given_back_equal(store: Store, new: New, ended: End) -> None:
    await store.begin(new("r1"))
    end = ended("r1", says="né 🦜 \u200d \x00 'quoted'")
    await store.finish(end)
    assert await store.get("ann", "r1") == end.resource
    assert await store.status("ann", "r1") == "completed"
    assert ids(await store.chain("ann", "r1")) == ["in_r1", "out_r1"]


async def test_a_response_without_output_ends_with_an_empty_one(
    store: Store, new: New, ended: End
) -> None:
    await store.begin(new("r1"))
    failed: JsonObject = {"id": "r1", "status": "failed", "error": {"code": "engine_error"}}
    await store.finish(ended("r1", status="failed", resource=failed, events=[], seed=-(2**63)))
    assert await store.get("ann", "r1") == failed | {"output": []}
    assert await store.status("ann", "r1") == "failed"


async def test_only_the_first_end_counts(store: Store, new: New, ended: End) -> None:
    await store.begin(new("r1"))
    await store.finish(ended("r1", "first"))
    await store.finish(ended("r1", "second", status="cancelled"))
    assert await store.get("ann", "r1") == ended("r1", "first").resource
    assert await store.status("ann", "r1") == "completed"


async def test_the_end_of_a_deleted_response_is_dropped(store: Store, new: New, ended: End) -> None:
    await store.begin(new("r1"))
    assert await store.delete("ann", "r1")
    await store.finish(ended("r1"))
    assert await store.get("ann", "r1") is None


async def test_a_stranger_sees_and_deletes_nothing(store: Store, new: New, ended: End) -> None:
    await store.begin(new("r1"))
    await store.finish(ended("r1"))
    for user, response in (("bob", "r1"), ("nobody", "r1"), ("ann", "r2")):
        assert await store.get(user, response) is None
        assert await store.events(user, response) is None
        assert await store.chain(user, response) is None
        assert await store.status(user, response) is None
        assert not await store.delete(user, response)
    assert await store.status("ann", "r1") == "completed"


async def test_the_same_idempotency_key_gives_the_first_response(store: Store, new: New) -> None:
    assert await store.begin(new("r1", idempotency_key="k")) is None
    assert await store.begin(new("r2", idempotency_key="k")) == "r1"
    assert await store.get("ann", "r2") is None
    assert await store.begin(new("r3", idempotency_key="k", user_id="bob")) is None
    assert await store.begin(new("r4", idempotency_key="other")) is None
    assert await store.keyed("ann", "k") == "r1"
    assert await store.keyed("bob", "k") == "r3"
    assert await store.keyed("bob", "other") is None
    assert await store.begin(new("r5")) is None
    assert await store.begin(new("r6")) is None


@pytest.mark.parametrize("name", ["missing", "bobs"])
async def test_begin_writes_nothing_after_an_unknown_parent(
    store: Store, new: New, name: str
) -> None:
    await store.begin(new("bobs", user_id="bob"))
    with pytest.raises(UnknownResponse) as caught:
        await store.begin(new("r1", previous_response_id=name))
    assert caught.value.id == name
    assert await store.get("ann", "r1") is None


@pytest.mark.parametrize("name", ["missing", "bobs"])
async def test_begin_writes_nothing_in_an_unknown_conversation(
    store: Store, new: New, name: str
) -> None:
    await store.create_conversation("bob", "bobs", title=None, metadata={})
    with pytest.raises(UnknownConversation) as caught:
        await store.begin(new("r1", conversation_id=name))
    assert caught.value.id == name
    assert await store.get("ann", "r1") is None


async def test_begin_refuses_an_unknown_user(store: Store, new: New) -> None:
    with pytest.raises(UnknownUser):
        await store.begin(new("r1", user_id="nobody"))


async def test_input_items_may_come_back_with_the_ids_of_an_earlier_answer(
    store: Store, new: New, ended: End
) -> None:
    await store.begin(new("r1"))
    await store.finish(ended("r1"))
    again = await store.chain("ann", "r1")
    assert again is not None
    await store.begin(new("r2", input=again))
    assert await store.chain("ann", "r2") == again


async def test_half_a_surrogate_pair_is_kept_as_it_came(store: Store, new: New) -> None:
    await store.begin(new("r1", says="\ud83e"))
    chain = await store.chain("ann", "r1")
    assert chain is not None
    assert chain[0]["content"] == "\ud83e"


async def test_a_chain_follows_its_own_branch_only(store: Store, new: New, ended: End) -> None:
    for name, parent in (("a", None), ("b", "a"), ("c", "a"), ("d", "b"), ("e", "c"), ("f", None)):
        await store.begin(new(name, previous_response_id=parent))
        await store.finish(ended(name))
    assert ids(await store.chain("ann", "d")) == [
        "in_a", "out_a", "in_b", "out_b", "in_d", "out_d",
    ]  # fmt: skip
    assert ids(await store.chain("ann", "e")) == [
        "in_a", "out_a", "in_c", "out_c", "in_e", "out_e",
    ]  # fmt: skip
    assert ids(await store.chain("ann", "f")) == ["in_f", "out_f"]


async def test_items_of_a_chain_keep_their_order(store: Store, new: New, ended: End) -> None:
    items = [{"id": f"i{n}", "type": "message", "role": "user", "content": "x"} for n in range(12)]
    output = [{"id": f"o{n}", "type": "function_call", "arguments": "{}"} for n in range(12)]
    await store.begin(new("a", input=items))
    await store.finish(ended("a", resource={"id": "a", "output": output}))
    assert await store.chain("ann", "a") == items + output


async def test_a_response_without_items_has_an_empty_chain(store: Store, new: New) -> None:
    await store.begin(new("a", input=[]))
    assert await store.chain("ann", "a") == []


# Any JSON text: half surrogates too, which a cut emoji leaves behind.
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
any_text = st.text(st.characters(codec=None, categories=None), max_size=30)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    events=st.lists(any_text.map(json.dumps), max_size=20),
    extra=st.dictionaries(st.text(min_size=1), json_values, max_size=3),
    output=st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=3),
    token_ids=st.lists(st.integers(0, 2**32 - 1), max_size=20),
)
async def test_what_a_response_ended_with_is_what_is_read(
    store: Store,
    new: New,
    ended: End,
    events: list[str],
    extra: JsonObject,
    output: list[JsonObject],
    token_ids: list[int],
) -> None:
    await store.begin(new("r1"))
    items = [item | {"id": f"o{n}", "type": "message"} for n, item in enumerate(output)]
    resource = extra | {"output": items}
    await store.finish(ended("r1", events=events, resource=resource, token_ids=token_ids))
    assert await store.get("ann", "r1") == resource
    assert await store.events("ann", "r1") == events
    await store.delete("ann", "r1")
