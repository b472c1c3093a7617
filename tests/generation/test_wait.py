"""How long a place in the line has yet to wait: what holds of it whatever is told, and how near it
comes where answers are as long as they were.
"""

from __future__ import annotations

import heapq
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.generation.wait import OVERDUE, Recent, wait_s


if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = st.floats(0.001, 1e5)
# Of answers that take no longer than the mean.
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=40)
PLACES = st.integers(1, 500)


def told(place: int, ages: list[float], mean: float) -> float:
    wait = wait_s(place, ages, mean)
    assert wait is not None
    return wait


def test_nobody_knows_before_an_answer_has_ended_or_where_none_is_written() -> None:
    assert wait_s(1, [1.0], None) is None
    assert wait_s(1, [], 10.0) is None
    assert Recent().mean is None


def test_with_one_turn_it_is_what_is_left_of_that_and_those_before() -> None:
    assert [wait_s(place, [4.0], 10.0) for place in (1, 2, 3)] == [6.0, 16.0, 26.0]


def test_of_answers_that_began_together_the_next_waits_for_all_of_one() -> None:
    assert wait_s(1, [0.0] * 256, 10.0) == 10.0


def test_of_answers_that_are_late_the_next_is_due_and_the_others_wait_as_long_as_usual() -> None:
    assert [wait_s(place, [12.0, 11.0], 10.0) for place in (1, 2, 3)] == [0.0, 5.0, 10.0]


def test_where_nobody_has_had_a_turn_for_long_nothing_is_said() -> None:
    assert wait_s(5, [10.0 * OVERDUE], 10.0) is not None
    assert wait_s(5, [10.0 * OVERDUE + 0.1], 10.0) is None
    assert wait_s(5, [1.0, 1000.0], 10.0) is not None


@given(PLACES, st.lists(SECONDS, min_size=1, max_size=40), SECONDS)
def test_it_is_never_negative_and_grows_with_the_place(
    place: int, ages: list[float], mean: float
) -> None:
    wait = wait_s(place, ages, mean)
    if wait is None:
        assert min(ages) > OVERDUE * mean
        return
    assert wait >= 0
    assert told(place + 1, ages, mean) >= wait
    assert told(place + len(ages), ages, mean) == pytest.approx(wait + mean)


@given(PLACES, SHARES, SECONDS, st.floats(0, 1))
def test_it_never_grows_while_time_passes(
    place: int, shares: list[float], mean: float, later: float
) -> None:
    ages = [share * mean for share in shares]
    assert told(place, [age + later * mean for age in ages], mean) <= told(place, ages, mean)


@given(st.integers(2, 500), SHARES, SECONDS, st.integers(0, 39))
def test_it_never_grows_when_an_answer_ends_and_the_next_has_its_turn(
    place: int, shares: list[float], mean: float, ends: int
) -> None:
    ages = [share * mean for share in shares]
    after = [0.0, *ages]
    del after[1 + ends % len(ages)]
    assert told(place - 1, after, mean) <= told(place, ages, mean) * (1 + 1e-9) + 1e-9


@given(st.integers(1, 200), SHARES, SECONDS)
def test_of_answers_of_one_length_it_is_at_most_one_of_them_too_long(
    place: int, shares: list[float], mean: float
) -> None:
    ages = [share * mean for share in shares]
    truth = waited(place, [mean - age for age in ages], lambda: mean)

    assert truth * (1 - 1e-9) <= told(place, ages, mean) <= truth + mean * (1 + 1e-9)


def test_of_answers_of_any_length_it_is_right_on_the_average() -> None:
    chance = random.Random(7)
    lengths = [chance.expovariate(0.1) for _ in range(400)]
    recent = Recent()
    for length in lengths:
        recent.add(length)
    assert recent.mean is not None
    ratios: list[float] = []
    for _ in range(300):
        # Of an answer of that kind there is as much left as of a new one, however old it is.
        left = [chance.expovariate(0.1) for _ in range(8)]
        ages = [chance.expovariate(0.1) for _ in range(8)]
        truth = waited(40, left, lambda: chance.expovariate(0.1))
        ratios.append(told(40, ages, recent.mean) / truth)

    assert 0.7 < sum(ratios) / len(ratios) < 1.4


@given(st.lists(SECONDS, min_size=1, max_size=200))
def test_the_mean_lies_between_the_shortest_and_the_longest(lengths: list[float]) -> None:
    recent = Recent()
    for length in lengths:
        recent.add(length)

    assert recent.mean is not None
    assert min(lengths) * (1 - 1e-9) <= recent.mean <= max(lengths) * (1 + 1e-9)


def test_the_first_ones_count_alike_and_later_what_is_new_counts_more() -> None:
    recent = Recent()
    for length in (1.0, 2.0, 3.0, 6.0):
        recent.add(length)
    assert recent.mean == pytest.approx(3.0)
    for _ in range(100):
        recent.add(30.0)
    assert recent.mean == pytest.approx(30.0, rel=0.05)


def waited(place: int, left: list[float], length: Callable[[], float]) -> float:
    """How long a place waits, where those who are being answered need so much yet."""
    ends = sorted(left)
    now = 0.0
    for _ in range(place):
        now = heapq.heappop(ends)
        heapq.heappush(ends, now + length())
    return now
