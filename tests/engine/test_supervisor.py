"""The supervisor: loading on demand, leases, deaths, and who has to go when there is no room."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from support.machine import Factory, Shelf, open_supervisor, phases, use
from support.waiting import until
from tokenwire.engine import supervisor as room
from tokenwire.engine.base import UNKNOWN
from tokenwire.engine.models import (
    DownloadStopped,
    ModelInfo,
    ModelState,
    Stage,
    Transfer,
)
from tokenwire.errors import EngineDead, InvalidRequest, ModelUnavailable


async def test_nothing_is_loaded_until_it_is_asked_for() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:
        assert phases(supervisor) == {
            "a": "unloaded",
            "b": "unloaded",
            "c": "unloaded",
            "broken": "failed",
        }
        assert supervisor.ready("a") is None
        assert factory.started == []


async def test_what_a_model_can_do_is_known_for_sure_when_it_is_loaded() -> None:
    async with open_supervisor(Factory()) as supervisor:
        assert supervisor.state("a").info.capabilities == UNKNOWN
        assert supervisor.state("a").info.sampling is None
        async with supervisor.lease("a") as engine:
            assert supervisor.state("a").info.capabilities == engine.limits.capabilities
            assert engine.limits.capabilities.tools
            assert supervisor.state("a").info.sampling == engine.limits.defaults


async def test_a_lease_loads_the_model_and_tells_each_stage() -> None:
    factory, stages = Factory(), list[tuple[str, str | None, float | None]]()

    def heard(state: ModelState) -> None:
        stages.append((state.phase, state.stage, state.progress))

    async with open_supervisor(factory) as supervisor:
        async with supervisor.lease("a", heard) as engine:
            assert engine is supervisor.ready("a")
        assert stages == [
            ("loading", "queued", None),
            ("loading", "weights", 0.5),
            ("ready", None, None),
        ]
        assert supervisor.state("a").info.context_length == 777


async def test_who_comes_while_it_loads_is_told_the_stage_at_once() -> None:
    factory, stages = Factory(), list[str | None]()
    factory.go.clear()
    async with open_supervisor(factory) as supervisor:
        supervisor.load("a")
        await factory.starting.wait()
        late = supervisor.lease("a", lambda state: stages.append(state.stage))
        entering = asyncio.ensure_future(late.__aenter__())
        await until(lambda: stages == ["weights"])
        factory.go.set()
        await entering
        await late.__aexit__(None, None, None)


async def test_several_who_wait_share_one_load() -> None:
    factory = Factory()
    factory.go.clear()
    async with open_supervisor(factory) as supervisor:
        waiting = [asyncio.create_task(use(supervisor, "a")) for _ in range(5)]
        supervisor.load("a")
        await factory.starting.wait()
        factory.go.set()
        await asyncio.gather(*waiting)

        assert factory.started == ["a"]


async def test_one_who_leaves_does_not_stop_the_load_for_the_others() -> None:
    factory = Factory()
    factory.go.clear()
    async with open_supervisor(factory) as supervisor:
        impatient = asyncio.create_task(use(supervisor, "a"))
        patient = asyncio.create_task(use(supervisor, "a"))
        await factory.starting.wait()
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        factory.go.set()
        await patient

        assert (factory.started, factory.cancelled) == (["a"], [])


async def test_a_load_goes_on_when_everyone_has_left() -> None:
    factory = Factory()
    factory.go.clear()
    async with open_supervisor(factory) as supervisor:
        impatient = asyncio.create_task(use(supervisor, "a"))
        await factory.starting.wait()
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        factory.go.set()
        await until(lambda: supervisor.ready("a") is not None)


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        (ModelUnavailable("There is no memory for it."), "There is no memory for it."),
        (ValueError("bad shape"), "bad shape"),
        (ValueError(), "ValueError"),
    ],
)
async def test_a_load_that_fails_says_why_to_everyone(wrong: Exception, detail: str) -> None:
    factory = Factory()
    factory.fail = wrong
    async with open_supervisor(factory) as supervisor:
        results = await asyncio.gather(
            *(use(supervisor, "a") for _ in range(3)), return_exceptions=True
        )

        assert [type(result) for result in results] == [ModelUnavailable] * 3
        assert {str(result) for result in results} == {detail}
        state = supervisor.state("a")
        assert (state.phase, state.detail) == ("failed", detail)


async def test_a_load_that_failed_is_not_tried_again_at_once_but_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    factory = Factory()
    factory.fail = ModelUnavailable("No.")
    async with open_supervisor(factory) as supervisor:
        for _ in range(3):
            with pytest.raises(ModelUnavailable):
                await use(supervisor, "a")
        assert factory.started == ["a"]
        factory.fail = None
        monkeypatch.setattr(room, "RETRY_FAILED_AFTER_S", 0.0)
        await use(supervisor, "a")

        assert phases(supervisor)["a"] == "ready"


async def test_a_person_may_try_a_failed_load_again_at_once() -> None:
    factory = Factory()
    factory.fail = ModelUnavailable("No.")
    async with open_supervisor(factory) as supervisor:
        with pytest.raises(ModelUnavailable):
            await use(supervisor, "a")
        factory.fail = None
        supervisor.load("a")
        await until(lambda: supervisor.ready("a") is not None)


async def test_a_model_with_a_problem_is_never_loaded() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:
        supervisor.load("broken")
        with pytest.raises(ModelUnavailable, match="tokenizer"):
            await use(supervisor, "broken")

        assert factory.started == []


async def test_an_engine_that_dies_in_use_is_buried_and_the_next_one_started() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:

        async def suffer() -> None:
            async with supervisor.lease("a"):
                factory.engines["a"][0].alive = False
                raise EngineDead("It died.")

        with pytest.raises(EngineDead):
            await suffer()
        await until(lambda: supervisor.ready("a") is not None)

        first, second = factory.engines["a"]
        assert first.closed
        assert supervisor.ready("a") is second


async def test_several_who_see_one_death_start_one_engine() -> None:
    factory = Factory()
    died = asyncio.Event()
    async with open_supervisor(factory) as supervisor:

        async def suffer() -> None:
            async with supervisor.lease("a"):
                await died.wait()
                raise EngineDead("It died.")

        suffering = [asyncio.create_task(suffer()) for _ in range(3)]
        await until(lambda: supervisor.ready("a") is not None)
        await asyncio.sleep(0)
        factory.engines["a"][0].alive = False
        died.set()
        results = await asyncio.gather(*suffering, return_exceptions=True)
        await until(lambda: supervisor.ready("a") is not None)

        assert [type(result) for result in results] == [EngineDead] * 3
        assert factory.started == ["a", "a"]


async def test_an_engine_that_died_unnoticed_is_not_ready_and_the_next_one_is_started() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:
        await use(supervisor, "a")
        factory.engines["a"][0].alive = False
        assert supervisor.ready("a") is None
        async with supervisor.lease("a") as engine:
            assert engine is factory.engines["a"][1]


async def test_a_load_that_is_cancelled_says_so_to_whoever_waits() -> None:
    factory = Factory()
    factory.go.clear()
    async with open_supervisor(factory) as supervisor:
        waiting = asyncio.create_task(use(supervisor, "a"))
        await factory.starting.wait()
        await supervisor.cancel("a")
        (result,) = await asyncio.gather(waiting, return_exceptions=True)

        assert isinstance(result, ModelUnavailable)
        assert "cancelled" in str(result)
        assert phases(supervisor)["a"] == "unloaded"
        factory.go.set()
        await use(supervisor, "a")


async def test_what_is_cancelled_before_it_began_can_be_begun_again() -> None:
    factory, shelf = Factory(), Shelf()
    async with open_supervisor(factory, shelf=shelf) as supervisor:
        supervisor.load("a")
        await supervisor.cancel("a")
        assert phases(supervisor)["a"] == "unloaded"
        await use(supervisor, "a")
        supervisor.download("new/one")
        state = await supervisor.cancel("new/one")
        assert state.phase == "absent"
        supervisor.download("new/one")
        await until(lambda: phases(supervisor)["new/one"] == "unloaded")


HUB = ModelInfo(id="org/hub", path="", source="hub", size_bytes=100)


async def test_a_model_that_is_not_here_is_refused_until_it_is_fetched() -> None:
    factory, shelf = Factory(), Shelf(HUB)
    async with open_supervisor(factory, shelf=shelf) as supervisor:
        assert phases(supervisor)["org/hub"] == "absent"
        with pytest.raises(ModelUnavailable, match="download"):
            supervisor.load("org/hub")
        with pytest.raises(ModelUnavailable, match="download"):
            await use(supervisor, "org/hub")
        assert (factory.started, shelf.fetched) == ([], [])
        heard: list[tuple[str, float | None]] = []
        supervisor.subscribe(lambda state: heard.append((state.phase, state.progress)))
        assert supervisor.download("org/hub").info.id == "org/hub"
        await until(lambda: phases(supervisor)["org/hub"] == "unloaded")

        assert heard == [("downloading", None), ("downloading", 0.5), ("unloaded", None)]
        assert supervisor.state("org/hub").transfer is None
        await use(supervisor, "org/hub")
        assert supervisor.download("org/hub").info.id == "org/hub"
        assert shelf.fetched == ["org/hub"]


async def test_who_asks_for_it_meanwhile_waits_for_the_download_and_the_load() -> None:
    factory, shelf = Factory(), Shelf()
    shelf.go.clear()
    async with open_supervisor(factory, shelf=shelf) as supervisor:
        supervisor.download("new/model", then_load=True)
        await shelf.begun.wait()
        told: list[ModelState] = []
        waiting = supervisor.lease("new/model", told.append)
        entering = asyncio.ensure_future(waiting.__aenter__())
        await until(lambda: bool(told))
        assert (told[0].phase, told[0].progress) == ("downloading", 0.5)
        shelf.go.set()
        await entering
        await waiting.__aexit__(None, None, None)

        assert [state.phase for state in told][-1] == "ready"


async def test_a_download_that_stops_says_why_and_goes_on_when_asked() -> None:
    factory, shelf = Factory(), Shelf(HUB)
    shelf.stop = DownloadStopped("The disk is full.")
    async with open_supervisor(factory, shelf=shelf) as supervisor:
        supervisor.download("org/hub")
        await until(lambda: phases(supervisor)["org/hub"] == "paused")
        assert supervisor.state("org/hub").detail == "The disk is full."
        await supervisor.refresh()
        assert phases(supervisor)["org/hub"] == "paused"
        shelf.stop = None
        supervisor.download("org/hub")
        await until(lambda: phases(supervisor)["org/hub"] == "unloaded")
        assert supervisor.state("org/hub").detail is None


async def test_a_stopped_download_tells_what_is_left_of_it() -> None:
    """Not what it had told: what was found wrong is there no more."""
    shelf, left = Shelf(HUB), Transfer(20, 100)
    shelf.stop = DownloadStopped("A file is wrong.")
    shelf.infos["org/hub"] = replace(HUB, half=left)
    async with open_supervisor(Factory(), shelf=shelf) as supervisor:
        for _ in range(2):
            told = list[Transfer | None]()
            unsubscribe = supervisor.subscribe(lambda state, told=told: told.append(state.transfer))
            supervisor.download("org/hub")
            await until(lambda told=told: Transfer(50, 100, 10.0, 5.0) in told)
            await until(lambda: supervisor.state("org/hub").transfer == left)
            unsubscribe()
            assert supervisor.state("org/hub").detail == "A file is wrong."


async def test_a_cancelled_download_leaves_nothing() -> None:
    factory, shelf = Factory(), Shelf(HUB)
    shelf.go.clear()
    async with open_supervisor(factory, shelf=shelf) as supervisor:
        for name in ("org/hub", "someones/else"):
            shelf.begun.clear()
            supervisor.download(name)
            await shelf.begun.wait()
            await supervisor.cancel(name)
        await supervisor.cancel("a")

        assert shelf.discarded == ["org/hub", "someones/else"]
        assert phases(supervisor)["org/hub"] == "absent"
        assert "someones/else" not in phases(supervisor)


@pytest.mark.parametrize("name", ["gpt", "a/b/c", "../etc/passwd", "https://x/y", "org/", ""])
async def test_what_is_no_repository_is_not_asked_for(name: str) -> None:
    shelf = Shelf()
    async with open_supervisor(Factory(), shelf=shelf) as supervisor:
        if name:
            with pytest.raises(InvalidRequest, match="Qwen") as refused:
                supervisor.download(name)
            assert refused.value.param == "model"
        else:
            assert supervisor.download(name).info.id == "a"
        assert shelf.fetched == []


async def test_closing_ends_every_engine_and_loads_no_more() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:
        await use(supervisor, "a")
        await use(supervisor, "b")
        await supervisor.close()
        supervisor.load("c")

        assert [factory.engines[name][0].closed for name in ("a", "b")] == [True, True]
        assert factory.started == ["a", "b"]
        with pytest.raises(ModelUnavailable):
            await use(supervisor, "a")


async def test_closing_stops_a_load_and_whoever_waits_for_it() -> None:
    factory = Factory()
    factory.go.clear()
    async with open_supervisor(factory) as supervisor:
        waiting = asyncio.create_task(use(supervisor, "a"))
        await factory.starting.wait()
        await supervisor.close()
        (result,) = await asyncio.gather(waiting, return_exceptions=True)

        assert isinstance(result, ModelUnavailable)
        assert factory.cancelled == ["a"]
        assert phases(supervisor)["a"] == "unloaded"


async def test_who_released_a_lease_hears_no_more() -> None:
    heard: list[str] = []
    async with open_supervisor(Factory()) as supervisor:
        async with supervisor.lease("a", lambda state: heard.append(state.phase)):
            pass
        before = len(heard)
        await supervisor.close()

    assert len(heard) == before


RECOVERING = Stage("recovering", detail="The engine process ended; starting another")


async def test_a_running_answer_hears_of_a_recovery_and_its_end() -> None:
    factory, heard = Factory(), list[tuple[str, str | None, float | None, str | None]]()

    def told(state: ModelState) -> None:
        heard.append((state.phase, state.stage, state.progress, state.detail))

    async with open_supervisor(factory) as supervisor:
        async with supervisor.lease("a", told):
            heard.clear()
            for stage in (RECOVERING, Stage("weights", 0.5, "Loading weights"), Stage("ready")):
                factory.tell(stage)
        assert heard == [
            ("recovering", "recovering", None, RECOVERING.detail),
            ("recovering", "weights", 0.5, "Loading weights"),
            ("ready", None, None, None),
        ]


async def test_a_recovering_engine_still_takes_answers() -> None:
    factory, heard = Factory(), list[str]()
    async with open_supervisor(factory) as supervisor:
        await use(supervisor, "a")
        factory.tell(RECOVERING)
        engine = supervisor.ready("a")
        assert engine is factory.engines["a"][0]
        async with supervisor.lease("a", lambda state: heard.append(state.phase)) as leased:
            assert leased is engine
            assert heard == ["recovering"]
        assert factory.started == ["a"]


async def test_a_stage_that_comes_late_does_not_undo_ready() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:
        await use(supervisor, "a")
        factory.tell(Stage("weights", 1.0))
        state = supervisor.state("a")
        assert (state.phase, state.stage) == ("ready", None)


async def test_an_engine_that_is_gone_says_nothing_of_its_model() -> None:
    factory = Factory()
    async with open_supervisor(factory, max_loaded=1) as supervisor:
        await use(supervisor, "a")
        tell = factory.tell
        await use(supervisor, "b")
        for stage in (RECOVERING, Stage("weights"), Stage("ready"), Stage("dead")):
            tell(stage)
        assert phases(supervisor)["a"] == "unloaded"


@pytest.mark.parametrize("told", [True, False])
async def test_an_engine_that_died_while_recovering_is_buried_by_whoever_comes(
    *, told: bool
) -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:
        await use(supervisor, "a")
        factory.tell(RECOVERING)
        factory.engines["a"][0].alive = False
        if told:
            factory.tell(Stage("dead"))
            # Nobody wants it: to start it again and again would be for no one.
            assert phases(supervisor)["a"] == "unloaded"
        assert supervisor.ready("a") is None
        assert factory.started == ["a"]
        await use(supervisor, "a")
        assert factory.started == ["a", "a"]


async def test_an_engine_that_is_given_up_in_use_is_started_again() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:

        async def suffer() -> None:
            async with supervisor.lease("a"):
                factory.tell(RECOVERING)
                factory.engines["a"][0].alive = False
                factory.tell(Stage("dead"))
                raise EngineDead("It died.")

        with pytest.raises(EngineDead):
            await suffer()
        await until(lambda: supervisor.ready("a") is not None)
        assert factory.started == ["a", "a"]


async def test_an_answer_that_fails_alone_leaves_the_engine_to_the_others() -> None:
    factory = Factory()
    async with open_supervisor(factory) as supervisor:

        async def suffer() -> None:
            async with supervisor.lease("a"):
                raise EngineDead("It was to blame.")

        with pytest.raises(EngineDead):
            await suffer()
        assert supervisor.ready("a") is factory.engines["a"][0]
