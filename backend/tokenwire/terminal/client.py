"""A Tokenwire server as its client sees it: plain HTTP for what there is, and an answer over a
WebSocket that resumes by itself.

It knows the protocol and refuses to know how anything is shown, or who asked for it.
"""

# ruff: noqa: N818 errors are named for what happened, as in errors.py

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import backoff, process_exception
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from tokenwire.wire.events import TERMINAL


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

Json = dict[str, Any]

LANE = "terminal"
HTTP_TIMEOUT_S = 20
# A peer that is gone must not hold who leaves.
CLOSE_TIMEOUT_S = 1
# A server that ends each socket at once is not asked again without a pause.
PAUSE_S = 0.25
# The close codes after which the official SDKs connect again; any other is final.
PASSING = frozenset({1001, 1005, 1006, 1011, 1012, 1013, 1015})
# The server is about to close the socket; the request is not at fault.
DRAINING = "server_draining"
# The first delay is drawn from 0 to 0.5 s, then they grow from 0.5 to 5 s.
_delays = partial(backoff, 0.5, 0.5, 5.0, 1.6)


class ClientError(Exception):
    """What went wrong, in one sentence for a person."""


class NoServer(ClientError):
    """Nobody answers there."""


class Refused(ClientError):
    """The server said no."""


class Lost(ClientError):
    """The server no longer knows the answer that was being read."""


