"""Tells the page's sockets what changed: models, conversations, answers that began elsewhere.

Knows open page connections by user and nothing of what they show. What it says belongs to no log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal, Protocol

from tokenwire.history.values import Conversation
from tokenwire.web.objects import conversation_object, model_object


if TYPE_CHECKING:
    from tokenwire.engine.models import ModelState
    from tokenwire.generation.generation import Generation
    from tokenwire.generation.generations import Generations


log = logging.getLogger(__name__)


class PageSocket(Protocol):
    """A connection that speaks `tokenwire.v1`."""

    @property
    def id(self) -> str: ...

    @property
    def user_id(self) -> str: ...

    def say(self, kind: str, **fields: object) -> None: ...


Lookup = Callable[[str, str], Awaitable[Conversation | None]]


class Hub:
    """All open page sockets. `run` must be running for conversation news to go out."""

    def __init__(self, conversation: Lookup) -> None:
        self._conversation = conversation
        self._sockets: set[PageSocket] = set()
        self._news: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue()

    def add(self, socket: PageSocket) -> None:
        self._sockets.add(socket)

    def discard(self, socket: PageSocket) -> None:
        self._sockets.discard(socket)

    def model_changed(self, state: ModelState) -> None:
        for socket in self._sockets:
            socket.say("tokenwire:model.state", model=model_object(state))

    def conversation_changed(self, user_id: str, conversation_id: str, op: str) -> None:
        """`op` is created, updated, items (what is said in it was added to or taken from) or
        deleted.
        """
        self._news.put_nowait((user_id, conversation_id, op))

    def updated(self, user_id: str, conversation_id: str) -> None:
        self.conversation_changed(user_id, conversation_id, "updated")

    def follow(self, generations: Generations) -> None:
        """Tell of every answer in a conversation that begins or ends."""

        def heard(what: Literal["started", "ended"], generation: Generation) -> None:
            conversation = (generation.response.conversation or {}).get("id")
            if conversation is None:
                return
            if what == "started":
                origin = generations.origin(generation.id)
                self._response_started(generation, conversation, origin)
            self.updated(generation.user_id, conversation)

        generations.subscribe(heard)
        generations.subscribe_saving(self.saving_changed)

    def saving_changed(self, saving: bool) -> None:  # noqa: FBT001 a callback's one fact
        for socket in self._sockets:
            socket.say("tokenwire:saving.changed", saving=saving)

    def draining(self, grace_s: float) -> None:
        for socket in self._sockets:
            socket.say("tokenwire:server.draining", grace_ms=round(1000 * grace_s))

    async def run(self) -> None:
        while True:
            user_id, conversation_id, op = await self._news.get()
            if not (sockets := self._of(user_id)):
                continue
            try:
                found = await self._conversation(user_id, conversation_id)
            except Exception:  # news that could not be read must not end the server
                log.exception("What changed in %s could not be told", conversation_id)
                continue
            for socket in sockets:
                socket.say(
                    "tokenwire:conversation.changed",
                    op="deleted" if found is None else op,
                    conversation_id=conversation_id,
                    conversation=conversation_object(found) if found else None,
                )

    def _response_started(
        self, generation: Generation, conversation_id: str, origin: str | None
    ) -> None:
        for socket in self._of(generation.user_id):
            if socket.id != origin:
                socket.say(
                    "tokenwire:response.started",
                    conversation_id=conversation_id,
                    response_id=generation.id,
                    origin_connection_id=origin,
                )

    def _of(self, user_id: str) -> list[PageSocket]:
        return [socket for socket in self._sockets if socket.user_id == user_id]
