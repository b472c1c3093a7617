"""The pacer: what has been silent is flushed at once, the rest once a tick, together, and less
often on a busy loop.
"""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from tokenwire.generation import pacer as pacing
from tokenwire.generation.pacer import INTERVAL_S, SLOWEST_S, Pacer


class Page:
    """Counts its flushes. `told_at`: for ever just now, if not told otherwise."""

    def __init__(self, told_at: float = math.inf) -> None:
        self.told_at = told_at
        self.flushes = 0
        self.flushed = asyncio.Event()

    def flush(self) -> None:
        self.flushes += 1
        self.flushed.set()


async def flushed(*pages: Page) -> None:
    async with asyncio.timeout(10):
        for page in pages:
            await page.flushed.wait()


async def test_what_is_marked_many_times_is_flushed_once() -> None:
    pacer, page, other = Pacer(), Page(), Page()
    running = asyncio.create_task(pacer.run())
    for _ in range(10):
        pacer.mark(page)
    pacer.mark(other)
    await flushed(page, other)

    assert (page.flushes, other.flushes) == (1, 1)
    running.cancel()


def test_what_has_said_nothing_for_an_interval_is_flushed_at_once() -> None:
    pacer, page = Pacer(), Page(time.monotonic() - INTERVAL_S)
    pacer.mark(page)

    assert page.flushes == 1


def test_what_has_said_something_just_now_is_not() -> None:
    pacer, page = Pacer(), Page(time.monotonic() + 10)
    pacer.mark(page)

    assert page.flushes == 0


async def test_a_busy_loop_is_noticed_also_where_all_is_flushed_at_once() -> None:
    pacer = Pacer()
    running = asyncio.create_task(pacer.run())
    silent_for = 2 * INTERVAL_S
    pacer.mark(Page(time.monotonic() - silent_for))
    await asyncio.sleep(0)
    time.sleep(0.1)  # noqa: ASYNC251 the loop is busy
    await asyncio.sleep(0.01)
    page = Page(time.monotonic() - silent_for)
    pacer.mark(page)

    assert page.flushes == 0
    running.cancel()


async def test_what_is_marked_after_a_flush_is_flushed_again() -> None:
    pacer, page = Pacer(), Page()
    running = asyncio.create_task(pacer.run())
    for _ in range(3):
        page.flushed.clear()
        pacer.mark(page)
        await flushed(page)

    assert page.flushes == 3
    running.cancel()


async def test_text_that_was_marked_before_the_pacer_ran_is_flushed() -> None:
    pacer, page = Pacer(), Page()
    pacer.mark(page)
    running = asyncio.create_task(pacer.run())
    await flushed(page)

    running.cancel()


async def test_a_flush_waits_for_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    pacer, page = Pacer(), Page()
    waits = list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        assert page.flushes == 0

    monkeypatch.setattr(pacing.asyncio, "sleep", sleep)
    pacer.mark(page)
    running = asyncio.create_task(pacer.run())
    await flushed(page)

    assert waits == [INTERVAL_S]
    running.cancel()


async def test_a_busy_loop_is_flushed_less_often_but_never_slower_than_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pacer, page = Pacer(), Page()
    waits = list[float]()
    now = 0.0
    late = iter((0.01, 10.0, 0.0, 0.0))

    async def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds + next(late)

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    monkeypatch.setattr(pacing.asyncio, "sleep", sleep)
    running = asyncio.create_task(pacer.run())
    for _ in range(4):
        page.flushed.clear()
        pacer.mark(page)
        await page.flushed.wait()

    assert waits == pytest.approx([INTERVAL_S, INTERVAL_S + 0.02, SLOWEST_S, INTERVAL_S])
    running.cancel()
