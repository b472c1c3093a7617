"""Who stays in memory and who has to go: for another, in its time, or because someone said so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from support.machine import Factory, Shelf, open_supervisor, phases, use
from support.scripted import ScriptedEngine
from support.waiting import until
from tokenwire.engine import residents
from tokenwire.engine.models import (
    ModelInfo,
    ModelState,
)
from tokenwire.engine.supervisor import Supervisor
from tokenwire.errors import ModelUnavailable


class Slow(ScriptedEngine):
    """An engine that takes its time to end."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = asyncio.Event()

    async def close(self) -> None:
        self.closing.set()
        await self.go.wait()
        await super().close()


class Bad(ScriptedEngine):
    """An engine that does not end well."""

    async def close(self) -> None:
        raise OSError("no such process")


async def test_an_engine_that_does_not_end_well_does_not_end_the_server() -> None:
    factory = Factory()
    async with open_supervisor(factory, max_loaded=1) as supervisor:
        await use(supervisor, "a")
        dead = supervisor._slots.home("a")[0].engine = Bad()  # pyright: ignore[reportPrivateUsage]
        dead.alive = False
        await use(supervisor, "a")
        supervisor._slots.home("a")[0].engine = Bad()  # pyright: ignore[reportPrivateUsage]
        await use(supervisor, "b")

        assert phases(supervisor)["a"] == "unloaded"
        assert supervisor.ready("b") is not None


async def test_the_idle_model_used_longest_ago_makes_room() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:
        await use(supervisor, "a")
        await use(supervisor, "b")
        await use(supervisor, "a")
        await use(supervisor, "c")

        assert phases(supervisor) == {
            "a": "ready",
            "b": "unloaded",
            "c": "ready",
            "broken": "failed",
        }
        assert factory.engines["b"][0].closed


async def test_a_model_in_use_is_never_unloaded_and_who_wants_its_room_is_told() -> None:
    factory, told = Factory(), list[ModelState]()
    async with open_supervisor(factory, max_loaded=1) as supervisor:
        async with supervisor.lease("a"):
            b = supervisor.lease("b", told.append)
            entering = asyncio.ensure_future(b.__aenter__())
            await until(lambda: bool(told) and told[-1].stage == "room")
            assert "a to end" in (told[-1].detail or "")
            assert phases(supervisor)["a"] == "draining"
            assert supervisor.ready("a") is None
            assert not factory.engines["a"][0].closed
            assert factory.started == ["a"]
        await entering
        assert factory.engines["a"][0].closed
        assert phases(supervisor)["a"] == "unloaded"
        await b.__aexit__(None, None, None)


async def test_two_models_that_take_turns_in_one_place_both_get_theirs() -> None:
    factory, order = Factory(), list[str]()

    async def work(model: str) -> None:
        async with supervisor.lease(model):
            order.append(model)
            await asyncio.sleep(0.001)

    async with open_supervisor(factory, max_loaded=1) as supervisor, asyncio.timeout(10):
        await asyncio.gather(*(work(model) for model in "abcabcabc"))

        assert sorted(order) == sorted("abcabcabc")
        assert all(engine.closed for engines in factory.engines.values() for engine in engines[:-1])


async def test_an_unload_waits_for_whoever_holds_it_and_newcomers_have_it_loaded_again() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:
        async with supervisor.lease("a"):
            supervisor.unload("a")
            assert phases(supervisor)["a"] == "draining"
            assert "ended" in (supervisor.state("a").detail or "")
            late = asyncio.create_task(use(supervisor, "a"))
            await asyncio.sleep(0.01)
            assert not factory.engines["a"][0].closed
            assert not late.done()
        await late
        assert factory.engines["a"][0].closed
        assert supervisor.ready("a") is factory.engines["a"][1]
        supervisor.unload("a")
        await until(lambda: phases(supervisor)["a"] == "unloaded")
        supervisor.unload("a")
        assert phases(supervisor)["a"] == "unloaded"


async def test_a_load_keeps_what_was_about_to_be_unloaded() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:
        async with supervisor.lease("a") as engine:
            supervisor.unload("a")
            late = asyncio.create_task(use(supervisor, "a"))
            await asyncio.sleep(0)
            supervisor.load("a")
            assert phases(supervisor)["a"] == "ready"
            await late
        assert supervisor.ready("a") is engine
        assert factory.started == ["a"]


