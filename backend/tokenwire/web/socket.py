"""The WebSocket door around `wire.session`: callbacks that read and write, and a task that starts
answers and waits for slow peers. No rule of the protocol lives here, and a connection refuses to
know what carries it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from quart import Quart, websocket

from tokenwire import compat
from tokenwire.errors import InvalidJson, ServerError, TokenwireError
from tokenwire.generation.ids import new_id
from tokenwire.generation.intake import Asker
from tokenwire.web.objects import model_object
from tokenwire.web.page import build_id
from tokenwire.web.steers import Steers
from tokenwire.wire.commands import Attach, Cancel, Create
from tokenwire.wire.session import Session
from tokenwire.wire.steering import Steer


if TYPE_CHECKING:
    from tokenwire.web.parts import Parts
    from tokenwire.web.sockets import Peer
    from tokenwire.wire.session import SessionLimits


log = logging.getLogger(__name__)

PROTOCOL = "tokenwire.v1"
# Subprotocols that other clients offer and expect to hear back; none carries a secret.
ECHOED = (PROTOCOL, "responses", "realtime")
FAILED = "The server failed. It was logged."
GOING_AWAY, POLICY, INTERNAL_ERROR = 1001, 1008, 1011
RESTART, MALFORMED = 1012, 4400
# Cancels and attaches that wait.
MOST_ORDERS = 64


def install(app: Quart, parts: Parts) -> None:
    async def responses_socket() -> None:
        offered = websocket.requested_subprotocols
        chosen = next((name for name in ECHOED if name in offered), None)
        compat.accept(lambda peer: Connection(parts, peer, extension=chosen == PROTOCOL), chosen)

    app.add_websocket("/v1/responses", "responses_socket", responses_socket)


class Connection:
    """One client: what the WebSocket that it is on is served by. `limits` in the place of the usual
    ones.
    """

    def __init__(
        self, parts: Parts, peer: Peer, *, extension: bool, limits: SessionLimits | None = None
    ) -> None:
        self._peer = peer
        self.id = new_id("sock")
        self.user_id = parts.user_id
        self._parts = parts
        self._sockets = parts.sockets
        self._loop = asyncio.get_running_loop()
        # Something to do that takes a task: to start an answer, to wait for the peer, to end.
        self._work = asyncio.Event()
        limits = limits or parts.limits.session
        self._session = Session(extension=extension, limits=limits, wake=self._wake)
        self._asker = Asker(
            parts.user_id, durable=extension, cached=self._session.cached, origin=self.id
        )
        self._steers = Steers(parts, self._session, self._asker)
        self._born = self._sent_at = self._loop.time()
        self._asked_at = 0.0
        self._pumping = self._sending = self._over = False
        self._orders: list[Cancel | Attach] = []
        self._obeying: asyncio.Task[None] | None = None
        self._malformed = 0
        self._pings = 0

    def say(self, kind: str, **fields: object) -> None:
        self._session.say(kind, **fields)

    async def serve(self) -> None:
        """Greet, start answers, and write what the peer has to make room for, until the end."""
        try:
            if self._session.extension:
                self._greet()
                self._parts.hub.add(self)
            self._sockets.add(self)
            await self._serve()
        except Exception:  # a task's top: the client must not take this for a normal end
            log.exception("Connection %s failed", self.id)
            self._peer.close(INTERNAL_ERROR)
        finally:
            self._over = True
            self._sockets.discard(self)
            if self._obeying is not None:
                self._obeying.cancel()
            self._parts.hub.discard(self)
            self._session.close()

    def ended(self) -> None:
        """The peer is gone, or has been told goodbye."""
        self._over = True
        self._work.set()

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

    def received(self, frame: str | bytes) -> None:
        """Take a frame: at once, but for what has to wait for the memory."""
        if self._over:
            return
        try:
            command = self._read(frame)
        except Exception:  # as in `serve`: this is called by the event loop
            log.exception("Connection %s failed", self.id)
            self._peer.close(INTERNAL_ERROR)
            return
        if isinstance(command, Steer):
            self._steers.steer(command)
        elif command is not None:
            self._orders.append(command)
            if self._obeying is None:
                self._obeying = self._loop.create_task(self._obey_all(), name=f"{self.id} orders")
        if self._malformed >= self._parts.limits.malformed_frames:
            self._peer.close(MALFORMED)
        elif self._session.overfull or len(self._orders) > MOST_ORDERS:
            self._peer.close(POLICY)

    def _read(self, frame: str | bytes) -> Cancel | Attach | Steer | None:
        if not isinstance(frame, str):
            self._session.refuse(InvalidJson("A frame must be text, not binary."), None)
            self._malformed += 1
            return None
        before = self._session.refused_json
        command = self._session.receive(frame)
        self._malformed = self._malformed + 1 if self._session.refused_json > before else 0
        return command

    async def _obey_all(self) -> None:
        """A task that is there while orders are: an idle connection has no use for it."""
        try:
            while self._orders:
                await self._obey(self._orders.pop(0))
        finally:
            self._obeying = None

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
        """There may be something to send or to start."""
        if not self._pumping:
            self._pumping = True
            self._sockets.wake(self)

    def pump(self, now: float) -> None:
        """Write what the lanes have, without waking a task; leave to the task what has to wait."""
        self._pumping = False
        if self._over:
            return
        try:
            self._write(now)
        except Exception:  # as in `serve`: this is called by the event loop
            log.exception("Connection %s failed", self.id)
            self._peer.close(INTERNAL_ERROR)

    def _write(self, now: float) -> None:
        if self._sending or not self._peer.has_room:
            self._work.set()
            return
        if frames := self._session.take():
            self._sent_at = now
            self._peer.write_texts(frames)
        if self._session.waiting or self._sockets.draining:
            self._work.set()

    async def _serve(self) -> None:
        limits = self._parts.limits
        while not self._over:
            self._work.clear()
            if (create := self._session.next_create()) is not None:
                await self._start(create)
                self._work.set()
            if not await self._send(self._session.take()):
                self._peer.abort()
                return
            if self._session.idle:
                if self._sockets.draining:
                    self._peer.close(RESTART)
                elif self._loop.time() - self._born > limits.max_age_s:
                    self._peer.close(GOING_AWAY)
            await self._work.wait()

    def beat(self, now: float) -> None:
        """Ask a silent peer whether it lives, feed the page's watchdog after a silence of ours, and
        look at the age.
        """
        limits = self._parts.limits
        silent_s = now - self._peer.heard_at
        if silent_s > limits.ask_s:
            if silent_s > limits.gone_s:
                self._peer.abort()
            elif now - self._asked_at > limits.heartbeat_s:
                self._asked_at = now
                self._peer.ping()
        if now - self._sent_at > limits.heartbeat_s and self._session.extension:
            self._pings += 1
            self.say("tokenwire:ping", t=self._pings)
        if now - self._born > limits.max_age_s:
            self._work.set()

    def drain(self) -> None:
        self._work.set()

    async def _start(self, create: Create) -> None:
        try:
            source = await self._parts.steering.start(create, self._asker)
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
