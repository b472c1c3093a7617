"""The items of a conversation over HTTP: given, added, listed, shown, deleted, told to pages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from openai import AsyncOpenAI
from openai.types.conversations import Conversation, ConversationItem, ConversationItemList
from pydantic import TypeAdapter

from support.house import USER, House, error_of, events_of, open_house
from support.scripted import MODEL, ScriptedEngine


if TYPE_CHECKING:
    from pathlib import Path

    import httpx

GIVEN = [
    {"type": "message", "role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "input_text", "text": "One"}]},
    {"role": "assistant", "content": "Two"},
]


def user(*texts: str) -> list[object]:
    return [{"role": "user", "content": text} for text in texts]


def texts(answer: httpx.Response) -> list[str]:
    return [item["content"][0]["text"] for item in answer.json()["data"]]


async def make(house: House, **body: object) -> str:
    """The path of a new conversation."""
    made = await house.http.post("/v1/conversations", json=body)
    assert made.status_code == 200, made.text
    return f"/v1/conversations/{made.json()['id']}"


async def ask(house: House, path: str, text: str, **body: object) -> dict[str, Any]:
    body |= {"input": text, "conversation": path.rpartition("/")[2]}
    return (await house.http.post("/v1/responses", json=body)).json()


async def test_the_first_turn_goes_on_from_what_was_given(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        path = await make(house, items=GIVEN, metadata={"k": "v"})
        conversation = (await house.http.get(path)).json()
        assert (conversation["title"], conversation["metadata"]) == ("One", {"k": "v"})
        turn = await ask(house, path, "Three")
        assert turn["previous_response_id"] == conversation["active_response_id"]
        told = [(message["role"], message["content"]) for message in house.engine.prompts[-1]]
        assert told == [
            ("system", "Be brief."),
            ("user", "One"),
            ("assistant", "Two"),
            ("user", "Three"),
        ]
        # To a page it is an exchange like any other.
        (given, turn) = (await house.http.get(f"{path}/responses")).json()["data"]
        assert [item["role"] for item in given["input"]] == ["system", "user"]
        assert given["response"]["output"][0]["content"][0]["text"] == "Two"
        assert given["response"]["tokenwire"] == {"given": True}
        shown = await house.http.get(f"/v1/responses/{given['response']['id']}")
        assert shown.json() == given["response"]


async def test_items_are_added_at_the_head(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        path = await make(house)
        await ask(house, path, "One")
        query = {"include": ["message.output_text.logprobs"]}
        added = await house.http.post(f"{path}/items", json={"items": GIVEN}, params=query)
        assert texts(added) == ["Be brief.", "One", "Two"]
        ids = [item["id"] for item in added.json()["data"]]
        assert (added.json()["first_id"], added.json()["last_id"]) == (ids[0], ids[2])
        assert all(id.startswith("msg_") for id in ids)
        ConversationItemList.model_validate(added.json(), strict=True)
        await ask(house, path, "Four")
        listed = await house.http.get(f"{path}/items", params=query | {"order": "asc"})
        assert texts(listed) == [
            *("One", "Hello, world."),
            *("Be brief.", "One", "Two"),
            *("Four", "Hello, world."),
        ]
        assert len(house.engine.prompts[-1]) == 6


async def test_items_are_listed_page_by_page_and_shown_one_by_one(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        path = await make(house, items=user(*(f"{n}" for n in range(20))))
        await house.http.post(f"{path}/items", json={"items": user("20", "21")})
        whole = [f"{n}" for n in range(22)]
        newest = await house.http.get(f"{path}/items")
        assert (texts(newest), newest.json()["has_more"]) == (whole[:1:-1], True)
        found: list[str] = []
        query = {"order": "asc", "limit": "8"}
        while True:
            page = await house.http.get(f"{path}/items", params=query)
            found += texts(page)
            if not page.json()["has_more"]:
                break
            query["after"] = page.json()["last_id"]
        assert found == whole
        for item in page.json()["data"]:
            shown = (await house.http.get(f"{path}/items/{item['id']}")).json()
            assert shown == item
            TypeAdapter[object](ConversationItem).validate_python(shown, strict=True)
        empty = (await house.http.get(f"{await make(house)}/items")).json()
        assert (empty["data"], empty["has_more"], empty["last_id"]) == ([], False, None)


async def test_the_official_client_reads_all_of_it(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        AsyncOpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client,
    ):
        made = await client.conversations.create(
            items=[{"type": "message", "role": "user", "content": f"{n}"} for n in range(5)]
        )
        await client.responses.create(model=MODEL, input="More", conversation=made.id)
        for order in ("asc", "desc"):
            listed = client.conversations.items.list(made.id, limit=2, order=order)
            said = [item async for item in listed if item.type == "message"]
            oldest_first = said if order == "asc" else said[::-1]
            parts = [item.content[0].model_dump()["text"] for item in oldest_first]
            assert parts == [*"01234", "More", "Hello, world."]
        deleted = await client.conversations.items.delete(said[0].id, conversation_id=made.id)
        assert deleted.id == made.id
        added = await client.conversations.items.create(
            made.id, items=[{"role": "user", "content": "And"}]
        )
        (item,) = added.data
        assert item.id is not None
        shown = await client.conversations.items.retrieve(item.id, conversation_id=made.id)
        assert shown == item
        changed = await client.conversations.update(made.id, metadata={"k": "v"})
        assert changed.metadata == {"k": "v"}
        assert (await client.conversations.delete(made.id)).deleted


async def test_a_deleted_item_is_not_told_to_the_next_turn(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        path = await make(house, items=GIVEN)
        await ask(house, path, "Three")
        items = (await house.http.get(f"{path}/items?order=asc")).json()["data"]
        for item in (items[2], items[3]):
            deleted = (await house.http.delete(f"{path}/items/{item['id']}")).json()
            Conversation.model_validate(deleted, strict=True)
            assert deleted == (await house.http.get(path)).json()
            gone = await house.http.get(f"{path}/items/{item['id']}")
            assert error_of(gone) == (404, "not_found", "item_id")
        await ask(house, path, "Four")
        told = [message["content"] for message in house.engine.prompts[-1]]
        assert told == ["Be brief.", "One", "Hello, world.", "Four"]
        words = {"q": "Three"}
        assert not (await house.http.get("/v1/conversations/search", params=words)).json()["data"]


async def test_what_is_being_written_is_not_touched(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.hold_at = 2
    async with open_house(tmp_path, engine) as house:
        path = await make(house, items=user("Before"))
        await ask(house, path, "Now", background=True)
        await engine.holding.wait()
        now, before = (await house.http.get(f"{path}/items")).json()["data"]
        locked = (409, "conversation_locked", "conversation")
        assert error_of(await house.http.delete(f"{path}/items/{now['id']}")) == locked
        add = {"items": user("x")}
        assert error_of(await house.http.post(f"{path}/items", json=add)) == locked
        assert (await house.http.delete(f"{path}/items/{before['id']}")).status_code == 200
        assert texts(await house.http.get(f"{path}/items")) == ["Now"]


@pytest.mark.parametrize(
    ("items", "code", "param"),
    [
        ("Hi", "invalid_request", "items"),
        ([{"role": "user", "content": "x"}] * 21, "invalid_request", "items"),
        (["Hi"], "invalid_request", "items[0]"),
        ([{"role": "user", "content": "x"}, {"role": "king"}], "invalid_request", "items[1].role"),
        ([{"type": "item_reference", "id": "x"}], "unsupported_parameter", "items[0].type"),
    ],
)
async def test_bad_items_name_their_field(
    tmp_path: Path, items: object, code: str, param: str
) -> None:
    async with open_house(tmp_path) as house:
        path = await make(house, items=None)
        for place in ("/v1/conversations", f"{path}/items"):
            refused = await house.http.post(place, json={"items": items})
            assert error_of(refused) == (400, code, param)
        assert len((await house.http.get("/v1/conversations")).json()["data"]) == 1
        assert (await house.http.get(f"{path}/items")).json()["data"] == []


async def test_bad_questions_name_their_field(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        path = await make(house, items=[])
        bodies: list[dict[str, object]] = [{}, {"items": []}]
        for body in bodies:
            refused = await house.http.post(f"{path}/items", json=body)
            assert error_of(refused) == (400, "invalid_request", "items")
        for query in ("limit=0", "limit=101", "order=up", "after=msg_no"):
            refused = await house.http.get(f"{path}/items?{query}")
            assert error_of(refused) == (400, "invalid_request", query.split("=")[0])
        for method in ("GET", "DELETE"):
            refused = await house.http.request(method, f"{path}/items/msg_no")
            assert error_of(refused) == (404, "not_found", "item_id")


async def test_someone_elses_conversation_is_not_found(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.store.user("bob", name="Bob")
        await house.store.create_conversation("bob", "conv_bobs", title=None, metadata={})
        for id in ("conv_bobs", "conv_no"):
            items = f"/v1/conversations/{id}/items"
            for answer in (
                await house.http.get(items),
                await house.http.post(items, json={"items": GIVEN}),
                await house.http.get(f"{items}/msg_1"),
                await house.http.delete(f"{items}/msg_1"),
            ):
                assert error_of(answer) == (404, "conversation_not_found", "conversation")
        assert await house.store.conversation_items("bob", "conv_bobs") == []
        assert await house.store.conversation_items(USER, "conv_bobs") is None


async def test_other_pages_are_told_that_something_was_added_or_deleted(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, house.connect(page=True) as page:
        path = await make(house)
        added = await house.http.post(f"{path}/items", json={"items": GIVEN})
        await house.http.delete(f"{path}/items/{added.json()['last_id']}")
        news: list[tuple[object, object]] = []
        while len(news) < 3:
            news += [
                (event["op"], event["conversation_id"])
                for event in events_of(await asyncio.wait_for(page.recv(), 10))
                if event["type"] == "tokenwire:conversation.changed"
            ]
        id = path.rpartition("/")[2]
        assert news == [("created", id), ("items", id), ("items", id)]
