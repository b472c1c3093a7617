"""`tokenwire models`: the list, and a load or a download followed to its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from support.house import House, open_house
from support.machine import Factory, Shelf, open_supervisor
from support.terminal import script, terminal
from support.waiting import until
from tokenwire.engine.models import DownloadStopped, ModelInfo
from tokenwire.engine.supervisor import Supervisor


HUB = ModelInfo(
    id="org/hub",
    path="",
    source="hub",
    size_bytes=1_500_000_000,
    licence="mit",
    description="Good.",
)


@pytest.fixture
def factory() -> Factory:
    return Factory()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(HUB, ModelInfo(id="bare", path="x", note="It has no chat template."))


@pytest.fixture
async def models(factory: Factory, shelf: Shelf) -> AsyncGenerator[Supervisor, None]:
    async with open_supervisor(factory, shelf=shelf) as opened:
        yield opened


@pytest.fixture
async def house(tmp_path: Path, models: Supervisor) -> AsyncGenerator[House, None]:
    async with open_house(tmp_path, models=models) as opened:
        yield opened


async def test_the_list_says_where_each_stands(house: House) -> None:
    async with terminal("models", "--url", house.url) as screen:
        assert await screen.left() == 0
    lines = [line.split() for line in screen.text.splitlines()]
    assert ["a", "unloaded"] in lines
    assert ["org/hub", "absent", "1.5", "GB", "mit", "Good."] in lines
    bare = next(line for line in lines if line[0] == "bare")
    assert bare[1:] == ["unloaded", "It", "has", "no", "chat", "template."]
    broken = next(line for line in lines if line[0] == "broken")
    assert broken[1:] == ["failed", "There", "is", "no", "tokenizer", "in", "the", "folder."]


async def test_a_load_is_followed_to_its_end(house: House, factory: Factory) -> None:
    factory.go.clear()
    async with terminal("models", "load", "a", "--url", house.url) as screen:
        await screen.until("Reading the weights")
        factory.go.set()
        await screen.until("a is ready.")
        assert await screen.left() == 0
    assert await script("models", "unload", "a", "--url", house.url) == (0, "a is unloaded.\n", "")


async def test_a_download_that_stops_says_why(house: House, shelf: Shelf) -> None:
    shelf.stop = DownloadStopped("The disk is full.")
    said = await script("models", "download", "org/hub", "--url", house.url)
    assert said == (1, "org/hub is paused. The disk is full.\n", "")
    shelf.stop = None
    said = await script("models", "download", "org/hub", "--url", house.url)
    assert said == (0, "org/hub is unloaded.\n", "")


async def test_ctrl_c_leaves_the_server_to_it(
    house: House, shelf: Shelf, models: Supervisor
) -> None:
    shelf.go.clear()
    async with terminal("models", "download", "org/hub", "--url", house.url) as screen:
        await screen.until("50 of 100")
        await screen.interrupt()
        await screen.until("goes on with org/hub")
        assert await screen.left() == 130
    shelf.go.set()
    await until(lambda: models.state("org/hub").phase == "unloaded")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["load"], "There is no model named to load."),
        (["load", "nothing"], "does not exist here"),
        (["load", "org/hub"], "is not on this machine"),
        (["download", "nothing"], "is no model of the hub"),
    ],
)
async def test_what_can_not_be_done_is_said(
    house: House, arguments: list[str], sentence: str
) -> None:
    status, out, errors = await script("models", *arguments, "--url", house.url)
    assert (status, out) == (1, "")
    assert sentence in errors