async def test_memory_is_made_by_the_idle_models_used_longest_ago_and_no_more_than_needed() -> None:
    factory = Factory()
    factory.needs = {"a": 40, "b": 40, "c": 50}
    async with open_supervisor(factory, max_loaded=9, memory=100) as supervisor:
        await use(supervisor, "a")
        await use(supervisor, "b")
        assert phases(supervisor)["a"] == "ready"
        await use(supervisor, "c")

        assert (phases(supervisor)["a"], phases(supervisor)["b"]) == ("unloaded", "ready")


async def test_a_model_that_never_fits_is_refused_with_numbers_and_nobody_goes_for_it() -> None:
    factory = Factory()
    factory.needs = {"a": 40, "b": 140}
    async with open_supervisor(factory, memory=100) as supervisor:
        await use(supervisor, "a")
        need = supervisor.state("b").need
        assert need is not None
        assert need.problem == "It needs 140 and 100 are free."
        with pytest.raises(ModelUnavailable, match="needs 140 and 100"):
            await use(supervisor, "b")

        assert phases(supervisor)["a"] == "ready"


async def test_a_model_that_could_not_be_loaded_costs_no_other_its_place() -> None:
    factory = Factory()
    factory.problems = {"b": "model.safetensors is cut off."}
    async with open_supervisor(factory, max_loaded=1) as supervisor:
        await use(supervisor, "a")
        with pytest.raises(ModelUnavailable, match="cut off"):
            await use(supervisor, "b")

        assert phases(supervisor) == {
            "a": "ready",
            "b": "failed",
            "c": "unloaded",
            "broken": "failed",
        }


async def test_a_pinned_model_never_goes_for_another() -> None:
    factory = Factory()
    pinned = ModelInfo(id="p", path="p", pinned=True)
    shelf = Shelf(pinned)
    async with open_supervisor(factory, max_loaded=1, keep=0.0, shelf=shelf) as supervisor:
        await use(supervisor, "p")
        with pytest.raises(ModelUnavailable, match="max_loaded_models"):
            await use(supervisor, "a")

        assert phases(supervisor)["p"] == "ready"


async def test_a_model_that_nobody_uses_goes_when_its_time_is_over() -> None:
    factory = Factory()
    long = ModelInfo(id="long", path="x", keep_alive_s=60.0)
    async with open_supervisor(factory, keep=0.05, shelf=Shelf(long)) as supervisor:
        await use(supervisor, "long")
        async with supervisor.lease("a"):
            await asyncio.sleep(0.1)
            assert phases(supervisor)["a"] == "ready"
        await until(lambda: phases(supervisor)["a"] == "unloaded")
        supervisor.load("a")
        await until(lambda: len(factory.engines["a"]) == 2)
        await until(lambda: phases(supervisor)["a"] == "unloaded")

        assert phases(supervisor)["long"] == "ready"


async def test_two_loads_at_once_make_room_for_each_other() -> None:
    factory = Factory()
    async with open_supervisor(factory, max_loaded=1) as supervisor:
        supervisor.load("a")
        supervisor.load("b")
        await until(lambda: factory.started == ["a", "b"] and supervisor.ready("b") is not None)

        assert phases(supervisor)["a"] == "unloaded"
        assert factory.engines["a"][0].closed


async def test_a_model_that_is_asked_for_while_it_is_unloaded_is_loaded_again() -> None:
    factory = Factory()
    async with open_supervisor(factory, max_loaded=1) as supervisor:
        await use(supervisor, "a")
        slow = supervisor._slots.home("a")[0].engine = Slow()  # pyright: ignore[reportPrivateUsage]
        switching = asyncio.create_task(use(supervisor, "b"))
        await slow.closing.wait()
        assert phases(supervisor)["a"] == "draining"
        heard: list[tuple[str, str]] = []
        supervisor.subscribe(lambda state: heard.append((state.info.id, state.phase)))
        back = asyncio.create_task(use(supervisor, "a"))
        await asyncio.sleep(0)
        slow.go.set()
        await asyncio.gather(switching, back)

        assert slow.closed
        assert supervisor.ready("a") is not None
        # It was loading again before it had gone.
        assert next(phase for model, phase in heard if model == "a") == "loading"


