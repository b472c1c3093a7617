"""The books of recovery: what the engine holds, who is suspected of its deaths, how often it may
start again, and whether it still speaks.

Pure values and counters. This file refuses to know vLLM, processes and the event loop.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


# At so many deaths in a row, without a token of its own between them, a request is suspected.
SUSPECT_AT = 2
# The watchdog looks so often in its time; a busy event loop misses looks, never adds one.
LOOKS = 4

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryPolicy:
    """How hard an engine is kept alive. Times in seconds.

    At most `starts` starts in any `window_s`; the second of them waits `backoff_s`, each further
    one twice as long, up to `backoff_max_s`. An engine that is silent for `stall_s` while requests
    run is killed. A utility call waits `utility_s` for an engine to come up; a cancel waits
    `let_go_s` for the engine to let go of its request.
    """

    starts: int = 5
    window_s: float = 300.0
    backoff_s: float = 0.5
    backoff_max_s: float = 10.0
    stall_s: float = 300.0
    utility_s: float = 60.0
    let_go_s: float = 5.0


class Budget:
    """Counts the starts of one engine. A start that fails has been one, too."""

    def __init__(self, policy: RecoveryPolicy, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy, self._clock = policy, clock
        self._starts = deque[float]()

    def take(self) -> float | None:
        """Seconds to wait before the next start, which is taken; None when there is none left."""
        now, policy = self._clock(), self._policy
        while self._starts and now - self._starts[0] >= policy.window_s:
            self._starts.popleft()
        if (taken := len(self._starts)) >= policy.starts:
            return None
        self._starts.append(now)
        return min(policy.backoff_s * 2 ** (taken - 1), policy.backoff_max_s) if taken else 0.0


class Silence:
    """The watchdog's count of looks at which nothing had been heard of an engine that works."""

    def __init__(self) -> None:
        self._looks = 0

    def heard(self) -> None:
        self._looks = 0

    def is_too_long(self, *, working: bool) -> bool:
        """Look once more. True when it has been silent for `LOOKS` whole looks."""
        self._looks = self._looks + 1 if working else 0
        return self._looks > LOOKS


@dataclass(slots=True)
class Held(Generic[R]):
    """One request that has not ended. `ids` are the tokens delivered so far; `name` is the one
    under which the engine has it, None while it is not in the engine.
    """

    id: str
    request: R
    ids: list[int]
    name: str | None = None
    entered: int = 0
    strikes: int = 0
    unresumable: str | None = None

    @property
    def suspected(self) -> bool:
        return self.strikes >= SUSPECT_AT


@dataclass(slots=True)
class Ledger(Generic[R]):
    """All requests of one model that have not ended, whatever becomes of its engine.

    In the engine a request has another name at each entry, so that what the engine still says of
    an entry that was taken back is never counted twice.
    """

    _held: dict[str, Held[R]] = field(default_factory=dict[str, "Held[R]"])
    _named: dict[str, Held[R]] = field(default_factory=dict[str, "Held[R]"])

    def hold(self, id: str, request: R, ids: list[int]) -> Held[R]:
        held = self._held[id] = Held(id, request, ids)
        return held

    def drop(self, id: str) -> str | None:
        """Forget a request. Returns the name that the engine still has it under, if it has."""
        held = self._held.pop(id, None)
        return self.leave(held) if held is not None else None

    def enter(self, held: Held[R]) -> str:
        """A name for the request in the engine."""
        held.name = f"{held.id}.{held.entered}" if held.entered else held.id
        held.entered += 1
        self._named[held.name] = held
        return held.name

    def leave(self, held: Held[R]) -> str | None:
        """Take a request out of the engine, but keep it. Returns the name that it had there."""
        name, held.name = held.name, None
        if name is not None:
            del self._named[name]
        return name

    def delivered(self, name: str, ids: Sequence[int]) -> Held[R] | None:
        """Note new tokens. None: the engine speaks of a request that is not its own any more."""
        held = self._named.get(name)
        if held is not None and ids:
            held.ids.extend(ids)
            held.strikes = 0
        return held

    def died(self) -> None:
        """The engine has ended: it holds nothing, and whoever was in it has one more strike."""
        for held in list(self._named.values()):
            held.strikes += 1
            self.leave(held)

    def is_held(self, held: Held[R]) -> bool:
        return self._held.get(held.id) is held

    def any_inside(self) -> bool:
        return bool(self._named)

    def waiting(self) -> list[Held[R]]:
        """Those that are not in the engine, oldest first."""
        return [held for held in self._held.values() if held.name is None]

    def suspect(self) -> Held[R] | None:
        """The first suspect that is not in the engine."""
        return next((held for held in self.waiting() if held.suspected), None)

    def unresumable(self) -> list[Held[R]]:
        """Those outside the engine that can't go on from their tokens."""
        return [held for held in self.waiting() if held.unresumable and held.entered]
