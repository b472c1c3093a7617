"""The list of models: by which names they are found, what the disk changes, what is told of it."""

from __future__ import annotations

import asyncio
import time

import pytest

from support.machine import Factory, Shelf, open_supervisor, phases, use
from support.waiting import until
from tokenwire.engine.models import (
    ModelInfo,
)
from tokenwire.errors import ModelNotFound


async def test_a_folder_that_appears_is_listed_and_one_that_goes_is_not() -> None:
    factory, shelf = Factory(), Shelf()
    async with open_supervisor(factory, shelf=shelf) as supervisor:
        await use(supervisor, "b")
        shelf.infos["new"] = ModelInfo(id="new", path="new")
        del shelf.infos["b"], shelf.infos["c"]
        shelf.infos["broken"] = ModelInfo(id="broken", path="x")
        await supervisor.refresh()

        assert phases(supervisor) == {
            "a": "unloaded",
            "b": "ready",  # in use or not, it is loaded
            "broken": "unloaded",
            "new": "unloaded",
        }


async def test_a_model_answers_to_its_other_names() -> None:
    shelf = Shelf(ModelInfo(id="long/name-4b", path="x", aliases=("small",)))
    async with open_supervisor(Factory(), shelf=shelf) as supervisor:
        assert supervisor.resolve("small") == "long/name-4b"
        assert supervisor.resolve(None) == "a"
        with pytest.raises(ModelNotFound):
            supervisor.resolve("large")


async def test_an_adapter_lives_in_its_base_model() -> None:
    factory = Factory()
    shelf = Shelf(ModelInfo(id="a:pirate", path="x", base="a", source="adapter"))
    async with open_supervisor(factory, shelf=shelf) as supervisor:
        assert supervisor.resolve("a:pirate") == "a:pirate"
        heard: list[tuple[str, str]] = []
        supervisor.subscribe(lambda state: heard.append((state.info.id, state.phase)))
        async with supervisor.lease("a:pirate"):
            assert supervisor.state("a:pirate").phase == "ready"
            assert not supervisor.state("a:pirate").is_default
            assert supervisor.state("a:pirate").info.context_length == 777
            assert supervisor.ready("a:pirate") is not None
        assert factory.started == ["a"]
        assert factory.engines["a"][0].adapters == ["pirate", "pirate"]
        assert ("a:pirate", "ready") in heard
        assert ("a", "ready") in heard
        await supervisor.refresh()
        del shelf.infos["a:pirate"]
        await supervisor.refresh()
        assert "a:pirate" not in phases(supervisor)


async def test_listeners_hear_of_every_model_until_they_stop() -> None:
    heard: list[tuple[str, str]] = []
    async with open_supervisor(Factory()) as supervisor:
        stop = supervisor.subscribe(lambda state: heard.append((state.info.id, state.phase)))
        await use(supervisor, "a")
        stop()
        await use(supervisor, "b")

    assert heard[-1] == ("a", "ready")
    assert {model for model, _ in heard} == {"a"}


async def test_a_model_is_named_by_its_id_and_the_default_one_by_nothing() -> None:
    async with open_supervisor(Factory()) as supervisor:
        assert supervisor.default == "a"
        assert [supervisor.resolve(name) for name in (None, "", "b")] == ["a", "a", "b"]
        with pytest.raises(ModelNotFound) as caught:
            supervisor.resolve("nonsense")
        assert caught.value.param == "model"
        assert [state.is_default for state in supervisor.states()] == [True, False, False, False]


async def test_a_broken_adapter_is_told_apart_from_its_model() -> None:
    broken = ModelInfo(id="a:x", path="x", base="a", source="adapter", problem="It is not there.")
    async with open_supervisor(Factory(), shelf=Shelf(broken)) as supervisor:
        await use(supervisor, "a")
        state = supervisor.state("a:x")

        assert (supervisor.state("a").phase, state.phase) == ("ready", "failed")
        assert state.detail == "It is not there."


async def test_a_model_that_went_after_its_name_was_resolved_is_not_found() -> None:
    shelf = Shelf()
    async with open_supervisor(Factory(), shelf=shelf) as supervisor:
        model = supervisor.resolve("b")
        del shelf.infos["b"]
        await supervisor.refresh()
        with pytest.raises(ModelNotFound, match="'b'"):
            await use(supervisor, model)


@pytest.mark.parametrize("wrong", [OSError("The disk is gone."), LookupError("No model.")])
async def test_a_disk_that_can_not_be_looked_at_changes_nothing(wrong: Exception) -> None:
    class Failing(Shelf):
        def models(self) -> list[ModelInfo]:
            if self.fetched:
                raise wrong
            return super().models()

    shelf = Failing()
    async with open_supervisor(Factory(), shelf=shelf) as supervisor:
        before = phases(supervisor)
        shelf.fetched.append("")
        await supervisor.refresh()
        assert phases(supervisor) == before


async def test_what_an_older_look_saw_does_not_undo_a_newer_one() -> None:
    class Slow(Shelf):
        slow = False

        def models(self) -> list[ModelInfo]:
            seen = super().models()
            if self.slow:
                self.slow = False
                time.sleep(0.1)
            return seen

    shelf = Slow()
    async with open_supervisor(Factory(), shelf=shelf) as supervisor:
        shelf.slow = True
        older = asyncio.create_task(supervisor.refresh())
        await until(lambda: not shelf.slow)
        shelf.infos["new"] = ModelInfo(id="new", path="new")
        await supervisor.refresh()
        await older
        assert "new" in phases(supervisor)
