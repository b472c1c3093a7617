"""The live numbers of an engine: what a step says, speed over a window, what a death changes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from support.core import open_cores, request
from support.waiting import until
from tokenwire.engine.models import EngineTotals, LiveNumbers
from tokenwire.engine.stats import RECENT_PROMPTS, SLICE_S, WINDOW_S, LiveStats


@dataclass
class Prefill:
    num_prompt_tokens: int


@dataclass
class Output:
    new_token_ids: list[int]
    prefill_stats: Prefill | None = None


@dataclass
class Cache:
    requests: int = 0
    queries: int = 0
    hits: int = 0


@dataclass
class Scheduler:
    num_running_reqs: int = 0
    kv_cache_usage: float = 0.0
    prefix_cache_stats: Cache = field(default_factory=Cache)


@dataclass
class Step:
    outputs: list[Output] = field(default_factory=list[Output])
    scheduler_stats: Scheduler | None = None
    engine_index: int = 0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def tokens(count: int, prompt: int | None = None) -> Output:
    return Output([1] * count, None if prompt is None else Prefill(prompt))


def looked_up(requests: int, queries: int, hits: int) -> Step:
    return Step(scheduler_stats=Scheduler(prefix_cache_stats=Cache(requests, queries, hits)))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stats(clock: Clock) -> LiveStats:
    return LiveStats(clock=clock)


def test_an_engine_that_has_done_nothing_has_no_hit_rate(stats: LiveStats) -> None:
    assert stats.live(0) == LiveNumbers(prefix_cache_hit_rate=None)
    assert stats.live(2) == LiveNumbers(waiting=2)
    assert stats.totals() == EngineTotals()


def test_what_does_not_run_waits_and_nothing_does_when_all_has_ended(stats: LiveStats) -> None:
    stats.heard(Step([tokens(1)], Scheduler(3, 0.25)))

    busy = stats.live(5)
    assert (busy.running, busy.waiting, busy.kv_cache_usage) == (3, 2, 0.25)
    # One was cancelled since.
    assert (stats.live(2).running, stats.live(2).waiting) == (2, 0)
    assert stats.live(0) == LiveNumbers()


def test_the_ranks_of_parallel_data_are_one_engine(stats: LiveStats) -> None:
    stats.heard(Step(scheduler_stats=Scheduler(3, 0.25)))
    stats.heard(Step(scheduler_stats=Scheduler(1, 0.5), engine_index=1))
    stats.heard(Step(scheduler_stats=Scheduler(2, 0.25)))

    both = stats.live(3)
    assert (both.running, both.kv_cache_usage) == (3, 0.5)


def test_the_speed_is_that_of_the_last_seconds(stats: LiveStats, clock: Clock) -> None:
    for _ in range(400):
        stats.heard(Step([tokens(2), tokens(3)]))
        clock.now += 0.05
    assert stats.live(1).tokens_per_second == pytest.approx(100, rel=0.03)
    clock.now += WINDOW_S / 2
    assert stats.live(1).tokens_per_second == pytest.approx(50, rel=0.1)
    clock.now += WINDOW_S
    assert stats.live(1).tokens_per_second == 0


def test_what_has_just_begun_is_as_fast_as_it_is(stats: LiveStats, clock: Clock) -> None:
    stats.heard(Step([tokens(1)]))
    assert stats.live(1).tokens_per_second == 1 / SLICE_S
    for _ in range(10):
        clock.now += 0.1
        stats.heard(Step([tokens(1)]))
    assert stats.live(1).tokens_per_second == pytest.approx(11)


def test_the_hit_rate_forgets(stats: LiveStats) -> None:
    for _ in range(RECENT_PROMPTS):
        stats.heard(looked_up(1, 10, 0))
    assert stats.live(0).prefix_cache_hit_rate == 0
    for _ in range(RECENT_PROMPTS):
        stats.heard(looked_up(1, 10, 10))
    rate = stats.live(0).prefix_cache_hit_rate
    assert rate is not None
    assert rate > 0.7
    assert stats.totals() == EngineTotals(
        prefix_queries=20 * RECENT_PROMPTS, prefix_hits=10 * RECENT_PROMPTS
    )


def test_steps_are_told_of_that_made_something(clock: Clock) -> None:
    told = list[int]()
    stats = LiveStats(told.append, clock)

    stats.heard(Step([tokens(1), tokens(0)]))
    stats.heard(Step(scheduler_stats=Scheduler(1, 0.1)))

    assert told == [2]


def test_a_death_ends_what_runs_and_takes_back_nothing(stats: LiveStats) -> None:
    stats.heard(Step([tokens(4, prompt=30)], Scheduler(1, 0.5, Cache(1, 30, 15))))
    done = EngineTotals(generation_tokens=4, prompt_tokens=30, prefix_queries=30, prefix_hits=15)

    stats.died()

    assert stats.live(1) == LiveNumbers(waiting=1, prefix_cache_hit_rate=0.5)
    assert stats.totals() == done
    stats.heard(Step([tokens(2)], Scheduler(1, 0.1)))
    assert stats.totals().generation_tokens == 6
    assert stats.live(1).running == 1


async def test_tokens_are_counted_once_over_a_death_and_those_of_nobody_not_at_all() -> None:
    async with open_cores() as cores:
        await cores.client.add_request_async(request("a"))
        cores.all[-1].say("a", 5, 6)
        cores.all[-1].say("nobody", 7)
        await cores.hear("a", 5, 6)

        core = await cores.kill()
        await until(lambda: bool(core.added))
        core.say(core.names[0], 8)
        await cores.hear("a", 5, 6, 8)

        assert cores.client.stats.totals().generation_tokens == 3
