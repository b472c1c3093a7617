"""How many tokens come together: by the load, and never so many that it shows."""

from __future__ import annotations

import pytest

from tokenwire.engine.interval import LONGEST_S, StreamInterval


def after(running: int, step_s: float, steps: int = 200) -> StreamInterval:
    interval = StreamInterval()
    for step in range(steps):
        interval.stepped(running, 100 + step * step_s)
    return interval


@pytest.mark.parametrize(
    ("running", "step_s", "tokens"),
    [
        (1, 0.004, 1),
        (16, 0.006, 1),
        (64, 0.01, 3),
        (256, 0.045, 2),
        (256, 0.011, 10),
        (2000, 0.011, 10),
    ],
)
def test_more_come_together_the_more_are_answered(running: int, step_s: float, tokens: int) -> None:
    assert after(running, step_s).tokens == tokens


@pytest.mark.parametrize("step_s", [0.001, 0.005, 0.02, 0.05, 0.09, 0.2])
@pytest.mark.parametrize("running", [1, 8, 64, 256, 1000])
def test_nobody_sees_less_than_eight_updates_a_second_or_each_step(
    running: int, step_s: float
) -> None:
    assert after(running, step_s).tokens * step_s <= max(1.01 * LONGEST_S, step_s)


def test_a_pause_is_no_step() -> None:
    interval = after(64, 0.01)
    interval.stepped(64, 1000.0)
    assert interval.tokens == 3


def test_it_compares_as_vllm_does() -> None:
    interval = StreamInterval()
    assert interval > 1
    # It asks the other way round: `untold >= interval`.
    for untold, told in ((1, True), (2, True)):
        assert (untold >= interval) is told
    interval.tokens = 3
    for untold, told in ((1, False), (2, False), (3, True), (4, True)):
        assert (untold >= interval) is told
