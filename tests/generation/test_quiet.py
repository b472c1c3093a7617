"""Quiet: broken while anyone has a place, told to who listens, waited for."""

from __future__ import annotations

import asyncio

from tokenwire.generation.quiet import Quiet


def test_it_is_broken_until_each_has_left() -> None:
    quiet = Quiet()
    seen: list[bool] = []
    for step in (quiet.enter, quiet.enter, quiet.leave, quiet.leave):
        step()
        seen.append(quiet.broken)
    assert seen == [True, True, True, False]


def test_who_listens_hears_of_each_that_enters() -> None:
    quiet, heard = Quiet(), list[str]()
    with quiet.telling(lambda: heard.append("x")):
        quiet.enter()
        quiet.enter()
        quiet.leave()
    quiet.enter()
    assert heard == ["x", "x"]


async def test_it_is_waited_for_until_it_has_lasted() -> None:
    quiet = Quiet()
    quiet.enter()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(quiet.lasts(0.05))
        await asyncio.sleep(0)
        quiet.leave()
        await asyncio.sleep(0)
        quiet.enter()
        await asyncio.sleep(0.1)
        assert not waiting.done()
        quiet.leave()


async def test_an_answer_as_short_as_it_can_be_breaks_it() -> None:
    quiet = Quiet()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        loop = asyncio.get_running_loop()
        started = loop.time()
        waiting = tasks.create_task(quiet.lasts(0.1))
        await asyncio.sleep(0.06)
        quiet.enter()
        quiet.leave()
        await waiting
        assert loop.time() - started >= 0.16
