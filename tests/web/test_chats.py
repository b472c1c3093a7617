"""What a person does with their conversations over HTTP: pinned, put away, answered in their way,
shown at another branch; told to every tab.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from support.house import House, error_of, open_house, receive_until


if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]

SETTINGS = {
    "instructions": "Be kind.",
    "model": "scripted",
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": -1,
    "min_p": 0.1,
    "presence_penalty": -2.0,
    "frequency_penalty": 2.0,
    "repetition_penalty": 1.1,
    "max_output_tokens": 100,
    "seed": -(2**63),
    "reasoning_effort": "none",
}

REFUSED: list[tuple[Json, str]] = [
    ({"pinned": "yes"}, "pinned"),
    ({"pinned": None}, "pinned"),
    ({"archived": 1}, "archived"),
    ({"active_response_id": None}, "active_response_id"),
    ({"active_response_id": "resp_no"}, "active_response_id"),
    ({"settings": []}, "settings"),
    ({"settings": {"temperature": 2.1}}, "settings.temperature"),
    ({"settings": {"top_p": 0}}, "settings.top_p"),
    ({"settings": {"top_k": -2}}, "settings.top_k"),
    ({"settings": {"min_p": "0"}}, "settings.min_p"),
    ({"settings": {"presence_penalty": 3}}, "settings.presence_penalty"),
    ({"settings": {"frequency_penalty": -3}}, "settings.frequency_penalty"),
    ({"settings": {"repetition_penalty": 0}}, "settings.repetition_penalty"),
    ({"settings": {"max_output_tokens": 0}}, "settings.max_output_tokens"),
    ({"settings": {"seed": 2**63}}, "settings.seed"),
    ({"settings": {"reasoning_effort": "much"}}, "settings.reasoning_effort"),
    ({"settings": {"model": "m" * 513}}, "settings.model"),
    ({"settings": {"instructions": "x" * 32_769}}, "settings.instructions"),
    ({"settings": {"mood": "good"}}, "settings.mood"),
]


async def post(house: House, path: str, body: Json) -> Json:
    answer = await house.http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ids(house: House, query: str = "") -> list[str]:
    answer = await house.http.get(f"/v1/conversations?{query}")
    return [each["id"] for each in answer.json()["data"]]


async def test_what_is_refused_names_its_field(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = await post(house, "/v1/conversations", {})
        path = f"/v1/conversations/{made['id']}"
        for body, field in REFUSED:
            answer = await house.http.post(path, json=body)
            assert error_of(answer) == (400, "invalid_request", field)
        assert (await house.http.get(path)).json() == made
        refused = await house.http.post("/v1/conversations", json={"settings": {"top_p": 2}})
        assert error_of(refused) == (400, "invalid_request", "settings.top_p")
        for query in ("pinned=1", "archived=yes", "archived="):
            refused = await house.http.get(f"/v1/conversations?{query}")
            assert error_of(refused) == (400, "invalid_request", query.partition("=")[0])


async def test_settings_are_kept_and_echoed_and_replaced_whole(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = await post(house, "/v1/conversations", {"settings": SETTINGS})
        path = f"/v1/conversations/{made['id']}"
        assert made["settings"] == SETTINGS
        for sent, kept in (
            (SETTINGS | {"seed": 5}, SETTINGS | {"seed": 5}),
            ({"temperature": 1, "top_p": None}, {"temperature": 1.0}),
            (None, {}),
        ):
            changed = await post(house, path, {"settings": sent})
            assert changed == made | {"settings": kept}
            assert (await house.http.get(path)).json() == changed


async def test_settings_are_advice_that_changes_no_answer(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = await post(house, "/v1/conversations", {"settings": SETTINGS})
        await post(house, "/v1/responses", {"input": "Hi", "conversation": made["id"]})
        assert [message["role"] for message in house.engine.prompts[-1]] == ["user"]


async def test_what_is_put_away_leaves_the_list_and_comes_back(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        a, b, c = [(await post(house, "/v1/conversations", {}))["id"] for _ in range(3)]
        await post(house, f"/v1/conversations/{b}", {"archived": True})
        away = (await post(house, "/v1/conversations", {"archived": True}))["id"]
        assert await ids(house) == [c, a]
        assert await ids(house, "archived=false") == [c, a]
        assert await ids(house, "archived=true") == [away, b]
        assert await ids(house, "archived=all&order=asc") == [a, b, c, away]
        await post(house, f"/v1/conversations/{b}", {"archived": False})
        assert await ids(house) == [c, b, a]


async def test_pinned_ones_are_found_beyond_the_first_page(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        a, b, c = [(await post(house, "/v1/conversations", {}))["id"] for _ in range(3)]
        pinned = await post(house, f"/v1/conversations/{a}", {"pinned": True})
        assert (pinned["pinned"], pinned["archived"]) == (True, False)
        assert await ids(house, "limit=1") == [c]
        assert await ids(house, "pinned=true&limit=1") == [a]
        assert await ids(house, "pinned=false") == [c, b]
        await post(house, f"/v1/conversations/{a}", {"archived": True})
        assert await ids(house, "pinned=true") == []
        assert await ids(house, "pinned=true&archived=all") == [a]


async def test_the_branch_that_is_shown_is_remembered_and_gone_on_from(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = await post(house, "/v1/conversations", {})
        path, body = f"/v1/conversations/{made['id']}", {"conversation": made["id"]}
        one = await post(house, "/v1/responses", body | {"input": "One"})
        two = await post(house, "/v1/responses", body | {"input": "Two"})
        assert (await house.http.get(path)).json()["active_response_id"] == two["id"]
        shown = await post(house, path, {"active_response_id": one["id"]})
        assert shown["active_response_id"] == one["id"]
        third = await post(house, "/v1/responses", body | {"input": "Three"})
        assert third["previous_response_id"] == one["id"]
        stray = await post(house, "/v1/responses", {"input": "Elsewhere"})
        refused = await house.http.post(path, json={"active_response_id": stray["id"]})
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == "active_response_id"
        assert (await house.http.get(path)).json()["active_response_id"] == third["id"]


async def test_all_that_is_answered_in_a_conversation_is_stopped_at_once(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.engine.hold_at = 2
        mine, other = [await post(house, "/v1/conversations", {}) for _ in range(2)]
        ids: list[str] = []
        for place, parent in ((mine, {}), (mine, {"previous_response_id": None}), (other, {})):
            asked = {"input": "Hi", "conversation": place["id"], "background": True}
            ids.append((await post(house, "/v1/responses", asked | parent))["id"])
            await asyncio.wait_for(house.engine.holding.wait(), 10)
            house.engine.holding.clear()
        stopped = await post(house, f"/v1/conversations/{mine['id']}/cancel", {})
        assert (stopped["id"], stopped["running"]) == (mine["id"], False)
        found = [(await house.http.get(f"/v1/responses/{id}")).json() for id in ids]
        assert [each["status"] for each in found] == ["cancelled", "cancelled", "in_progress"]
        assert found[0]["output"][0]["content"][0]["text"] == "Hello, "
        # Again, where nothing runs, it changes nothing.
        assert await post(house, f"/v1/conversations/{mine['id']}/cancel", {}) == stopped
        gone = await house.http.post("/v1/conversations/conv_no/cancel")
        assert error_of(gone) == (404, "conversation_not_found", "conversation")


async def test_what_was_said_is_read_in_pages(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = await post(house, "/v1/conversations", {})
        path = f"/v1/conversations/{made['id']}/responses"
        body = {"conversation": made["id"]}
        said = [await post(house, "/v1/responses", body | {"input": f"{n}"}) for n in range(5)]
        names = [each["id"] for each in said]

        async def page(query: str) -> Json:
            return (await house.http.get(f"{path}?{query}")).json()

        whole = await page("")
        assert [each["response"] for each in whole["data"]] == said
        assert (whole["has_more"], whole["first_id"], whole["last_id"]) == (
            False,
            names[0],
            names[-1],
        )
        newest = await page("order=desc&limit=2")
        assert newest["data"] == whole["data"][:2:-1]
        assert (newest["has_more"], newest["last_id"]) == (True, names[3])
        older = await page(f"order=desc&limit=100&after={newest['last_id']}")
        assert older["data"] == whole["data"][2::-1]
        assert (older["has_more"], older["last_id"]) == (False, names[0])
        assert await page(f"limit=3&after={names[4]}") == {
            "object": "list",
            "data": [],
            "first_id": None,
            "last_id": None,
            "has_more": False,
        }
        for query, field in (
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("order=up", "order"),
            ("after=resp_no", "after"),
        ):
            refused = await house.http.get(f"{path}?{query}")
            assert error_of(refused) == (400, "invalid_request", field)


async def test_other_tabs_hear_of_every_change(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, house.connect(page=True) as socket:
        made = await post(house, "/v1/conversations", {})
        await receive_until(socket, "tokenwire:conversation.changed")
        for change in ({"pinned": True}, {"archived": True}, {"settings": {"seed": 1}}):
            await post(house, f"/v1/conversations/{made['id']}", change)
            made |= change
            told = (await receive_until(socket, "tokenwire:conversation.changed"))[-1]
            assert (told["op"], told["conversation"]) == ("updated", made)


async def test_a_hit_says_whether_its_conversation_is_put_away(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        made = await post(house, "/v1/conversations", {"archived": True})
        await post(house, "/v1/responses", {"input": "penguin", "conversation": made["id"]})
        found = (await house.http.get("/v1/conversations/search?q=penguin")).json()["data"]
        assert [(hit["conversation_id"], hit["archived"]) for hit in found] == [(made["id"], True)]
