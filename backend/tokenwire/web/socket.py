"""The WebSocket door around `wire.session`: a task that reads, one that starts answers and waits
for slow peers, and a callback that writes. No rule of the protocol lives here.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NoReturn

from quart import Quart, websocket

from tokenwire import compat
from tokenwire.errors import InvalidJson, ServerError, TokenwireError
from tokenwire.generation.ids import new_id
from tokenwire.generation.intake import Asker
from tokenwire.web.objects import model_object
from tokenwire.web.page import build_id
from tokenwire.wire.commands import Attach, Cancel, Create
from tokenwire.wire.session import Session


if TYPE_CHECKING:
    from tokenwire.web.parts import Parts


log = logging.getLogger(__name__)

PROTOCOL = "tokenwire.v1"
# Subprotocols that other clients offer and expect to hear back; none carries a secret.
ECHOED = (PROTOCOL, "responses", "realtime")
FAILED = "The server failed. It was logged."
GOING_AWAY, POLICY, INTERNAL_ERROR = 1001, 1008, 1011
RESTART, TRY_LATER, MALFORMED = 1012, 1013, 4400


def install(app: Quart, parts: Parts) -> None:
    async def responses_socket() -> None:
        offered = websocket.requested_subprotocols
        chosen = next((name for name in ECHOED if name in offered), None)
        await websocket.accept(subprotocol=chosen)  # pyright: ignore[reportUnknownMemberType]
        peer = compat.current_websocket()
        await Connection(parts, peer, extension=chosen == PROTOCOL).serve()

    app.add_websocket("/v1/responses", "responses_socket", responses_socket)


class _Ending(Exception):  # noqa: N818  (an end is no error)
    """The connection ends with a close code; ends the other tasks of its group."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Connection:
    """One client. Ends with a close code, or with the cancellation that a disconnect is."""

    def __init__(self, parts: Parts, peer: compat.PlainWebsocket, *, extension: bool) -> None:
        self._peer = peer
        self.id = new_id("sock")
        self.user_id = parts.user_id
        self._parts = parts
        self._loop = asyncio.get_running_loop()
        # Something to do that takes a task: to start an answer, to wait for the peer, to end.
        self._work = asyncio.Event()
        self._session = Session(extension=extension, limits=parts.limits.session, wake=self._wake)
        self._asker = Asker(
            parts.user_id, durable=extension, cached=self._session.cached, origin=self.id
        )
        self._born = self._sent_at = self._loop.time()
        self._draining = parts.draining
        self._pumping = self._sending = self._gone = False
        self._beat = self._loop.call_later(parts.limits.heartbeat_s, self._keep_alive)
        self._broken: Exception | None = None
        self._malformed = 0
        self._pings = 0

    def say(self, kind: str, **fields: object) -> None:
        self._session.say(kind, **fields)

    async def serve(self) -> None:
        """Greet, read and write until one of them ends."""
        if self._session.extension:
            self._greet()
            self._parts.hub.add(self)
        code: int | None = INTERNAL_ERROR
        unwatch = self._draining.watch(self._work.set)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(), name=f"{self.id} reader")
                await self._serve()
        except* _Ending as endings:
            first = endings.exceptions[0]
            code = first.code if isinstance(first, _Ending) else INTERNAL_ERROR
        except* OSError:
            code = None  # the peer is gone
        except* Exception:  # a task's top: the client must not take this for a normal end
            log.exception("Connection %s failed", self.id)
        finally:
            self._gone = True
            unwatch()
            self._beat.cancel()
            self._parts.hub.discard(self)
            self._session.close()
        if code is not None:
            await self._close(code)

    def _greet(self) -> None:
        limits = self._parts.limits
        self.say(
            "tokenwire:hello",
            connection_id=self.id,
            server_id=self._parts.server_id,
            protocol=PROTOCOL,
            build=build_id(self._parts.page),
            limits={
                "max_in_flight": limits.session.max_in_flight,
                "max_lanes": limits.session.max_lanes,
                "max_message_bytes": limits.max_message_bytes,
            },
            saving=self._parts.generations.saving,
            heartbeat_ms=round(1000 * limits.heartbeat_s),
            max_age_s=round(limits.max_age_s),
        )
        for state in self._parts.models.states():
            self.say("tokenwire:model.state", model=model_object(state))

    async def _read(self) -> NoReturn:
        while True:
            frame = await self._peer.receive()
            if not isinstance(frame, str):
                self._session.refuse(InvalidJson("A frame must be text, not binary."), None)
                self._malformed += 1
            else:
                before = self._session.refused_json
                command = self._session.receive(frame)
                self._malformed = self._malformed + 1 if self._session.refused_json > before else 0
                if command is not None:
                    await self._obey(command)
            if self._malformed >= self._parts.limits.malformed_frames:
                raise _Ending(MALFORMED)
            if self._session.overfull:
                raise _Ending(POLICY)

    async def _obey(self, command: Cancel | Attach) -> None:
        generations = self._parts.generations
        try:
            if isinstance(command, Attach):
                source = await generations.find(
                    self.user_id, command.response_id, command.starting_after
                )
                self._session.attach(command, source)
            else:
                await generations.begin_cancel(self.user_id, command.response_id or "")
        except TokenwireError as error:
            self._session.refuse(error, command.stream_id)
        except Exception:  # one request must not take the other lanes with it
            log.exception("An attach or a cancel failed")
            self._session.refuse(ServerError(FAILED), command.stream_id)

    def _wake(self) -> None:
        """There may be something to send or to start: look when all that comes now has come."""
        if not self._pumping:
            self._pumping = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Write what the lanes have, without waking a task; leave to the task what has to wait."""
        self._pumping = False
        if self._gone:
            return
        try:
            self._write()
        except Exception as error:  # noqa: BLE001 the task ends the connection with it
            self._broken = error
            self._work.set()

    def _write(self) -> None:
        if self._sending or not self._peer.has_room:
            self._work.set()
            return
        if frames := self._session.take():
            self._sent_at = self._loop.time()
            self._peer.write_texts(frames)
        if self._session.waiting or self._draining.on:
            self._work.set()

    async def _serve(self) -> NoReturn:
        limits = self._parts.limits
        while True:
            self._work.clear()
            if self._broken is not None:
                raise self._broken
            if (create := self._session.next_create()) is not None:
                await self._start(create)
                self._work.set()
            if not await self._send(self._session.take()):
                compat.abort_current()
                raise _Ending(TRY_LATER)
            if self._session.idle:
                if self._draining.on:
                    raise _Ending(RESTART)
                if self._loop.time() - self._born > limits.max_age_s:
                    raise _Ending(GOING_AWAY)
            if self._work.is_set():
                # Neither a write nor this wait gives the loop away then: a cancel would never come.
                await asyncio.sleep(0)
            await self._work.wait()

    def _keep_alive(self) -> None:
        """Feed the page's watchdog after a silence, and look at the connection's age."""
        limits = self._parts.limits
        now = self._loop.time()
        silent_s = now - self._sent_at
        if silent_s >= limits.heartbeat_s:
            silent_s = 0.0
            if self._session.extension:
                self._pings += 1
                self.say("tokenwire:ping", t=self._pings)
        if now - self._born > limits.max_age_s:
            self._work.set()
        self._beat = self._loop.call_later(limits.heartbeat_s - silent_s, self._keep_alive)

    async def _start(self, create: Create) -> None:
        try:
            source = await self._parts.generations.start(create, self._asker)
        except TokenwireError as error:
            self._session.failed(create, error)
        except Exception:  # one request must not take the other lanes with it
            log.exception("A create failed")
            self._session.failed(create, ServerError(FAILED))
        else:
            if (cancel := self._session.started(create, source)) is not None:
                await self._obey(cancel)

    async def _send(self, frames: list[str]) -> bool:
        """False when the peer has not taken them in time."""
        if not frames:
            return True
        self._sent_at = self._loop.time()
        self._sending = True
        try:
            return await self._peer.send_texts(frames, self._parts.limits.send_timeout_s)
        finally:
            self._sending = False

    async def _close(self, code: int) -> None:
        try:
            async with asyncio.timeout(1):
                await self._peer.close(code)
        except (OSError, RuntimeError, TimeoutError):
            return
