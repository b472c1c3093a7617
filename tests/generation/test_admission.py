"""The line: first come, first served, everyone's place in it, and its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire.errors import RateLimited
from tokenwire.generation.admission import AdmissionLimits, Line, Ticket
from tokenwire.generation.quiet import Quiet


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def line(
    running: int = 1, waiting: int = 100, per_user: int = 100, clock: Clock | None = None
) -> Line:
    limits = AdmissionLimits(
        max_running=running, max_waiting=waiting, max_waiting_per_user=per_user
    )
    return Line(limits, Quiet(), clock or Clock())


class Waiting:
    """Someone who enters, and hears of each move."""

    def __init__(self, line: Line, user: str = "ann") -> None:
        self.moves: list[tuple[int, int]] = []
        self.ticket: Ticket = line.enter(user, self._moved)

    def _moved(self, position: int, length: int) -> None:
        self.moves.append((position, length))

    @property
    def admitted(self) -> bool:
        return self.ticket.admitted.is_set()


def test_who_comes_to_an_empty_line_runs_at_once() -> None:
    first = Waiting(line())

    assert first.admitted
    assert first.ticket.position is None


def test_the_first_who_waits_is_the_next_to_run() -> None:
    queue = line()
    first, second, third = Waiting(queue), Waiting(queue), Waiting(queue)
    queue.leave(first.ticket)

    assert (second.admitted, third.admitted) == (True, False)


def test_positions_are_counted_from_1_and_told_when_they_change() -> None:
    queue = line()
    first, second, third = Waiting(queue), Waiting(queue), Waiting(queue)

    assert (second.ticket.position, third.ticket.position) == (1, 2)
    queue.leave(first.ticket)
    assert third.ticket.position == 1
    assert (second.moves, third.moves) == ([], [(1, 1)])


def test_who_leaves_while_waiting_moves_only_those_behind() -> None:
    queue = line()
    _, second, third, fourth = (Waiting(queue) for _ in range(4))
    queue.leave(third.ticket)

    assert second.moves == []
    assert fourth.moves == [(2, 2)]
    assert not third.admitted


def test_leaving_twice_frees_one_place() -> None:
    queue = line()
    first, second, third = Waiting(queue), Waiting(queue), Waiting(queue)
    queue.leave(first.ticket)
    queue.leave(first.ticket)

    assert (second.admitted, third.admitted) == (True, False)
    assert (queue.running, queue.waiting) == (1, 1)


def test_a_full_line_refuses_and_keeps_no_place() -> None:
    queue = line(waiting=2)
    for _ in range(3):
        Waiting(queue)

    with pytest.raises(RateLimited):
        Waiting(queue)
    assert queue.waiting == 2


def test_one_person_may_not_fill_the_line() -> None:
    queue = line(per_user=2)
    for _ in range(3):
        Waiting(queue, "ann")

    with pytest.raises(RateLimited):
        Waiting(queue, "ann")
    assert not Waiting(queue, "bob").admitted


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(-1, 20), max_size=60), st.integers(1, 4))
def test_whoever_leaves_the_line_stays_in_order_and_in_bounds(
    steps: list[int], running: int
) -> None:
    queue = line(running=running, waiting=8)
    inside: list[Waiting] = []
    for step in steps:
        if step >= 0:
            if inside:
                queue.leave(inside.pop(step % len(inside)).ticket)
        else:
            try:
                inside.append(Waiting(queue))
            except RateLimited:
                assert queue.waiting == 8
        admitted = [each.admitted for each in inside]
        assert admitted == sorted(admitted, reverse=True)
        assert queue.running == sum(admitted) == min(len(inside), running)
        places = [each.ticket.position for each in inside if not each.admitted]
        assert places == list(range(1, len(places) + 1))


def test_how_long_a_place_waits_is_told_by_the_answers_before_it() -> None:
    clock = Clock()
    queue = line(clock=clock)
    first, second, third, fourth = (Waiting(queue) for _ in range(4))
    queue.begin(first.ticket)
    assert [queue.wait_s(each.ticket) for each in (first, second, third)] == [None, None, None]
    clock.now += 20
    queue.leave(first.ticket)
    clock.now += 0.5
    queue.begin(second.ticket)
    clock.now += 5
    queue.begin(second.ticket)

    assert queue.wait_s(second.ticket) is None
    assert [queue.wait_s(each.ticket) for each in (third, fourth)] == [15, 35]


def test_a_turn_in_which_nothing_began_says_nothing_of_how_long_one_takes() -> None:
    clock = Clock()
    queue = line(clock=clock)
    first, second, third = (Waiting(queue) for _ in range(3))
    clock.now += 50
    queue.leave(first.ticket)
    queue.leave(second.ticket)
    queue.begin(third.ticket)

    assert queue.wait_s(Waiting(queue).ticket) is None


def test_while_all_who_have_a_turn_are_stalled_nobody_knows() -> None:
    clock = Clock()
    queue = line(running=2, clock=clock)
    first, second, third, fourth = (Waiting(queue) for _ in range(4))
    queue.begin(first.ticket)
    clock.now += 10
    queue.leave(first.ticket)
    second.ticket.stalled = True
    assert queue.wait_s(fourth.ticket) is not None
    third.ticket.stalled = True
    assert queue.wait_s(fourth.ticket) is None
    queue.begin(third.ticket)
    assert queue.wait_s(fourth.ticket) is not None


class Reading:
    """Someone who reads ahead, and counts how often a turn was taken back."""

    def __init__(self, line: Line) -> None:
        self.asides = 0
        self.ticket = line.warm("ann", self._aside)

    def _aside(self) -> None:
        self.asides += 1

    @property
    def reads(self) -> bool:
        return self.ticket.admitted.is_set()


def test_who_reads_ahead_has_no_place_in_the_line() -> None:
    queue = line()
    reading, first, second = Reading(queue), Waiting(queue), Waiting(queue)

    assert (queue.running, queue.waiting) == (1, 1)
    assert first.admitted
    assert second.ticket.position == 1
    assert (reading.reads, reading.asides) == (False, 1)


def test_one_reads_ahead_while_nobody_is_answered_first_come_first() -> None:
    queue = line()
    reading, other = Reading(queue), Reading(queue)
    assert (reading.reads, other.reads) == (True, False)
    first = Waiting(queue)
    queue.leave(first.ticket)
    assert (reading.reads, other.reads) == (True, False)
    queue.leave(reading.ticket)

    assert other.reads
    assert (reading.asides, other.asides) == (1, 0)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.booleans(), st.integers(-1, 20)), max_size=60))
def test_nobody_reads_ahead_beside_an_answer_and_someone_does_without_one(
    steps: list[tuple[bool, int]],
) -> None:
    queue = line(running=2)
    inside: list[Waiting] = []
    reading: list[Reading] = []
    for answers, step in steps:
        group: list[Waiting] | list[Reading] = inside if answers else reading
        if step >= 0 and group:
            queue.leave(group.pop(step % len(group)).ticket)
        elif answers:
            inside.append(Waiting(queue))
        elif len(reading) < 64:
            reading.append(Reading(queue))
        turns = [each.reads for each in reading]
        assert turns == [not inside, *([False] * (len(reading) - 1))][: len(reading)]
