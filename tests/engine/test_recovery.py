"""The client that outlives its engine: what the next engine gets, who is told what, who is blamed,
and when it is given up. The engines are scripted; vLLM is here for its values only."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from vllm.v1.engine import FinishReason
from vllm.v1.engine.core_client import EngineCoreClient
from vllm.v1.engine.exceptions import EngineDeadError

from support.core import POLICY, Cores, ScriptedCore, open_cores, request, resumed
from support.waiting import until
from tokenwire.engine.core import engine_cores_from
from tokenwire.engine.ledger import RecoveryPolicy
from tokenwire.engine.recovery import BLAMED, IMAGES


async def suspects(cores: Cores, *ids: str, also: tuple[str, ...] = ()) -> ScriptedCore:
    """Let `ids` be in two deaths without a word, and `also` come after the first. Returns the
    engine in which the first of them is alone.
    """
    for id in ids:
        await cores.client.add_request_async(request(id))
    await cores.kill()
    for id in also:
        await cores.client.add_request_async(request(id))
        cores.all[-1].say(id, 1)
        await cores.hear(id, 1)
    return await cores.kill()


class TestAnEngineThatDies:
    async def test_its_requests_go_on_in_the_next_from_their_tokens(self) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a"))
            await cores.client.add_request_async(request("b"))
            first = cores.all[0]
            first.say("a", 7, 8)
            await cores.hear("a", 7, 8)
            second = await cores.kill()

            assert resumed(first) == {"a": [], "b": []}
            assert resumed(second) == {"a.1": [7, 8], "b.1": []}
            second.say("a.1", 9)
            await cores.hear("a", 7, 8, 9)
            assert not cores.reading.done()

    async def test_what_it_said_before_it_died_counts(self) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a"))
            cores.all[0].say("a", 7)
            cores.all[0].say("a", 8)
            assert resumed(await cores.kill()) == {"a.1": [7, 8]}
            assert cores.ids("a") == [7, 8]

    async def test_the_original_request_is_what_goes_on_at_each_death(self) -> None:
        async with open_cores() as cores:
            mine = request("a", other=5)
            await cores.client.add_request_async(mine)
            for number, token in enumerate((7, 8, 9)):
                cores.all[-1].say(f"a.{number}" if number else "a", token)
                await cores.hear("a", *range(7, token + 1))
                await cores.kill()

            last = cores.all[-1].added[0]
            assert resumed(cores.all[-1]) == {"a.3": [7, 8, 9]}
            assert last.sampling_params is not None
            assert last.sampling_params.extra_args == {"other": 5, "resume_ids": [7, 8, 9]}
            assert last.sampling_params.prompt_logprobs is None
            assert (last.prompt_token_ids, last.sampling_params.max_tokens) == ([1, 2, 3], 100)
            assert mine.sampling_params is not None
            assert mine.sampling_params.extra_args == {"other": 5}
            assert mine.sampling_params.prompt_logprobs == 1

    async def test_an_answer_that_was_taken_up_keeps_what_it_had(self) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a", resume_ids=[4, 5]))
            assert resumed(cores.all[0]) == {"a": [4, 5]}
            cores.all[0].say("a", 6)
            await cores.hear("a", 6)
            assert resumed(await cores.kill()) == {"a.1": [4, 5, 6]}

    async def test_an_answer_that_has_ended_does_not_go_on(self) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a"))
            await cores.client.add_request_async(request("b"))
            cores.all[0].say("a", 7, finish=FinishReason.STOP)
            await cores.hear("a", 7)
            assert resumed(await cores.kill()) == {"b.1": []}

    async def test_any_error_of_its_client_is_its_death(self) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a"))
            cores.all[0].outputs_queue.put_nowait(ValueError("not msgpack"))
            assert resumed(await cores.next()) == {"a.1": []}
            assert cores.all[0].ended
            assert cores.all[0].process.joined

    async def test_an_idle_engine_is_replaced_too(self) -> None:
        async with open_cores() as cores:
            await cores.kill()
            await until(lambda: cores.stages == ["recovering", "ready"])

    async def test_it_is_told_on_the_loop_and_started_in_the_engine_thread(self) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a"))
            await cores.kill()
            await until(lambda: cores.stages == ["recovering", "ready"])
            assert cores.told_in == {threading.current_thread()}
            assert cores.threads[1:] == ["engine_0"]

    async def test_ready_is_told_when_all_are_back(self) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a"))
            cores.go.clear()
            cores.all[0].die()
            await until(lambda: cores.stages == ["recovering"])
            cores.go.set()
            await until(lambda: len(cores.stages) == 2)
            assert cores.all[1].names == ["a.1"]

    async def test_vllm_sees_no_death(self) -> None:
        async with open_cores() as cores:
            cores.go.clear()
            cores.all[0].die()
            await until(lambda: cores.stages == ["recovering"])
            assert not cores.client.resources.engine_dead
            assert cores.client.label == "scripted"


class TestWhileThereIsNoEngine:
    async def test_a_new_request_waits_for_the_next_one(self) -> None:
        async with open_cores() as cores:
            cores.go.clear()
            cores.all[0].die()
            await until(lambda: cores.stages == ["recovering"])
            await cores.client.add_request_async(request("late"))
            cores.go.set()
            assert (await cores.next()).names == ["late"]

    async def test_an_abort_is_honoured(self) -> None:
        async with open_cores() as cores:
            for id in ("a", "b"):
                await cores.client.add_request_async(request(id))
            cores.go.clear()
            cores.all[0].die()
            await until(lambda: cores.stages == ["recovering"])
            await cores.client.abort_requests_async(["a"])
            cores.go.set()
            assert (await cores.next()).names == ["b.1"]
            assert cores.all[0].sent == [("add", "a"), ("add", "b")]

    async def test_a_request_to_an_engine_whose_death_is_not_noticed_goes_to_the_next(self) -> None:
        async with open_cores() as cores:
            cores.all[0].resources.engine_dead = True
            await cores.client.add_request_async(request("a"))
            assert (await cores.kill()).names == ["a.1"]

    async def test_a_request_that_cannot_be_sent_is_refused_and_forgotten(self) -> None:
        async with open_cores() as cores:
            cores.all[0].fails = TypeError("can't be packed")
            with pytest.raises(TypeError):
                await cores.client.add_request_async(request("a"))
            await cores.client.abort_requests_async(["a"])
            cores.all[0].fails = None
            await cores.client.add_request_async(request("b"))
            assert (await cores.kill()).names == ["b.1"]

    async def test_who_comes_and_leaves_while_the_others_are_given_back(self) -> None:
        async with open_cores() as cores:
            for id in ("a", "b", "c"):
                await cores.client.add_request_async(request(id))
            cores.go.clear()
            cores.all[0].die()
            await until(lambda: cores.stages == ["recovering"])
            start = cores.start

            def slow() -> ScriptedCore:
                core = start()
                core.takes.clear()
                return core

            cores.client._core._start = slow  # pyright: ignore[reportPrivateUsage]
            cores.go.set()
            second = await cores.next()
            assert second.names == ["a.1"]
            await cores.client.abort_requests_async(["a", "b"])
            await cores.client.add_request_async(request("late"))
            assert "ready" not in cores.stages
            second.takes.set()
            await until(lambda: "ready" in cores.stages)
            assert second.sent == [
                ("add", "a.1"),
                ("abort", "a.1"),
                ("add", "c.1"),
                ("add", "late"),
            ]

    async def test_an_engine_that_dies_while_it_is_filled_is_replaced(self) -> None:
        async with open_cores() as cores:
            for id in ("a", "b"):
                await cores.client.add_request_async(request(id))
            start = cores.start

            def stillborn() -> ScriptedCore:
                core = start()
                if len(cores.all) == 2:
                    core.die()
                return core

            cores.client._core._start = stillborn  # pyright: ignore[reportPrivateUsage]
            cores.all[0].die()
            await until(lambda: cores.stages[-1:] == ["ready"])
            assert [core.names for core in cores.all] == [["a", "b"], [], ["a.2", "b.1"]]


class TestUtilities:
    async def test_one_that_waits_at_the_death_fails(self) -> None:
        async with open_cores() as cores:
            asking = asyncio.ensure_future(cores.client.call_utility_async("list_loras"))
            await until(lambda: cores.all[0].called == [("list_loras",)])
            await cores.kill()
            with pytest.raises(EngineDeadError):
                await asking

    async def test_a_later_one_waits_for_the_next_engine(self) -> None:
        async with open_cores() as cores:
            cores.go.clear()
            cores.all[0].die()
            await until(lambda: cores.stages == ["recovering"])
            asking = asyncio.ensure_future(cores.client.call_utility_async("list_loras"))
            await asyncio.sleep(0)
            cores.go.set()
            second = await cores.next()
            await until(lambda: second.called == [("list_loras",)])
            second.answer([3])
            assert await asking == [3]
            assert cores.all[0].called == []

    async def test_it_does_not_wait_for_ever(self) -> None:
        async with open_cores(RecoveryPolicy(utility_s=0.001)) as cores:
            cores.go.clear()
            cores.all[0].die()
            await until(lambda: cores.stages == ["recovering"])
            with pytest.raises(TimeoutError):
                await cores.client.call_utility_async("list_loras")

    async def test_settling_asks_the_engine(self) -> None:
        async with open_cores() as cores:
            settling = asyncio.ensure_future(cores.client.settle())
            await until(lambda: cores.all[0].called == [("is_scheduler_paused",)])
            assert not settling.done()
            cores.all[0].answer(False)
            await settling

    async def test_settling_ends_with_the_engine(self) -> None:
        async with open_cores() as cores:
            settling = asyncio.ensure_future(cores.client.settle())
            await until(lambda: len(cores.all[0].called) == 1)
            await cores.kill()
            await settling

    async def test_a_dead_engine_has_nothing_to_settle(self) -> None:
        async with open_cores() as cores:
            cores.go.clear()
            # Given up, though its client believes that it lives.
            cores.all[0].outputs_queue.put_nowait(ValueError("not msgpack"))
            await until(lambda: len(cores.threads) == 2)
            cores.all[0].resources.engine_dead = False
            await cores.client.settle()
            assert [core.called for core in cores.all] == [[]]


class TestTheBudget:
    async def test_beyond_it_the_death_goes_through(self) -> None:
        async with open_cores(RecoveryPolicy(starts=2, backoff_s=0.0)) as cores:
            await cores.client.add_request_async(request("a"))
            await cores.kill()
            cores.all[-1].say("a.1", 1)
            await cores.hear("a", 1)
            await cores.kill()
            cores.all[-1].die()
            with pytest.raises(EngineDeadError):
                await cores.reading
            assert len(cores.all) == 3
            assert cores.client.resources.engine_dead
            assert cores.stages[-2:] == ["recovering", "dead"]
            with pytest.raises(EngineDeadError):
                await cores.client.add_request_async(request("late"))

    async def test_a_start_that_fails_is_one_too(self) -> None:
        async with open_cores(RecoveryPolicy(starts=3, backoff_s=0.0)) as cores:
            cores.fail = [OSError("no memory")] * 2
            await cores.client.add_request_async(request("a"))
            second = await cores.kill()
            assert (len(cores.threads), second.names) == (4, ["a.1"])
            second.die()
            with pytest.raises(EngineDeadError):
                await cores.reading

    async def test_who_waits_for_an_engine_hears_that_there_is_none(self) -> None:
        async with open_cores(RecoveryPolicy(starts=1, backoff_s=0.0)) as cores:
            cores.go.clear()
            cores.fail = [OSError("no memory")]
            cores.all[0].die()
            await until(lambda: cores.stages == ["recovering"])
            asking = asyncio.ensure_future(cores.client.call_utility_async("list_loras"))
            await asyncio.sleep(0)
            cores.go.set()
            with pytest.raises(EngineDeadError):
                await asking


class TestASuspect:
    async def test_a_token_between_two_deaths_clears_it(self) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a"))
            await cores.client.add_request_async(request("b"))
            for _ in range(2):
                for held in cores.all[-1].names:
                    cores.all[-1].say(held, 5)
                await until(lambda: len(cores.said) == 2 * len(cores.all))
                await cores.kill()
            await until(lambda: cores.stages.count("ready") == 2)
            assert cores.all[-1].names == ["a.2", "b.2"]

    async def test_it_is_alone_until_it_delivers(self) -> None:
        async with open_cores() as cores:
            third = await suspects(cores, "x", "y", also=("z",))
            await cores.client.add_request_async(request("late"))
            assert third.sent == [("add", "x.2")]
            third.say("x.2", 1)
            await until(lambda: len(third.sent) > 1)
            # Taken out again, for the next one is to be alone as well.
            assert third.sent == [("add", "x.2"), ("abort", "x.2"), ("add", "y.2")]
            assert cores.stages.count("ready") == 1
            third.say("y.2", 2)
            await until(lambda: cores.stages.count("ready") == 2)
            assert third.sent[3:] == [("add", "x.3"), ("add", "z.1"), ("add", "late")]
            assert resumed(third)["x.3"] == [1]

    async def test_what_was_said_after_it_was_taken_out_is_not_counted_twice(self) -> None:
        async with open_cores() as cores:
            third = await suspects(cores, "x", "y")
            third.say("x.2", 1)
            third.say("x.2", 2)
            third.say("y.2", 5)
            await until(lambda: cores.stages.count("ready") == 2)
            assert resumed(third)["x.3"] == [1]
            third.say("x.3", 2)
            await cores.hear("x", 1, 2)

    async def test_it_fails_alone_when_the_engine_dies_again(self) -> None:
        async with open_cores() as cores:
            third = await suspects(cores, "x", also=("z",))
            assert third.names == ["x.2"]
            fourth = await cores.kill()
            last = next(output for output in cores.said if output.request_id == "x")
            assert (last.finish_reason, last.stop_reason) == (FinishReason.ERROR, BLAMED)
            assert resumed(fourth) == {"z.1": [1]}
            fourth.say("z.1", 2)
            await cores.hear("z", 1, 2)
            assert [output.request_id for output in cores.said] == ["z", "x", "z"]

    async def test_it_is_told_before_the_next_engine_is_up(self) -> None:
        async with open_cores() as cores:
            await suspects(cores, "x")
            cores.go.clear()
            cores.all[-1].die()
            await until(lambda: [output.request_id for output in cores.said] == ["x"])
            assert len(cores.all) == 3

    @pytest.mark.parametrize("how", ["ends", "is aborted"])
    async def test_when_it_goes_the_others_come_back(self, how: str) -> None:
        async with open_cores() as cores:
            third = await suspects(cores, "x", also=("z",))
            if how == "ends":
                third.say("x.2", finish=FinishReason.LENGTH)
            else:
                await cores.client.abort_requests_async(["x"])
            await until(lambda: cores.stages.count("ready") == 2)
            assert third.names == ["x.2", "z.1"]
            assert (("abort", "x.2") in third.sent) is (how == "is aborted")

    async def test_one_that_never_came_into_the_engine_is_not_to_blame(self) -> None:
        async with open_cores() as cores:
            start = cores.start

            def stillborn() -> ScriptedCore:
                core = start()
                if len(cores.all) == 3:
                    core.die()
                return core

            cores.client._core._start = stillborn  # pyright: ignore[reportPrivateUsage]
            await cores.client.add_request_async(request("x"))
            await cores.kill()
            cores.all[-1].die()
            await until(lambda: len(cores.all) == 4 and bool(cores.all[3].added))
            assert cores.said == []
            cores.all[3].say(cores.all[3].names[0], 1)
            await cores.hear("x", 1)


class TestWhatCannotGoOn:
    async def test_a_prompt_that_still_grows_is_refused(self) -> None:
        async with open_cores() as cores:
            growing = request("a")
            growing.resumable = True
            with pytest.raises(ValueError, match="still growing"):
                await cores.client.add_request_async(growing)
            assert cores.all[0].names == []

    async def test_an_answer_to_images_fails_with_a_reason(self) -> None:
        async with open_cores() as cores:
            seeing = request("a")
            seeing.mm_features = [SimpleNamespace()]  # pyright: ignore[reportAttributeAccessIssue]
            await cores.client.add_request_async(seeing)
            await cores.client.add_request_async(request("b"))
            assert (await cores.kill()).names == ["b.1"]
            assert [(each.request_id, each.stop_reason) for each in cores.said] == [("a", IMAGES)]


Look = Callable[[], None]


@pytest.fixture
async def look(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The watchdog's look, when a test says so and not by the clock."""
    loop, looks = asyncio.get_running_loop(), list[Look]()
    call_later = loop.call_later

    def caught(delay: float, callback: Any, *args: Any) -> asyncio.TimerHandle:
        if getattr(callback, "__name__", "") != "_look":
            return call_later(delay, callback, *args)
        assert delay == POLICY.stall_s / 4
        looks.append(callback)
        return call_later(3600, callback)

    monkeypatch.setattr(loop, "call_later", caught)
    return lambda: looks.pop()()


