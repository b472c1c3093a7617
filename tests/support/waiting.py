"""Waiting for what has no event to wait for: let the other tasks run until something holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], bool]) -> None:
    """Return as soon as `holds()`, and no later than that; TimeoutError after 10 s."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - it waits for no time, it lets the others run
            await asyncio.sleep(0)
