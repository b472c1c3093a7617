"""The log: append, read after a position, watch, close once; and readers who come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire.generation.log import Log, follow
from tokenwire.wire.events import Event


def event(number: int, text: str = "") -> Event:
    return Event("response.output_text.delta", number, f'{{"n":{number}}}', text)


def log_of(count: int) -> Log:
    return Log([event(number) for number in range(count)])


def numbers(events: Sequence[Event]) -> list[int]:
    return [each.sequence_number for each in events]


def test_a_reader_gets_what_lies_strictly_after_its_position() -> None:
    log = log_of(4)

    assert numbers(log.after(-1)) == [0, 1, 2, 3]
    assert numbers(log.after(1)) == [2, 3]
    assert numbers(log.after(3)) == []
    assert numbers(log.after(9)) == []


def test_an_empty_log_ends_before_0() -> None:
    assert Log().last_sequence_number == -1
    assert log_of(3).last_sequence_number == 2


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_number_that_does_not_follow_is_refused(number: int) -> None:
    with pytest.raises(AssertionError):
        log_of(2).append(event(number))


def test_a_log_that_is_closed_takes_no_event() -> None:
    log = log_of(1)
    log.close()

    with pytest.raises(AssertionError):
        log.append(event(1))
    assert numbers(log.after(-1)) == [0]


def test_closing_is_told_once() -> None:
    log, told = Log(), list[bool]()
    log.watch(lambda: told.append(log.closed))
    log.close()
    log.close()

    assert told == [True]


def test_what_a_reader_was_given_does_not_change() -> None:
    log = log_of(1)
    before = log.after(-1)
    log.append(event(1))

    assert numbers(before) == [0]


def test_whoever_stopped_watching_is_told_nothing() -> None:
    log, told = Log(), list[str]()
    stop = log.watch(lambda: told.append("one"))
    log.watch(lambda: told.append("two"))
    stop()
    stop()
    log.append(event(0))

    assert told == ["two"]


def test_a_watcher_that_watches_twice_stops_only_once() -> None:
    log, told = Log(), list[str]()

    def changed() -> None:
        told.append("changed")

    stop = log.watch(changed)
    log.watch(changed)
    stop()
    log.append(event(0))

    assert told == ["changed"]


def test_a_watcher_may_stop_another_while_it_is_told() -> None:
    log = Log()
    log.watch(lambda: stop())
    stop = log.watch(lambda: None)

    log.append(event(0))
    log.close()


async def test_following_yields_batches_as_large_as_the_reader_is_slow() -> None:
    log = log_of(2)
    reader = follow([log], -1, silence=60)

    assert numbers((await anext(reader))[1]) == [0, 1]
    log.append(event(2))
    log.append(event(3), event(4))
    assert numbers((await anext(reader))[1]) == [2, 3, 4]
    log.close()
    assert [batch async for batch in reader] == []


async def test_following_a_closed_log_beyond_its_end_yields_nothing() -> None:
    log = log_of(2)
    log.close()

    assert [batch async for batch in follow([log], 1, silence=60)] == []


async def test_several_logs_are_followed_until_all_are_closed() -> None:
    first, second = log_of(2), log_of(1)
    reader = follow([first, second], 0, silence=60)

    assert [(await anext(reader))[0]] == [0]
    first.close()
    second.append(event(1))
    index, batch = await anext(reader)
    assert (index, numbers(batch)) == (1, [1])
    second.close()
    assert [each async for each in reader] == []


async def test_an_empty_batch_says_that_it_was_silent() -> None:
    reader = follow([Log()], -1, silence=0)

    assert await anext(reader) == (0, ())
    await reader.aclose()


async def test_a_reader_who_leaves_no_longer_watches() -> None:
    log = log_of(1)
    reader = follow([log], -1, silence=60)
    await anext(reader)
    await reader.aclose()

    assert log._watchers == {}  # pyright: ignore[reportPrivateUsage]


async def read_all(log: Log, after: int, heard: list[int]) -> None:
    async for _, batch in follow([log], after, silence=60):
        heard.extend(numbers(batch))
        await asyncio.sleep(0)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 4))
async def test_no_reader_loses_a_wake_up(bursts: list[int], readers: int) -> None:
    log = Log()
    heard = [list[int]() for _ in range(readers)]
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        for each in heard:
            tasks.create_task(read_all(log, -1, each))
        for burst in bursts:
            log.append(*(event(log.last_sequence_number + 1 + n) for n in range(burst)))
            await asyncio.sleep(0)
        log.close()

    assert heard == [list(range(log.last_sequence_number + 1))] * readers


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(["append", "read", "drop", "resume"]), max_size=60))
def test_any_interleaving_of_append_drop_and_resume_gives_the_same_text(steps: list[str]) -> None:
    log = Log()
    position, held, text = -1, True, ""
    for step in [*steps, "resume", "read"]:
        if step == "append":
            number = log.last_sequence_number + 1
            log.append(event(number, f"<{number}>"))
        elif step == "read" and held:
            for each in log.after(position):
                text += each.delta
                position = each.sequence_number
        else:
            # Who is away keeps the position and nothing else.
            held = step == "resume"

    assert text == "".join(each.delta for each in log.after(-1))
