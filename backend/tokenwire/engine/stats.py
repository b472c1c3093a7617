"""What an engine does right now, and how much it has done: kept from what its process says of each
step, in the place where recovery reads it.

vLLM's own statistics cost two microseconds of this process for each token; these cost a fortieth
of that. They outlive engine processes, as counts must. This file refuses to import vLLM.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tokenwire.engine.models import EngineTotals, LiveNumbers


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


# The speed is that of the last seconds, counted in slices of so many.
WINDOW_S = 5.0
SLICE_S = 0.25
# The hit rate is that of about the last thousand prompts: each time that there are so many, what
# has been counts half.
RECENT_PROMPTS = 1000


class _Prefill(Protocol):
    @property
    def num_prompt_tokens(self) -> int: ...


class _Output(Protocol):
    @property
    def new_token_ids(self) -> Sequence[int]: ...
    @property
    def prefill_stats(self) -> _Prefill | None: ...


class _Cache(Protocol):
    """Since the step before."""

    @property
    def requests(self) -> int: ...
    @property
    def queries(self) -> int: ...
    @property
    def hits(self) -> int: ...


class _Scheduler(Protocol):
    @property
    def num_running_reqs(self) -> int: ...
    @property
    def kv_cache_usage(self) -> float: ...
    @property
    def prefix_cache_stats(self) -> _Cache: ...


class Step(Protocol):
    """What an engine process says of a step, in vLLM's words."""

    @property
    def engine_index(self) -> int: ...
    @property
    def outputs(self) -> Sequence[_Output]: ...
    @property
    def scheduler_stats(self) -> _Scheduler | None: ...


@dataclass(slots=True)
class _Slice:
    start: float
    tokens: int


def _ignore(_: int) -> None: ...


class LiveStats:
    """The numbers of one model's engine, whichever process it has. `stepped` is told of each step
    for how many answers it was.
    """

    def __init__(
        self,
        stepped: Callable[[int], object] = _ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stepped, self._clock = stepped, clock
        # Running, and the use of the KV cache; of each rank where the data is parallel.
        self._ranks: dict[int, tuple[int, float]] = {}
        self._slices = deque[_Slice]()
        self._recent_prompts = self._recent_queries = self._recent_hits = 0
        self._generation = self._prompt = self._queries = self._hits = 0

    def heard(self, step: Step) -> None:
        if step.outputs:
            self._stepped(len(step.outputs))
            self._count(step.outputs)
        if (scheduler := step.scheduler_stats) is not None:
            self._ranks[step.engine_index] = scheduler.num_running_reqs, scheduler.kv_cache_usage
            if scheduler.prefix_cache_stats.requests:
                self._looked_up(scheduler.prefix_cache_stats)

    def died(self) -> None:
        """The engine process has ended: nothing runs, and its cache is gone. What was done stays
        done.
        """
        self._ranks.clear()
        self._slices.clear()

    def live(self, unfinished: int) -> LiveNumbers:
        """The numbers of now, where so many requests have not ended: those that don't run wait."""
        rate = self._recent_hits / self._recent_queries if self._recent_queries else None
        if not unfinished:
            return LiveNumbers(prefix_cache_hit_rate=rate)
        ranks = self._ranks.values()
        running = min(sum(running for running, _ in ranks), unfinished)
        return LiveNumbers(
            running=running,
            waiting=unfinished - running,
            kv_cache_usage=max((usage for _, usage in ranks), default=0.0),
            prefix_cache_hit_rate=rate,
            tokens_per_second=self._speed(),
        )

    def totals(self) -> EngineTotals:
        return EngineTotals(
            generation_tokens=self._generation,
            prompt_tokens=self._prompt,
            prefix_queries=self._queries,
            prefix_hits=self._hits,
        )

    def _count(self, outputs: Sequence[_Output]) -> None:
        made = 0
        for output in outputs:
            made += len(output.new_token_ids)
            if output.prefill_stats is not None:
                self._prompt += output.prefill_stats.num_prompt_tokens
        self._generation += made
        now = self._clock()
        if self._slices and now - self._slices[-1].start < SLICE_S:
            self._slices[-1].tokens += made
        else:
            self._slices.append(_Slice(now, made))
            self._forget(now)

    def _looked_up(self, cache: _Cache) -> None:
        self._queries += cache.queries
        self._hits += cache.hits
        if self._recent_prompts >= RECENT_PROMPTS:
            self._recent_prompts //= 2
            self._recent_queries //= 2
            self._recent_hits //= 2
        self._recent_prompts += cache.requests
        self._recent_queries += cache.queries
        self._recent_hits += cache.hits

    def _speed(self) -> float:
        now = self._clock()
        self._forget(now)
        if not self._slices:
            return 0.0
        # What has just begun is not spread over seconds in which nothing ran.
        over = max(now - self._slices[0].start, SLICE_S)
        return sum(each.tokens for each in self._slices) / over

    def _forget(self, now: float) -> None:
        while self._slices and now - self._slices[0].start > WINDOW_S:
            self._slices.popleft()
