"""All answers: start, find, cancel, delete, expire. The only way from a create to a Generation.

An ended answer stays here for a while and is then replayed from the memory. Refuses to know which
door a request came through.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from tokenwire.errors import (
    InvalidStartingAfter,
    NotSaved,
    ResponseNotFound,
    ServerDraining,
    ServerError,
    StreamExpired,
    TokenwireError,
)
from tokenwire.generation.admission import AdmissionLimits, Line
from tokenwire.generation.generation import Generation, Tools
from tokenwire.generation.ids import new_id
from tokenwire.generation.intake import Asker, Intake
from tokenwire.generation.journal import Journal
from tokenwire.generation.orders import show_defaults
from tokenwire.generation.pacer import Pacer
from tokenwire.generation.quiet import Quiet
from tokenwire.generation.records import beginning_of
from tokenwire.generation.replay import Replay
from tokenwire.generation.takeup import take_up
from tokenwire.wire.events import new_response


if TYPE_CHECKING:
    from tokenwire.engine.base import Engines
    from tokenwire.generation.records import Records, Unfinished
    from tokenwire.wire.commands import Create
    from tokenwire.wire.items import Item


log = logging.getLogger(__name__)

# For who was reading when it ended, and comes back; later it is replayed from the memory.
KEEP_ENDED_S = 2.0
KEEP_ENDED = 4096
HOUSEKEEPING_S = 1.0

Listener = Callable[[Literal["started", "ended"], Generation], None]


class Generations:
    """Every response of this server, by id. Tasks live in the group that it is handed."""

    def __init__(
        self,
        engines: Engines,
        records: Records,
        tasks: asyncio.TaskGroup,
        *,
        limits: AdmissionLimits | None = None,
        grace_s: float = 0.0,
    ) -> None:
        self._engines = engines
        self._records = records
        self._tasks = tasks
        self._limits = limits or AdmissionLimits()
        self._grace_s = grace_s
        self._intake = Intake(engines, records, self._is_running)
        self._pacer = Pacer()
        self._journal = Journal(records, self._saving_changed)
        self.quiet = Quiet()
        self._lines: dict[str, Line] = {}
        self._live: dict[str, Generation] = {}
        self._origins: dict[str, str | None] = {}
        # By its user and key, the first that is here.
        self._keyed: dict[tuple[str, str | None], str] = {}
        self._listeners: set[Listener] = set()
        self._saving_listeners: set[Callable[[bool], None]] = set()
        self._draining = False

    def subscribe(self, listener: Listener) -> None:
        """Hear of each stored response that starts or ends."""
        self._listeners.add(listener)

    def subscribe_saving(self, listener: Callable[[bool], None]) -> None:
        """Hear when the disk begins to fail, and when it works again."""
        self._saving_listeners.add(listener)

    @property
    def saving(self) -> bool:
        """Whether what is generated is being saved."""
        return self._journal.saving

    @property
    def running(self) -> int:
        return sum(not generation.ended for generation in self._live.values())

    @property
    def waiting(self) -> int:
        return sum(line.waiting for line in self._lines.values())

    def origin(self, response_id: str) -> str | None:
        """The connection that created a live response."""
        return self._origins.get(response_id)

    async def run(self) -> None:
        """Pace, beat and expire, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pacer.run(), name="pacer")
            tasks.create_task(self._journal.run(), name="journal")
            tasks.create_task(self._keep_house(), name="housekeeping")

    async def take_up(self, unfinished: Sequence[Unfinished]) -> int:
        """Go on with what was running when the last server ended; end, with its text kept, what
        can't go on. Returns how many go on. Before anyone asks for anything.
        """
        going_on = 0
        for left in unfinished:
            generation, outcome = await take_up(left, self._engines, self._records, self._tools)
            self._live[generation.id] = generation
            generation.begin(self._tasks, outcome)
            going_on += outcome is None
            self._tell("started", generation)
        return going_on

    async def start(self, create: Create, asker: Asker) -> Generation | Replay:
        """Accept a create: check it, save it, say `response.created`, begin.

        Raises the refusal that its sender must hear; nothing was written then. The same
        idempotency key again gives the response that has it.
        """
        try:
            return await self._accept(create, asker)
        except TokenwireError:
            # It may be refused for what its own first send has done: that runs, or filled the line.
            if (existing := await self._intake.known(create, asker)) is None:
                raise
        return await self.find(asker.user_id, existing)

    async def _accept(self, create: Create, asker: Asker) -> Generation | Replay:
        self._refuse_when_draining()
        order, parent_id, prompt = await self._intake.take(create, asker)
        create = order.create
        # Again, as `close` ends only what it can see; from here to `_live` nothing waits.
        self._refuse_when_draining()
        response = new_response(
            create,
            response_id=new_id("resp"),
            model=order.model,
            created_at=int(time.time()),
            store=create.store is not False,
        )
        response.previous_response_id = create.parent_id or parent_id
        response.tokenwire = order.notes()
        engine = self._engines.ready(order.model)
        show_defaults(response, create, engine.limits if engine else None)
        generation = Generation(order, response, prompt, self._tools(order.model))
        self._live[generation.id] = generation
        self._origins[generation.id] = asker.origin
        if create.idempotency_key is not None:
            self._keyed.setdefault(_key(generation), generation.id)
        # A task of its own: who leaves while it is saved must not leave a row that nobody ends.
        beginning = self._tasks.create_task(
            self._begin(generation, parent_id), name=f"begin {generation.id}"
        )
        existing = await asyncio.shield(beginning)
        if isinstance(existing, TokenwireError):
            raise existing
        return generation if existing is None else await self.find(asker.user_id, existing)

    async def _begin(
        self, generation: Generation, parent_id: str | None
    ) -> str | TokenwireError | None:
        """Save it and begin. None, or the id that has its idempotency key, or why it can't be."""
        existing = None
        try:
            if generation.response.store:
                await self._refuse_unsaved()
                if self._keyed.get(_key(generation), generation.id) == generation.id:
                    generation.hasten(self._tasks)
                existing = await self._records.begin(beginning_of(generation, parent_id))
        except TokenwireError as error:
            self._forget(generation)
            return error
        except Exception:  # a task's top: whoever asked hears of it, the other tasks go on
            log.exception("A create could not be saved")
            self._forget(generation)
            return ServerError("The server failed. It was logged.")
        except BaseException:
            self._forget(generation)
            raise
        if existing is not None:
            self._forget(generation)
            return existing
        generation.begin(self._tasks)
        self._tell("started", generation)
        return None

    async def _refuse_unsaved(self) -> None:
        """What a response says is to be saved from its first word on."""
        await self._journal.flush()
        if not self._journal.saving:
            raise NotSaved("The request could not be saved: the disk is full, or it fails.")

    def _refuse_when_draining(self) -> None:
        if self._draining:
            raise ServerDraining("The server is stopping. Try again in a moment.")

    async def find(
        self, user_id: str, response_id: str, starting_after: int = -1
    ) -> Generation | Replay:
        """A response to read. Raises ResponseNotFound, StreamExpired or InvalidStartingAfter."""
        source: Generation | Replay | None = self.own(user_id, response_id)
        if source is None:
            status = await self._records.status(user_id, response_id)
            events = await self._records.events(user_id, response_id)
            if status is None or events is None:
                raise _not_found(response_id)
            if not events:
                # It was cut off before its end was saved; a log without an end would hang readers.
                raise StreamExpired(
                    f"The events of {response_id!r} were not kept; GET the response instead.",
                    param="response_id",
                )
            source = Replay(response_id, status, events)
        if starting_after > source.log.last_sequence_number:
            raise InvalidStartingAfter(
                f"The newest event of {response_id} is {source.log.last_sequence_number}.",
                param="starting_after",
            )
        return source

    async def finished(self, source: Generation | Replay) -> None:
        """Wait until a response has ended, saved."""
        if isinstance(source, Generation):
            await source.finished()

    async def resource(self, user_id: str, source: Generation | Replay) -> dict[str, object]:
        """The Response resource of a source that its owner holds."""
        if isinstance(source, Generation):
            return await self._resource(source)
        return await self.get(user_id, source.id)

    async def get(self, user_id: str, response_id: str) -> dict[str, object]:
        """The Response resource. Raises ResponseNotFound."""
        generation = self.own(user_id, response_id)
        if generation is not None:
            return await self._resource(generation)
        if (resource := await self._records.get(user_id, response_id)) is None:
            raise _not_found(response_id)
        return resource

    async def input_items(self, user_id: str, response_id: str) -> list[Item]:
        """What a response was made from, oldest first. Raises ResponseNotFound."""
        generation = self.own(user_id, response_id)
        if generation is not None:
            return [*generation.order.context, *generation.order.input]
        if (items := await self._records.input_items(user_id, response_id)) is None:
            raise _not_found(response_id)
        return items

    async def parent(self, create: Create, asker: Asker) -> str | None:
        """The response that a create goes on from. Raises ConversationNotFound."""
        return await self._intake.parent(create, asker.user_id)

    async def count_input(self, create: Create, asker: Asker) -> int:
        """The tokens of the prompt that a create would have. Raises what `start` raises."""
        self._refuse_when_draining()
        return await self._intake.count(create, asker)

    async def begin_cancel(self, user_id: str, response_id: str) -> None:
        """Ask a running response to end; its log says when it has. Raises ResponseNotFound."""
        if (generation := self.own(user_id, response_id)) is not None:
            generation.cancel()
        elif await self._records.status(user_id, response_id) is None:
            raise _not_found(response_id)

    async def cancel(self, user_id: str, response_id: str) -> dict[str, object]:
        """End a running response; one that has ended is returned unchanged. Raises
        ResponseNotFound.
        """
        generation = self.own(user_id, response_id)
        if generation is None:
            return await self.get(user_id, response_id)
        generation.cancel()
        await generation.finished()
        return generation.response.to_json()

    async def delete(self, user_id: str, response_id: str) -> None:
        """Forget a response and what continues it; a running one is cancelled first. Raises
        ResponseNotFound.
        """
        generation = self.own(user_id, response_id)
        if generation is not None:
            await self.cancel(user_id, response_id)
            self._drop(response_id)
        if not await self._records.delete(user_id, response_id) and generation is None:
            raise _not_found(response_id)
        for other in list(self._live.values()):
            # What continued it went with it.
            stored = other.ended and other.response.store and other.user_id == user_id
            if stored and await self._records.status(user_id, other.id) is None:
                self._drop(other.id)

    async def cancel_conversation(
        self, user_id: str, conversation_id: str, *, forget: bool = False
    ) -> None:
        """End whatever runs in a conversation; `forget` its responses here, too."""
        here, live = {"id": conversation_id}, self._live.values()
        inside = [g for g in live if g.user_id == user_id and g.response.conversation == here]
        for generation in inside:
            generation.cancel()
        for generation in inside:
            await generation.finished()
            if forget:
                self._drop(generation.id)

    def drain(self) -> None:
        """Refuse new work from now on."""
        self._draining = True
        self.quiet.enter()

    async def settle(self, seconds: float) -> None:
        """Wait until all that can't go on after a restart has ended by itself, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for generation in list(self._live.values()):
                    if not generation.outlives_the_server:
                        await generation.finished()

    async def close(self) -> None:
        """Stop all that runs, saved: what is durable goes on with the next server."""
        self._draining = True
        for generation in (running := [g for g in self._live.values() if not g.ended]):
            generation.interrupt()
        await asyncio.gather(*(generation.finished() for generation in running))
        await self._journal.flush()

    async def _resource(self, generation: Generation) -> dict[str, object]:
        # Whoever sees an end finds it again, also after a crash.
        if generation.ending:
            await generation.finished()
        return generation.response.to_json()

    def _tools(self, model: str) -> Tools:
        return Tools(
            engines=self._engines,
            journal=self._journal,
            pacer=self._pacer,
            line=self._lines.setdefault(model, Line(self._limits, self.quiet)),
            grace_s=self._grace_s,
        )

    def _is_running(self, user_id: str, response_id: str) -> bool:
        generation = self.own(user_id, response_id)
        return generation is not None and not generation.ended

    def own(self, user_id: str, response_id: str) -> Generation | None:
        """A response that runs, or ended lately."""
        generation = self._live.get(response_id)
        return generation if generation is not None and generation.user_id == user_id else None

    def _forget(self, generation: Generation) -> None:
        generation.abandon()
        self._drop(generation.id)

    def _drop(self, response_id: str) -> None:
        generation = self._live.pop(response_id, None)
        self._origins.pop(response_id, None)
        if generation is not None and self._keyed.get(_key(generation)) == response_id:
            del self._keyed[_key(generation)]

    def _tell(self, what: Literal["started", "ended"], generation: Generation) -> None:
        if generation.response.conversation is None:
            return
        for listener in self._listeners:
            listener(what, generation)
        if what == "started":
            self._tasks.create_task(self._tell_end(generation), name=f"end of {generation.id}")

    def _saving_changed(self, saving: bool) -> None:  # noqa: FBT001 a callback's one fact
        for generation in list(self._live.values()):
            generation.saving_changed(saving)
        for listener in self._saving_listeners:
            listener(saving)

    async def _tell_end(self, generation: Generation) -> None:
        await generation.finished()
        self._tell("ended", generation)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            self._look_after_all()

    def _look_after_all(self) -> None:
        now = time.monotonic()
        for generation in list(self._live.values()):
            keep = KEEP_ENDED_S if generation.stored else 0.0
            if generation.ended_at is None:
                generation.keep_alive()
            elif now - generation.ended_at > keep or len(self._live) > KEEP_ENDED:
                self._drop(generation.id)


def _key(generation: Generation) -> tuple[str, str | None]:
    return generation.user_id, generation.order.create.idempotency_key


def _not_found(response_id: str) -> ResponseNotFound:
    return ResponseNotFound(f"Response with id {response_id!r} not found.", param="response_id")