class TestTheWatchdog:
    async def test_an_engine_that_is_silent_at_its_work_is_killed(self, look: Look) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a"))
            await asyncio.sleep(0)
            for _ in range(4):
                look()
            assert not cores.all[0].process.killed.is_set()
            look()
            assert cores.all[0].process.killed.is_set()
            assert (await cores.kill()).names == ["a.1"]

    async def test_a_word_starts_the_count_again(self, look: Look) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a"))
            await asyncio.sleep(0)
            for token in range(3):
                for _ in range(4):
                    look()
                cores.all[0].say("a", token)
                await cores.hear("a", *range(token + 1))
            assert not cores.all[0].process.killed.is_set()

    async def test_an_idle_engine_may_be_silent(self, look: Look) -> None:
        async with open_cores() as cores:
            await asyncio.sleep(0)
            for _ in range(20):
                look()
            await cores.client.add_request_async(request("a"))
            for _ in range(4):
                look()
            assert not cores.all[0].process.killed.is_set()

    async def test_so_may_one_that_is_not_there(self, look: Look) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a"))
            await asyncio.sleep(0)
            for _ in range(4):
                look()
            cores.go.clear()
            cores.all[0].die()
            await until(lambda: cores.stages == ["recovering"])
            for _ in range(20):
                look()
            cores.go.set()
            second = await cores.next()
            for _ in range(4):
                look()
            assert not cores.all[0].process.killed.is_set()
            assert not second.process.killed.is_set()

    async def test_a_death_that_vllm_does_not_tell_is_noticed(self, look: Look) -> None:
        async with open_cores() as cores:
            await cores.client.add_request_async(request("a"))
            await asyncio.sleep(0)
            cores.all[0].resources.engine_dead = True
            look()
            assert (await cores.next()).names == ["a.1"]


