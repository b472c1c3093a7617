"""A cut answer gone on with over HTTP and in a conversation, over the real store."""

from __future__ import annotations

from pathlib import Path

from support.house import House, Json, error_of, open_house
from support.scripted import ScriptedEngine, bounded, say
from tokenwire.engine.base import Delta, Sampling


WORDS = ("One", " two", " three.")
WHOLE = "".join(WORDS)


def script(_text: str, sampling: Sampling) -> list[Delta | Exception]:
    return bounded(say(*WORDS), sampling)


async def ask(house: House, headers: dict[str, str] | None = None, **body: object) -> Json:
    answer = await house.http.post("/v1/responses", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def text_of(response: Json) -> str:
    return str(response["output"][0]["content"][0]["text"])


async def test_as_json_in_the_background_and_once_only(tmp_path: Path) -> None:
    async with open_house(tmp_path, ScriptedEngine(script)) as house:
        cut = await ask(house, input="Hi", max_output_tokens=1)
        on: Json = {"tokenwire": {"continues": cut["id"]}}
        whole = await ask(house, {"Idempotency-Key": "k"}, **on)
        assert (whole["status"], text_of(whole)) == ("completed", WHOLE)
        assert (whole["usage"]["output_tokens"], cut["usage"]["output_tokens"]) == (4, 1)
        assert (await ask(house, {"Idempotency-Key": "k"}, **on))["id"] == whole["id"]

        behind = await ask(house, **on, background=True)
        await house.generations.finished(await house.generations.find("local", behind["id"]))
        found = (await house.http.get(f"/v1/responses/{behind['id']}")).json()
        assert (found["status"], text_of(found)) == ("completed", WHOLE)
        assert found["tokenwire"]["continues"] == cut["id"]
        assert found["tokenwire"]["kept_tokens"] == 1
        items = (await house.http.get(f"/v1/responses/{behind['id']}/input_items")).json()
        assert [item["content"][0]["text"] for item in items["data"]] == ["Hi"]


async def test_it_becomes_the_head_and_the_cut_one_stays_a_branch(tmp_path: Path) -> None:
    async with open_house(tmp_path, ScriptedEngine(script)) as house:
        chat = (await house.http.post("/v1/conversations", json={})).json()["id"]
        first = await ask(house, input="First", conversation=chat)
        cut = await ask(house, input="Second", conversation=chat, max_output_tokens=1)
        whole = await ask(house, tokenwire={"continues": cut["id"]})
        assert whole["previous_response_id"] == cut["previous_response_id"] == first["id"]
        found = (await house.http.get(f"/v1/conversations/{chat}")).json()
        assert found["active_response_id"] == whole["id"]
        listed = (await house.http.get(f"/v1/conversations/{chat}/responses")).json()["data"]
        assert [each["response"]["id"] for each in listed] == [first["id"], cut["id"], whole["id"]]
        assert listed[1]["input"] == listed[2]["input"]
        assert [text_of(each["response"]) for each in listed] == [WHOLE, "One", WHOLE]

        await ask(house, input="Third", conversation=chat)
        said = [message["content"] for message in house.engine.prompts[-1]]
        assert said == ["First", WHOLE, "Second", WHOLE, "Third"]


async def test_what_was_deleted_of_it_does_not_come_back(tmp_path: Path) -> None:
    async with open_house(tmp_path, ScriptedEngine(script)) as house:
        chat = (await house.http.post("/v1/conversations", json={})).json()["id"]
        cut = await ask(house, input="Hi", conversation=chat, max_output_tokens=1)
        items = f"/v1/conversations/{chat}/items"
        answer = await house.http.delete(f"{items}/{cut['output'][0]['id']}")
        assert answer.status_code == 200
        refused = await house.http.post(
            "/v1/responses", json={"tokenwire": {"continues": cut["id"]}}
        )
        assert error_of(refused) == (400, "response_not_continuable", "tokenwire.continues")


async def test_it_is_gone_on_with_by_the_next_server_too(tmp_path: Path) -> None:
    async with open_house(tmp_path, ScriptedEngine(script)) as house:
        cut = await ask(house, input="Hi", max_output_tokens=2, seed=-(2**63))
    async with open_house(tmp_path, ScriptedEngine(script)) as house:
        whole = await ask(house, tokenwire={"continues": cut["id"]})
        assert text_of(whole) == WHOLE