class Left(ClientError):
    """Whoever read it left while the server was away; the answer was not stopped."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, and the key that it may want. No proxy stands before one's own machine."""

    url: str
    key: str | None = None

    @classmethod
    def at(cls, url: str, key: str | None) -> Server:
        """Raises ClientError where this is no address."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClientError(f"{url!r} is no address; one looks like http://127.0.0.1:8000")
        return cls(url.rstrip("/"), key)

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """The JSON that answers a request. Raises NoServer or Refused."""
        headers = self._headers() | {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=HTTP_TIMEOUT_S) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(_refusal(error.code, error.read())) from error
        except (OSError, HTTPException, ValueError) as error:
            raise self.absent() from error

    async def sockets(
        self, failed: Callable[[Exception], Exception | None]
    ) -> AsyncGenerator[ClientConnection, None]:
        """A socket of the page's protocol, and another each time that one ends. `failed` says what
        to raise when none opens; None tries again.
        """
        sockets = aiter(
            connect(
                self.url.replace("http", "ws", 1) + "/v1/responses",
                subprotocols=[Subprotocol("tokenwire.v1")],
                additional_headers=self._headers(),
                compression=None,
                proxy=None,
                max_size=None,
                close_timeout=CLOSE_TIMEOUT_S,
                reconnect_delays=_delays,
                process_exception=failed,
            )
        )
        # Its type hides that it is a generator, which has to be closed by whoever stops early.
        async with aclosing(cast("AsyncGenerator[ClientConnection, None]", sockets)) as opened:
            async for socket in opened:
                yield socket

    def absent(self) -> NoServer:
        return NoServer(f"No Tokenwire server answers at {self.url}; `tokenwire serve` starts one.")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


class Answer:
    """One response, from a create or, where it runs already, from its first event."""

    def __init__(
        self, server: Server, create: Json | None = None, *, response_id: str | None = None
    ) -> None:
        self._server = server
        # The key makes it harmless to send it again when its acknowledgement was lost.
        self._create = {**(create or {}), "tokenwire": {"idempotency_key": uuid4().hex}}
        self._id = response_id
        self._last = -1
        self._met = self._away = self._stopping = False

    async def read(self, show: Callable[[Json], None], away: Callable[[], None]) -> Json:
        """Show each event once and in order, over any number of sockets. Returns the response as it
        ended. `away` is called each time that the server has gone away, once.

        Cancelling the task that reads stops the answer: what is left of it is still shown, and
        the response returned. A second time leaves at once.

        Raises NoServer, Refused, Lost, or Left where it could not be stopped.
        """
        try:
            async with aclosing(self._server.sockets(partial(self._failed, away))) as sockets:
                async for socket in sockets:
                    self._met, self._away = True, False
                    try:
                        if (response := await self._read_on(socket, show)) is not None:
                            return response
                    except ConnectionClosed as closed:
                        _check_close(closed)
                    await asyncio.sleep(PAUSE_S)
        except asyncio.CancelledError:
            if self._stopping or not _uncancelled():
                raise
            raise Left("The server could not be told to stop; the answer goes on there.") from None
        raise AssertionError("the sockets have no end")

    def _failed(self, away: Callable[[], None], error: Exception) -> Exception | None:
        """What to raise when no socket could be opened, or None to try again."""
        if process_exception(error) is None and self._met:
            if not self._away:
                self._away = True
                away()
            return None
        if isinstance(error, InvalidStatus):
            response = error.response
            return Refused(_refusal(response.status_code, response.body))
        return self._server.absent() if isinstance(error, OSError | InvalidMessage) else error

    async def _read_on(self, socket: ClientConnection, show: Callable[[Json], None]) -> Json | None:
        """Read on one socket. The response as it ended, or None if this one can't be trusted."""
        await socket.send(json.dumps(self._wanted() | {"stream_id": LANE}))
        if self._stopping:
            await self._stop(socket)
        while True:
            for event in _events(await self._receive(socket)):
                if event["type"] == "error" and event["error"]["code"] != DRAINING:
                    raise self._refused(event["error"])
                if not event["type"].startswith("response."):
                    continue
                number: int = event["sequence_number"]
                if number > self._last + 1:
                    return None
                if number == self._last + 1:
                    await self._take(socket, event, show)
                    if event["type"] in TERMINAL:
                        return event["response"]

    async def _receive(self, socket: ClientConnection) -> str | bytes:
        try:
            return await socket.recv()
        except asyncio.CancelledError:
            if self._stopping or not _uncancelled():
                raise
            self._stopping = True
            await self._stop(socket)
        return await socket.recv()

    async def _take(
        self, socket: ClientConnection, event: Json, show: Callable[[Json], None]
    ) -> None:
        self._last = event["sequence_number"]
        if "response" in event:
            self._id = event["response"]["id"]
        try:
            show(event)
        except Exception:
            # Nobody reads it any more: it must not be made for nobody.
            await self._stop(socket)
            raise

    async def _stop(self, socket: ClientConnection) -> None:
        # Without an id: whatever the lane is starting.
        named = {} if self._id is None else {"response_id": self._id}
        cancel = {"type": "response.cancel", "stream_id": LANE, **named}
        await socket.send(json.dumps(cancel))

    def _wanted(self) -> Json:
        if self._id is None:
            return {"type": "response.create", **self._create}
        return {
            "type": "tokenwire:response.attach",
            "response_id": self._id,
            "starting_after": self._last,
        }

    def _refused(self, error: Json) -> ClientError:
        if self._create.get("store") is False and self._last >= 0:
            return Lost("The answer is lost: it was not stored, and the server forgot it.")
        return Refused(error["message"])


def _uncancelled() -> bool:
    """Take back the cancelling of this task; False where it was cancelled more than once."""
    task = asyncio.current_task()
    return task is not None and task.uncancel() == 0


def _events(frame: str | bytes) -> list[Json]:
    value: Any = json.loads(frame)
    return cast("list[Json]", value) if isinstance(value, list) else [value]


def _check_close(closed: ConnectionClosed) -> None:
    code = closed.rcvd.code if closed.rcvd else 1006
    if code not in PASSING:
        raise Refused(f"The server closed the connection for good (code {code}).") from closed


def _refusal(status: int, body: bytes | bytearray | None) -> str:
    """The sentence of an error's body, if it has one."""
    try:
        return str(json.loads(body or b"")["error"]["message"])
    except (ValueError, TypeError, KeyError):
        return f"The server at this address answers with an error ({status})."
