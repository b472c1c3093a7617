"""The doors of the models over a real supervisor: load, unload, fetch and stop one, and what page
sockets are told meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from support.house import House, events_of, open_house
from support.machine import Factory, Shelf, open_supervisor
from support.waiting import until
from tokenwire.engine.models import DownloadStopped, ModelInfo
from tokenwire.engine.supervisor import Supervisor


HUB = ModelInfo(id="org/hub", path="", source="hub", size_bytes=100, licence="mit")
Json = dict[str, Any]


@pytest.fixture
def factory() -> Factory:
    return Factory()


@pytest.fixture
def shelf() -> Shelf:
    bare = ModelInfo(id="bare", path="x", note="It has no chat template.")
    adapter = ModelInfo(id="a:x", path="x", base="a", source="adapter", aliases=("ax",))
    return Shelf(HUB, adapter, bare)


@pytest.fixture
async def models(factory: Factory, shelf: Shelf) -> AsyncGenerator[Supervisor, None]:
    async with open_supervisor(factory, shelf=shelf) as opened:
        yield opened


@pytest.fixture
async def house(tmp_path: Path, models: Supervisor) -> AsyncGenerator[House, None]:
    async with open_house(tmp_path, models=models) as opened:
        yield opened


async def listed(house: House) -> dict[str, Json]:
    models = (await house.http.get("/v1/models")).json()["data"]
    return {model["id"]: model["tokenwire"] for model in models}


async def act(house: House, name: str, model: str) -> tuple[int, Json]:
    answer = await house.http.post(f"/v1/models/{name}", json={"model": model})
    return answer.status_code, answer.json()


async def test_a_model_is_loaded_used_and_unloaded(house: House, models: Supervisor) -> None:
    status, said = await act(house, "load", "a")
    assert (status, said["tokenwire"]["state"]) == (202, "loading")
    await until(lambda: models.state("a").phase == "ready")
    about = (await listed(house))["a"]
    assert about["engine"]["running"] == 0
    assert (about["default"], about["reason"], about["fits"]) == (True, None, None)
    status, said = await act(house, "unload", "a")
    assert (status, said["tokenwire"]["state"]) == (202, "draining")
    await until(lambda: models.state("a").phase == "unloaded")
    assert (await listed(house))["a"]["engine"] is None


async def test_what_is_to_be_known_of_a_model_is_told(house: House) -> None:
    models = await listed(house)
    assert (models["bare"]["note"], models["a"]["note"]) == ("It has no chat template.", None)


async def test_a_model_is_fetched_stopped_and_cancelled(
    house: House, models: Supervisor, shelf: Shelf
) -> None:
    assert (await listed(house))["org/hub"] | {"state": "absent", "licence": "mit"} == (
        await listed(house)
    )["org/hub"]
    shelf.go.clear()
    status, said = await act(house, "download", "org/hub")
    assert (status, said["id"]) == (202, "org/hub")
    await shelf.begun.wait()
    about = (await listed(house))["org/hub"]
    assert about["download"] == {"done": 50, "total": 100, "bytes_per_s": 10.0, "left_s": 5.0}
    assert (about["state"], about["progress"]) == ("downloading", 0.5)
    shelf.stop = DownloadStopped("The disk is full.")
    shelf.go.set()
    await until(lambda: models.state("org/hub").phase == "paused")
    assert (await listed(house))["org/hub"]["reason"] == "The disk is full."
    status, said = await act(house, "cancel", "org/hub")
    assert (status, said["tokenwire"]["state"]) == (202, "absent")
    assert shelf.discarded == ["org/hub"]
    status, said = await act(house, "load", "org/hub")
    assert (status, said["error"]["code"], said["error"]["param"]) == (
        503,
        "model_unavailable",
        "model",
    )


async def test_a_create_for_a_model_that_is_not_here_is_refused_at_once(house: House) -> None:
    body = {"input": "Hi", "model": "org/hub"}
    answer = await house.http.post("/v1/responses", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
    assert "/v1/models/download" in answer.json()["error"]["message"]


async def test_a_create_names_an_adapter_by_its_alias(house: House, factory: Factory) -> None:
    answer = await house.http.post("/v1/responses", json={"input": "Hi", "model": "ax"})
    assert (answer.json()["status"], answer.json()["model"]) == ("completed", "a:x")
    assert "x" in factory.engines["a"][0].adapters


async def test_an_answer_goes_on_while_its_model_is_given_up(
    house: House, models: Supervisor, factory: Factory
) -> None:
    """It hears nothing of it: it neither stands still nor ends."""
    await act(house, "load", "a")
    await until(lambda: models.state("a").phase == "ready")
    engine = factory.engines["a"][0]
    engine.hold_at = 2
    async with house.connect(page=True) as socket:
        await socket.send(json.dumps({"type": "response.create", "input": "Hi", "model": "a"}))
        await engine.holding.wait()
        await act(house, "unload", "a")
        engine.go.set()
        types = list[str]()
        while not types or types[-1] != "response.completed":
            for event in events_of(await socket.recv()):
                if event["type"].startswith("response."):
                    types.append(event["type"])
                    assert "model" not in event.get("response", {}).get("tokenwire", {})
    assert types.count("response.in_progress") == 1
    await until(lambda: models.state("a").phase == "unloaded")


async def test_page_sockets_hear_of_each_step(house: House) -> None:
    async with house.connect(page=True) as socket:
        await act(house, "download", "new/one")
        heard = list[tuple[str, str]]()
        while ("new/one", "unloaded") not in heard:
            for event in events_of(await socket.recv()):
                if event["type"] == "tokenwire:model.state":
                    heard.append((event["model"]["id"], event["model"]["tokenwire"]["state"]))
    states = [state for model, state in heard if model == "new/one"]
    assert states[-1] == "unloaded"
    assert states[:-1].count("downloading") == len(states[1:-1])
