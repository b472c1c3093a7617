"""The door of the page where no WebSocket gets through: its connection as one event stream, and
what it says in POSTs. The same `Connection` as on a socket, so the same events, lanes and limits.

It refuses to know what is said.
"""

from __future__ import annotations

import asyncio
import contextvars
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta
from quart import Quart, Response, request

from tokenwire.errors import NotFound
from tokenwire.web.reply import json_body
from tokenwire.web.socket import Connection
from tokenwire.web.sse import stream
from tokenwire.wire.checked import JsonObject, convert


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from tokenwire.web.parts import Parts


TAKEN = 204
_encode = msgspec.json.Encoder().encode


class ClientEvents(msgspec.Struct, kw_only=True):
    """`POST /v1/events/{connection_id}`: what a client says on its feed."""

    events: Annotated[list[JsonObject], Meta(min_length=1, max_length=64)]


class Feed:
    """The peer of a connection: what is written to it leaves as the chunks of a stream. `ended` is
    called when nothing more leaves.
    """

    def __init__(self) -> None:
        self.ended: Callable[[], None] = _nothing
        self._open = True
        self._unsent: list[bytes] = []
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._clock = asyncio.get_running_loop().time

    @property
    def heard_at(self) -> float:
        """Now: whether the peer is there only a failing write can say."""
        return self._clock()

    @property
    def has_room(self) -> bool:
        return self._open and not self._unsent

    def write_texts(self, texts: Sequence[str]) -> None:
        self._unsent += [f"data: {text}\n\n".encode() for text in texts]
        self._room.clear()
        self._news.set()

    async def send_texts(self, texts: Sequence[str], seconds: float) -> bool:
        if not self._open:
            return True
        self.write_texts(texts)
        try:
            async with asyncio.timeout(seconds):
                await self._room.wait()
        except TimeoutError:
            return False
        return True

    def ping(self) -> None:
        """There is no such thing here."""

    def close(self, code: int, reason: str = "") -> None:
        """End the stream: it has no word for why."""
        self._open = False
        self._news.set()
        self._room.set()
        self.ended()

    def abort(self) -> None:
        self._unsent.clear()
        self.close(0)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """What is written, until the end."""
        while self._open or self._unsent:
            await self._news.wait()
            self._news.clear()
            chunk, self._unsent = b"".join(self._unsent), []
            if chunk:
                yield chunk
            if not self._unsent:
                self._room.set()


class FeedDoor:
    """The feeds that are open, and the way to them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._connections: dict[str, Connection] = {}

    async def read(self) -> Response:
        if request.method == "HEAD":
            # Its body would be made all the same, and never end.
            return Response(content_type="text/event-stream")
        return stream(self._serve(), self._parts.limits.send_timeout_s)

    async def say(self, connection_id: str) -> Response:
        said = convert(await json_body(), ClientEvents)
        connection = self._connections.get(connection_id)
        if connection is None or connection.user_id != self._parts.user_id:
            raise NotFound(f"There is no feed {connection_id!r}.", param="connection_id")
        for event in said.events:
            connection.received(_encode(event).decode())
        nothing = Response(status=TAKEN)
        del nothing.headers["Content-Type"]
        return nothing

    async def _serve(self) -> AsyncGenerator[bytes, None]:
        feed = Feed()
        # Each event by itself, as who reads an event stream expects.
        limits = replace(self._parts.limits.session, max_frame_bytes=0)
        connection = Connection(self._parts, feed, extension=True, limits=limits)
        feed.ended = connection.ended
        self._connections[connection.id] = connection
        # In a context of its own, as a socket: the request's would be held by each timer.
        serving = asyncio.get_running_loop().create_task(
            connection.serve(), name=f"{connection.id} feed", context=contextvars.Context()
        )
        try:
            async for chunk in feed.chunks():
                yield chunk
        finally:
            del self._connections[connection.id]
            connection.ended()
            serving.cancel()
            # They know each other, and would wait for the collector.
            feed.ended = _nothing


def _nothing() -> None: ...


def install(app: Quart, parts: Parts) -> None:
    door = FeedDoor(parts)
    app.add_url_rule("/v1/events", "feed", door.read, methods=["GET"])
    app.add_url_rule("/v1/events/<connection_id>", "feed_say", door.say, methods=["POST"])