class TestClosing:
    async def test_no_engine_is_started_any_more(self) -> None:
        async with open_cores() as cores:
            cores.client.shutdown()
            cores.all[0].die()
            with pytest.raises(EngineDeadError):
                await cores.reading
            assert (len(cores.all), cores.stages) == (1, [])

    async def test_an_engine_that_is_starting_is_ended_when_it_is_up(self) -> None:
        async with open_cores() as cores:
            cores.go.clear()
            cores.all[0].die()
            await until(lambda: len(cores.threads) == 2)
            cores.reading.cancel()
            await asyncio.gather(cores.reading, return_exceptions=True)
            cores.client.shutdown()
            cores.go.set()
            await until(lambda: len(cores.all) == 2 and cores.all[1].ended)

    async def test_who_waits_for_the_engine_is_let_go(self) -> None:
        async with open_cores() as cores:
            asking = asyncio.ensure_future(cores.client.call_utility_async("list_loras"))
            await until(lambda: len(cores.all[0].called) == 1)
            await asyncio.to_thread(cores.client.shutdown)
            with pytest.raises(EngineDeadError):
                await asking


class TestThePlaceInVllm:
    def made(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []

        def make(**arguments: Any) -> ScriptedCore:
            made.append(
                arguments | {"blocks": arguments["vllm_config"].cache_config.num_gpu_blocks}
            )
            arguments["vllm_config"].cache_config.num_gpu_blocks = 7
            return ScriptedCore()

        monkeypatch.setattr(EngineCoreClient, "make_async_mp_client", staticmethod(make))
        return made

    def test_each_engine_counts_its_own_blocks_and_only_the_first_warms_the_renderer(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made, starts = self.made(monkeypatch), list[Callable[[], Any]]()
        config = SimpleNamespace(cache_config=SimpleNamespace(num_gpu_blocks=3))
        with engine_cores_from(starts.append):
            EngineCoreClient.make_async_mp_client(vllm_config=config, renderer="r")  # pyright: ignore[reportCallIssue, reportArgumentType]
        for _ in range(3):
            starts[0]()
        assert [(each["blocks"], each["renderer"]) for each in made] == [
            (None, "r"),
            (None, None),
            (None, None),
        ]

    def test_vllm_has_its_own_back_whatever_happens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made(monkeypatch)
        before = EngineCoreClient.make_async_mp_client
        with suppress(OSError), engine_cores_from(lambda _start: None):
            assert EngineCoreClient.make_async_mp_client is not before
            raise OSError("no memory")
        assert EngineCoreClient.make_async_mp_client is before

    def test_two_that_are_built_at_once_get_each_their_own(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.made(monkeypatch)
        order = list[str]()
        inside, done = threading.Event(), threading.Event()

        def build() -> None:
            inside.wait()
            with engine_cores_from(lambda _start: None):
                order.append("second")
            done.set()

        other = threading.Thread(target=build)
        other.start()
        with engine_cores_from(lambda _start: None):
            inside.set()
            assert not done.wait(0.05)
            order.append("first")
        other.join(10)
        assert order == ["first", "second"]
