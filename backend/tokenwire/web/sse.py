"""The SSE door: a log read by cursor becomes `text/event-stream`. It never touches what an event
says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from quart import Response

from tokenwire import compat
from tokenwire.generation.generation import Generation
from tokenwire.generation.intake import RUNNING
from tokenwire.generation.log import follow
from tokenwire.generation.replay import Replay
from tokenwire.wire.events import Event


SILENCE_S = 10.0
DONE = b"data: [DONE]\n\n"

Source = Generation | Replay
# Which of the sources, and what came of it.
Encode = Callable[[int, Sequence[Event]], bytes]


def event_stream(
    sources: Sequence[Source],
    after: int,
    encode: Encode,
    send_timeout_s: float,
    *,
    done: bytes = DONE,
) -> Response:
    """What lies after a position, then the live tail, then `done`, if all have ended: an answer
    that the next server goes on with just stops. A peer that does not take a chunk in time is cut.
    """
    return stream(_read(sources, after, encode, done), send_timeout_s)


def stream(chunks: AsyncGenerator[bytes, None], send_timeout_s: float) -> Response:
    """The chunks as they come. A peer that does not take one in time is cut."""
    response = Response(
        _written(chunks, send_timeout_s),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"},
    )
    response.timeout = None
    return response


def responses_sse(_: int, events: Sequence[Event]) -> bytes:
    """Events as the Responses API writes them: a name and the event, each whole in one chunk."""
    return "".join(f"event: {event.type}\ndata: {event.json}\n\n" for event in events).encode()


async def _read(
    sources: Sequence[Source], after: int, encode: Encode, done: bytes
) -> AsyncGenerator[bytes, None]:
    for source in sources:
        source.join()
    logs = [source.log for source in sources]
    try:
        async for index, batch in follow(logs, after, silence=SILENCE_S):
            # A comment makes a write, and only a failing write shows that the peer is gone.
            if chunk := encode(index, batch) if batch else b": still here\n\n":
                yield chunk
        if done and not any(source.status in RUNNING for source in sources):
            yield done
    finally:
        for source in sources:
            source.leave()


async def _written(
    chunks: AsyncGenerator[bytes, None], send_timeout_s: float
) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    connection = compat.chunked_connection()
    async with aclosing(chunks):
        async for chunk in chunks:
            if connection is not None:
                if not await connection.put_chunk(chunk, send_timeout_s):
                    connection.abort()
                    return
                continue
            guard = loop.call_later(send_timeout_s, compat.abort_current)
            try:
                yield chunk
            finally:
                guard.cancel()
            # A write to a reset connection does not yield; without this its cancel never runs.
            await asyncio.sleep(0)
