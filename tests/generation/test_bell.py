"""A bell: no ring is lost, a silence is told, and one timer serves many waits."""

from __future__ import annotations

import asyncio
import time

from tokenwire.generation.bell import Bell


LONG = 60.0


async def test_a_ring_before_the_wait_is_heard_once() -> None:
    bell = Bell(0.01)
    bell.ring()
    bell.ring()
    assert await bell.wait()
    assert not await bell.wait()


async def test_a_ring_wakes_who_waits() -> None:
    bell = Bell(LONG)
    asyncio.get_running_loop().call_later(0.01, bell.ring)
    assert await bell.wait()
    bell.close()


async def test_a_silence_is_counted_from_the_beginning_of_the_wait() -> None:
    bell = Bell(0.1)
    loop = asyncio.get_running_loop()
    for _ in range(4):
        loop.call_later(0.05, bell.ring)
        assert await bell.wait()
    began = loop.time()
    assert not await bell.wait()
    assert loop.time() - began > 0.09


async def test_a_ring_that_comes_with_the_silence_is_not_lost() -> None:
    bell = Bell(0.01)
    loop = asyncio.get_running_loop()
    waiting = asyncio.ensure_future(bell.wait())
    await asyncio.sleep(0)
    # The loop is busy until the silence is over; the ring has its turn before who waits.
    loop.call_later(0.01, bell.ring)
    time.sleep(0.03)  # noqa: ASYNC251
    assert await waiting


async def test_a_cancelled_wait_leaves_the_next_one_whole() -> None:
    bell = Bell(LONG)
    waiting = asyncio.ensure_future(bell.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    bell.ring()
    assert await bell.wait()
    bell.close()
