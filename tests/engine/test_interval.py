"""How many tokens come together: by the load, and never so many that it shows."""

from __future__ import annotations

import itertools

import pytest

from tokenwire.engine.interval import LONGEST_S, StreamInterval


def tellings(running: int, step_s: float, seconds: float = 20) -> list[float]:
    """The times at which an answer is told of, once the interval knows the steps."""
    interval = StreamInterval()
    told, untold = list[float](), 0
    for step in range(round(seconds / step_s)):
        now = 100 + step * step_s
        interval.stepped(running, now)
        untold += 1
        if untold >= interval:
            told.append(now)
            untold = 0
    return [time for time in told if time > 101]


@pytest.mark.parametrize(
    ("running", "step_s", "tokens"),
    [
        (1, 0.004, 1),
        (16, 0.009, 1),
        (32, 0.004, 1),
        (64, 0.01, 1.92),
        (64, 0.02, 1),
        (128, 0.02, 2.88),
        (64, 0.04, 1),
        (256, 0.045, 2.67),
        (256, 0.074, 1.62),
        (256, 0.13, 1),
        (256, 0.01, 12),
        (2000, 0.01, 12),
    ],
)
def test_more_come_together_the_more_are_answered(
    running: int, step_s: float, tokens: float
) -> None:
    told = tellings(running, step_s)
    steps = (told[-1] - told[0]) / step_s
    assert steps / (len(told) - 1) == pytest.approx(tokens, rel=0.05)


@pytest.mark.parametrize("step_s", [0.001, 0.005, 0.02, 0.05, 0.09])
@pytest.mark.parametrize("running", [1, 8, 64, 256, 1000])
def test_nobody_sees_less_than_eight_updates_in_any_second(running: int, step_s: float) -> None:
    told = tellings(running, step_s)
    for first, ninth in zip(told, told[8:], strict=False):
        assert ninth - first <= 1 + 1e-9
    gaps = [b - a for a, b in itertools.pairwise(told)]
    assert max(gaps) <= LONGEST_S + step_s


def test_where_a_step_takes_longer_each_is_told() -> None:
    told = tellings(256, 0.2)
    assert max(b - a for a, b in itertools.pairwise(told)) == pytest.approx(0.2)


def test_after_a_pause_the_first_step_is_told() -> None:
    interval = StreamInterval()
    for step in range(100):
        interval.stepped(256, 100 + step * 0.01)
    interval.stepped(1, 1000.0)
    assert interval.tokens == 1


def test_it_compares_as_vllm_does() -> None:
    interval = StreamInterval()
    assert interval > 1
    # It asks the other way round: `untold >= interval`.
    for untold, told in ((1, True), (2, True)):
        assert (untold >= interval) is told
    interval.tokens = 3
    for untold, told in ((1, False), (2, False), (3, True), (4, True)):
        assert (untold >= interval) is told
