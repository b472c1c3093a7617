"""Titles of models in the open house: kept, told to other tabs, never over a typed one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from support.house import Json, open_house, receive_until
from support.scripted import ScriptedEngine, say
from support.waiting import until


if TYPE_CHECKING:
    from pathlib import Path

    import websockets

    from tokenwire.engine.base import Delta, Sampling


def titling(engine: ScriptedEngine, *, hold: bool = False) -> ScriptedEngine:
    """It gives titles; held where it begins, with `hold`."""

    def script(text: str, _sampling: Sampling) -> list[Delta | Exception]:
        engine.hold_at = 0 if hold and "<chat>" in text else None
        return say("About ", "penguins") if "<chat>" in text else say("Hello", ".")

    engine.script = script
    return engine


async def next_title(socket: websockets.ClientConnection) -> str | None:
    """The title of the next change that tells of another than the provisional one."""
    while True:
        for event in await receive_until(socket, "tokenwire:conversation.changed"):
            changed: Json = event.get("conversation") or {}
            title = changed.get("title")
            if title not in (None, "Where do they live?"):
                return title


async def test_a_title_is_kept_and_told_to_every_tab(tmp_path: Path) -> None:
    engine = titling(ScriptedEngine())
    async with open_house(tmp_path, engine, titles=True) as house, house.connect(page=True) as tab:
        made: Json = (await house.http.post("/v1/conversations", json={})).json()
        asked = {"input": "Where do they live?", "conversation": made["id"]}
        await house.http.post("/v1/responses", json=asked)
        assert await asyncio.wait_for(next_title(tab), 10) == "About penguins"
        found = (await house.http.get(f"/v1/conversations/{made['id']}")).json()
        assert (found["title"], found["title_source"]) == ("About penguins", "auto")
        turns = await house.http.get(f"/v1/conversations/{made['id']}/responses")
        assert len(turns.json()["data"]) == 1


async def test_a_title_typed_while_one_is_made_stays(tmp_path: Path) -> None:
    engine = titling(ScriptedEngine(), hold=True)
    async with open_house(tmp_path, engine, titles=True) as house:
        made: Json = (await house.http.post("/v1/conversations", json={})).json()
        path = f"/v1/conversations/{made['id']}"
        await house.http.post("/v1/responses", json={"input": "Hi", "conversation": made["id"]})
        await asyncio.wait_for(engine.holding.wait(), 10)
        await house.http.post(path, json={"title": "Mine"})
        engine.go.set()
        # One write after another: when this one is done, the title's would be.
        await until(lambda: not engine.running)
        await house.http.post("/v1/conversations", json={})
        found = (await house.http.get(path)).json()
        assert (found["title"], found["title_source"]) == ("Mine", "user")
