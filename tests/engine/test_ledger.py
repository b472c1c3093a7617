"""The counts of recovery: how often an engine may start, and when its silence is too long."""

from __future__ import annotations

from tokenwire.engine.ledger import LOOKS, Budget, RecoveryPolicy, Silence


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_each_start_waits_longer_and_there_is_an_end_of_them() -> None:
    policy = RecoveryPolicy(starts=5, backoff_s=1.0, backoff_max_s=3.0)
    budget = Budget(policy, Clock())
    assert [budget.take() for _ in range(7)] == [0.0, 1.0, 2.0, 3.0, 3.0, None, None]


def test_a_start_long_ago_is_forgotten() -> None:
    clock = Clock()
    budget = Budget(RecoveryPolicy(starts=2, window_s=60.0, backoff_s=1.0), clock)
    assert [budget.take(), budget.take(), budget.take()] == [0.0, 1.0, None]
    clock.now += 59.9
    assert budget.take() is None
    clock.now += 0.1
    assert [budget.take(), budget.take(), budget.take()] == [0.0, 1.0, None]


def test_a_silence_is_too_long_after_whole_looks_at_work() -> None:
    silence = Silence()
    assert [silence.is_too_long(working=True) for _ in range(LOOKS + 1)] == [False] * LOOKS + [True]


def test_a_look_at_rest_starts_the_count_again() -> None:
    silence = Silence()
    for _ in range(LOOKS):
        silence.is_too_long(working=True)
    assert not silence.is_too_long(working=False)
    assert not silence.is_too_long(working=True)
