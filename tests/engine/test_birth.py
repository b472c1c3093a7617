"""A start that is ended from another thread, at any moment of it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tokenwire.engine.birth import Birth, Manager, StartEnded


class Process:
    def __init__(self, pid: int | None = 1) -> None:
        self.pid = pid
        self.killed = 0

    def kill(self) -> None:
        self.killed += 1


class Processes:
    def __init__(self, *processes: Process) -> None:
        self.processes = processes


def manager(*processes: Process) -> Manager:
    return cast("Any", Processes(*processes))


def test_a_start_that_nobody_ends_goes_on() -> None:
    process = Process()
    birth = Birth()
    birth.begin(manager(process))
    birth.check()

    assert process.killed == 0


def test_ended_before_it_has_processes_it_gets_none() -> None:
    birth = Birth()
    assert birth.end() is False

    with pytest.raises(StartEnded):
        birth.check()
    with pytest.raises(StartEnded):
        birth.begin(manager())


def test_ended_while_its_processes_run_they_are_killed() -> None:
    process = Process()
    birth = Birth()
    birth.begin(manager(process))

    assert birth.end() is True
    assert process.killed == 1


def test_ended_while_a_process_is_being_made_that_is_killed_when_it_is_there() -> None:
    process = Process(pid=None)
    birth = Birth()
    birth.begin(manager(process))

    assert birth.end() is True
    assert process.killed == 0
    process.pid = 5
    with pytest.raises(StartEnded):
        birth.check()
    assert process.killed == 1


def test_a_manager_that_has_made_nothing_yet_has_nothing_to_kill() -> None:
    birth = Birth()
    birth.begin(cast("Any", object()))

    assert birth.end() is True