async def test_who_wants_room_is_told_of_the_model_that_goes() -> None:
    factory, told = Factory(), list[ModelState]()
    async with open_supervisor(factory, max_loaded=2) as supervisor:
        async with supervisor.lease("a"):
            async with supervisor.lease("b"):
                await use(supervisor, "a")
                # Both are in use; b was used longest ago.
                c = supervisor.lease("c", told.append)
                entering = asyncio.ensure_future(c.__aenter__())
                await until(lambda: bool(told) and told[-1].stage == "room")
                assert "answers of b to end" in (told[-1].detail or "")
                assert (phases(supervisor)["b"], phases(supervisor)["a"]) == ("draining", "ready")
            await entering
            await c.__aexit__(None, None, None)


@asynccontextmanager
async def waiting_for_room(supervisor: Supervisor, model: str) -> AsyncGenerator[None]:
    """While this is open, it is wanted, and waits until others have answered."""
    told = list[ModelState]()
    lease = supervisor.lease(model, told.append)
    entering = asyncio.ensure_future(lease.__aenter__())
    await until(lambda: bool(told) and told[-1].stage == "room")
    yield
    await entering
    await lease.__aexit__(None, None, None)


async def test_a_model_that_fits_does_not_wait_behind_one_that_waits_for_room() -> None:
    factory = Factory()
    factory.needs = {"a": 60, "b": 60, "c": 40}
    async with open_supervisor(factory, max_loaded=9, memory=100) as supervisor:
        a = supervisor.lease("a")
        await a.__aenter__()
        async with waiting_for_room(supervisor, "b"):
            await use(supervisor, "c")
            assert (phases(supervisor)["a"], phases(supervisor)["b"]) == ("draining", "loading")
            await a.__aexit__(None, None, None)

        assert factory.started == ["a", "c", "b"]
        assert phases(supervisor)["c"] == "ready"


async def test_nobody_takes_the_room_that_another_waits_for() -> None:
    factory = Factory()
    factory.needs = {"a": 50, "b": 80, "c": 30}
    async with open_supervisor(factory, max_loaded=9, memory=100) as supervisor:
        a = supervisor.lease("a")
        await a.__aenter__()
        async with waiting_for_room(supervisor, "b"):
            last = asyncio.create_task(use(supervisor, "c"))
            await until(lambda: phases(supervisor)["c"] == "loading")
            await a.__aexit__(None, None, None)
            await until(lambda: "b" in factory.started)
        await last

        assert factory.started == ["a", "b", "c"]
        assert (phases(supervisor)["b"], phases(supervisor)["c"]) == ("unloaded", "ready")


async def test_who_waits_no_more_holds_nobody_up() -> None:
    factory = Factory()
    factory.needs = {"a": 50, "b": 80, "c": 30}
    async with open_supervisor(factory, max_loaded=9, memory=100) as supervisor:
        async with supervisor.lease("a"):
            supervisor.load("b")
            await until(lambda: supervisor.state("b").stage == "room")
            last = asyncio.create_task(use(supervisor, "c"))
            await until(lambda: phases(supervisor)["c"] == "loading")
            await supervisor.cancel("b")
            await last

            assert factory.started == ["a", "c"]


async def test_who_never_fits_is_told_so_before_its_turn() -> None:
    factory = Factory()
    factory.needs = {"a": 50, "b": 80, "c": 130}
    async with open_supervisor(factory, max_loaded=9, memory=100) as supervisor:
        async with supervisor.lease("a"):
            supervisor.load("b")
            await until(lambda: supervisor.state("b").stage == "room")
            with pytest.raises(ModelUnavailable, match="needs 130 and 100"):
                await use(supervisor, "c")


async def test_a_model_that_has_begun_to_go_can_be_loaded_again_at_once() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:
        await use(supervisor, "a")
        supervisor.unload("a")
        supervisor.load("a")
        await until(lambda: phases(supervisor)["a"] == "ready")

        assert [engine.closed for engine in factory.engines["a"]] == [True, False]


async def test_a_timer_that_comes_a_little_early_unloads_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As uvloop's do, whose clock stands still for as long as the loop is busy."""
    factory = Factory()
    async with open_supervisor(factory, keep=0.01) as supervisor:
        monkeypatch.setattr(residents, "time", SimpleNamespace(monotonic=lambda: 1.0))
        await use(supervisor, "a")
        await until(lambda: phases(supervisor)["a"] == "unloaded")
