"""One answer's life: admit -> generate -> log -> save -> end.

A Generation belongs to the server, not to a connection. It never raises into its task group:
every ending, whatever the cause, is a terminal event in its log, which it closes exactly once. It
refuses to know who reads, what SQL is and which engine answers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tokenwire.engine.base import Delta, Resume
from tokenwire.errors import ServerError, TokenwireError
from tokenwire.generation.ids import new_id
from tokenwire.generation.notices import Notices
from tokenwire.generation.orders import Order, render, sampling_of, show_defaults
from tokenwire.generation.outcome import Outcome, Stopwatch, failed, outcome_of
from tokenwire.generation.readers import Readers
from tokenwire.generation.records import Finish
from tokenwire.generation.transcript import Said, Transcript
from tokenwire.generation.warming import Warming
from tokenwire.wire.events import Event, Response, usage


if TYPE_CHECKING:
    from tokenwire.engine.base import Engine, Engines, Prompt
    from tokenwire.generation.admission import Line, Ticket
    from tokenwire.generation.journal import Journal
    from tokenwire.generation.log import Log
    from tokenwire.generation.pacer import Pacer
    from tokenwire.wire.items import Item


log = logging.getLogger(__name__)

FLUSH_CHARACTERS = 4096
UNREAD_S = 5.0

StopReason = Literal["cancelled", "steered", "interrupted", "suspended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a generation works with."""

    engines: Engines
    journal: Journal
    pacer: Pacer
    line: Line
    grace_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Past:
    """What a response had before its server ended; `times` it was taken up since."""

    item_id: str
    said: Said | None
    age_s: float
    times: int


class Generation:
    """A response that is being made, or was made lately. Read its `log`; nobody but itself writes
    it. With a `past` it goes on where that ends.
    """

    def __init__(
        self,
        order: Order,
        response: Response,
        prompt: Prompt | None,
        tools: Tools,
        past: Past | None = None,
    ) -> None:
        self.id = response.id
        self.user_id = order.user_id
        self.order = order
        self.response = response
        self.stored = response.store
        self.item_id = past.item_id if past else new_id("msg")
        self.ended_at: float | None = None
        self._tools = tools
        journal = tools.journal if self.stored else None
        self._said = Transcript(response, self.item_id, journal, past.said if past else None)
        self._past = past
        self._prompt = prompt
        self._cached = 0
        self._readers = Readers(tools.grace_s)
        self._task: asyncio.Task[None] | None = None
        # What comes before it is saved waits.
        self._begun = asyncio.Event()
        self._engine: Engine | None = None
        self._early: list[Delta] = []
        self._running = False
        self._ending = False
        self._was: str = response.status
        self._newest = Delta("")
        self._stop_reason: StopReason | None = None
        self._watch = Stopwatch(past.age_s if past else 0.0)
        self._notices = Notices(self._said, tools.line)
        # Taken before anything is saved: the line may refuse.
        self._warming = Warming(tools.line, order.user_id) if order.warms else None
        self._ticket = (
            self._warming.ticket if self._warming else self._enter(again=past is not None)
        )
        self._notices.ticket = self._ticket

    def _enter(self, *, again: bool) -> Ticket:
        return self._tools.line.enter(self.user_id, self._notices.moved, again=again)

    # What others see

    @property
    def log(self) -> Log:
        return self._said.log

    @property
    def status(self) -> str:
        return self._was if self.ending else self.response.status

    @property
    def ending(self) -> bool:
        """Whether its end is being saved: the resource has it already, and nobody may see it."""
        return self._ending and not self.ended

    @property
    def ended(self) -> bool:
        return self.log.closed

    def chain(self) -> list[Item] | None:
        """For a response that is not stored: the items its successor continues from."""
        if self.response.store:
            return None
        return [*self.order.context, *self.order.input, *self.response.output]

    def join(self) -> None:
        self._readers.join()

    def leave(self) -> None:
        """A reader has gone. A plain client's answer ends with its last reader; a durable one
        goes on.
        """
        self._readers.leave(None if self.order.durable or self._ending else self.cancel)

    def cancel(self) -> None:
        """End it as cancelled. Idempotent; an answer that has ended stays as it is."""
        self._stop("cancelled")

    def steer(self) -> None:
        """End it at this token, for another to go on from here; one that has begun to call a tool
        goes on to its end.
        """
        if not self._said.calling:
            self._stop("steered")

    def interrupt(self) -> None:
        """Stop because the server stops: one that is durable is left for the next server to go on
        with, its log closed without a terminal event; any other ends.
        """
        self._stop("suspended" if self.outlives_the_server else "interrupted")

    @property
    def outlives_the_server(self) -> bool:
        return self.order.durable and self.stored

    async def finished(self) -> None:
        """Wait for the end, saved."""
        ended = asyncio.Event()
        unwatch = self.log.watch(ended.set)
        try:
            while not self.log.closed:
                ended.clear()
                await ended.wait()
        finally:
            unwatch()

    def saving_changed(self, saving: bool) -> None:  # noqa: FBT001 a callback's one fact
        """The disk begins to fail, or works again: say whether this response is being saved."""
        if self.stored and not self._ending and self._said.begun:
            self.response.store = saving
            self._notices.tell()

    # Its life

    def abandon(self) -> None:
        """It was never begun: give the place in the line back."""
        self._tools.line.leave(self._ticket)
        self.log.close()
        self._begun.set()
        if self._task is not None:
            self._task.cancel()

    def hasten(self, tasks: asyncio.TaskGroup) -> None:
        """While it is being saved, let the engine begin, where it is ready and has room. Nothing is
        said before `begin`.
        """
        ready = self._tools.engines.state(self.order.model).phase == "ready"
        if ready and self._prompt is not None and self._ticket.admitted.is_set():
            self._task = tasks.create_task(self.run(), name=self.id)

    def begin(self, tasks: asyncio.TaskGroup, outcome: Outcome | None = None) -> None:
        """Say `response.created` and start to work; with an outcome, only to end so."""
        if outcome is None:
            waiting = not self._ticket.admitted.is_set() or self._prompt is None
            self.response.status = "queued" if waiting else "in_progress"
            if not self._said.begun:
                self._said.tell("created")
            if self.order.kept is not None and not self._said.token_ids:
                self._said.recall(self.order.kept)
            if self._ticket.position is not None:
                self._notices.moved()
        self._watch.mark("begun")
        self._begun.set()
        if self._task is None:
            self._task = tasks.create_task(self.run(outcome), name=self.id)
        elif self._engine is not None and self._stop_reason is None:
            try:
                self._catch_up(self._engine)
            except Exception:  # as in `run`: it must not reach the task group
                log.exception("Generation %s failed", self.id)
                self._stop("interrupted")

    def _catch_up(self, engine: Engine) -> None:
        """Say what was made before it could be said."""
        self._start(engine)
        early, self._early = self._early, []
        for delta in early:
            self._receive(delta)

    async def run(self, outcome: Outcome | None = None) -> None:
        """Make the answer, to its terminal event. Never raises but for a cancelled server."""
        self._running = True
        try:
            if outcome is None:
                outcome = self._stopped() if self._stop_reason else await self._work()
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            outcome = self._stopped()
        except TokenwireError as error:
            outcome = failed(error)
        except Exception:  # a task's top: whatever it was becomes the end of the log
            log.exception("Generation %s failed", self.id)
            outcome = failed(ServerError("The server failed. It was logged."))
        self._tools.line.leave(self._ticket)
        if not self._begun.is_set():
            # From here on a stop must not cancel what has to close the log.
            self._running = False
            await self._begun.wait()
            outcome = self._stopped() if self._stop_reason else outcome
        if self.log.closed:  # it was abandoned
            return
        self._notices.stop()
        self._was = self.response.status
        self._ending = True
        if self._stop_reason == "suspended":
            self._said.flush()
            await self._said.settled()
            self._said.close()
        else:
            await self._end(outcome)

    @property
    def told_at(self) -> float:
        return self._said.told_at

    def flush(self) -> None:
        self._said.flush()

    def keep_alive(self) -> None:
        """Called each second. Repeats the status after a silence, and ends an answer whose only
        reader never came to read.
        """
        if not self._begun.is_set():  # it is still being saved
            return
        self._notices.beat()
        unread = self._readers.never_came and self._watch.since("begun") > 1000 * UNREAD_S
        if unread and not self.order.durable:
            self.cancel()

    async def _work(self) -> Outcome:
        if self._warming is not None:
            return await self._read_ahead(self._warming)
        await self._ticket.admitted.wait()
        await self._generate()
        await self._begun.wait()
        return outcome_of(self._newest.finish)

    async def _read_ahead(self, warming: Warming) -> Outcome:
        engines, model = self._tools.engines, self.order.model
        read = await warming.read(self._generate, lambda: engines.ready(model) is not None)
        await self._begun.wait()
        if read and self._newest.finish not in ("stop", "length"):
            return outcome_of(self._newest.finish)
        # What it has read in turns that were taken back, nobody has counted.
        warm = self._prompt_tokens if read else self._cached
        self.response.tokenwire = self.response.tokenwire | {"warm_tokens": warm}
        return Outcome("completed", "stop")

    async def _generate(self) -> None:
        order = self.order
        if self._engine is None:
            self._watch.mark("admitted")
        async with self._tools.engines.lease(order.model, self._notices.model_changed) as engine:
            self._notices.model_ready()
            prompt = self._prompt or await render(engine, order)
            self._prompt = prompt
            first, self._engine = self._engine is None, engine
            if first and self._begun.is_set():
                self._start(engine)
            done = tuple(self._said.token_ids) or (order.kept.token_ids if order.kept else ())
            resume = Resume(done) if done else None
            await engine.generate(prompt, sampling_of(order), self.id, self._receive, resume)

    def _start(self, engine: Engine) -> None:
        self._watch.mark("started")
        self.response.status = "in_progress"
        show_defaults(self.response, self.order.create, engine.limits)
        if self._past is not None:
            self.response.tokenwire = self.response.tokenwire | {"taken_up": self._past.times}
        prompt = self._prompt.token_ids if self._prompt else None
        self._said.tell("in_progress", prompt=prompt)

    def _receive(self, delta: Delta) -> None:
        if not self._begun.is_set():
            self._early.append(delta)
            return
        if delta.cached_tokens:
            self._cached = delta.cached_tokens
        self._newest = delta
        if self.order.warms:
            return
        said = self._said
        begins = len(said.token_ids) == self.order.kept_tokens
        if delta.token_ids and begins:
            self._watch.mark("first_token")
        first = begins or said.silent
        said.add(delta)
        if said.pending and (first or said.pending >= FLUSH_CHARACTERS):
            said.flush()
        elif said.pending:
            self._tools.pacer.mark(self)

    async def _end(self, outcome: Outcome) -> None:
        try:
            self._said.hold()
            await self._said.settled()
            closing = self._said.ending(outcome, silent=self.order.warms)
            self._conclude(outcome)
            terminal = self._said.terminal(outcome)
            if self.stored:
                terminal = await self._saved(outcome, closing, terminal)
            self._said.close([*closing, terminal])
        finally:
            self.ended_at = time.monotonic()
            self.log.close()
            # It holds the coroutine and the context of all that it did.
            self._task = None

    def _conclude(self, outcome: Outcome) -> None:
        self._watch.mark("ended")
        response = self.response
        response.store = self.stored
        response.status = outcome.status
        response.completed_at = int(time.time()) if outcome.status == "completed" else None
        if outcome.reason is not None:
            response.incomplete_details = {"reason": outcome.reason}
        response.error = outcome.error_object
        tokens = len(self._said.token_ids)
        response.usage = usage(
            self._prompt_tokens, tokens, self._cached, self._newest.reasoning_tokens
        )
        made = tokens - self.order.kept_tokens
        timing = self._watch.timings(made) | {"reasoning_ms": self._said.reasoning_ms}
        response.tokenwire = response.tokenwire | {"timing": timing}
        if self._stop_reason == "cancelled":
            freed_ms = self._watch.since("stopped")
            response.tokenwire = response.tokenwire | {"cancel": {"freed_ms": freed_ms}}

    async def _saved(self, outcome: Outcome, closing: list[Event], terminal: Event) -> Event:
        """Save the end. The terminal event to show: where it could not be saved, one that says so,
        as the text is still delivered.
        """
        journal = self._tools.journal
        if await journal.finish(self._finish(outcome, [*closing, terminal])):
            return terminal
        self.response.store = False
        terminal = self._said.retold(terminal, outcome)
        journal.keep_end(self._finish(outcome, [*closing, terminal]))
        return terminal

    def _finish(self, outcome: Outcome, last: list[Event]) -> Finish:
        timing = self._watch.timings(len(self._said.token_ids) - self.order.kept_tokens)
        return Finish(
            response=self.response,
            finish_reason=outcome.finish_reason,
            events=[event.json for event in (*self.log.after(-1), *last)],
            token_ids=self._said.token_ids,
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached,
            queued_ms=timing["queue_ms"],
            ttft_ms=timing["ttft_ms"],
            decode_ms=timing["decode_ms"],
            seed=self.order.create.seed,
            # A plain client that heard nothing before a crash asks again, and not for this.
            keeps_key=self._past is None or self.order.durable or not self._said.silent,
        )

    @property
    def _prompt_tokens(self) -> int:
        return len(self._prompt.token_ids) if self._prompt else 0

    # Stopping

    def _stop(self, reason: StopReason) -> None:
        if self._ending:
            return
        if self._stop_reason is not None:
            # What is being left to the next server would go on there, what is steered in another.
            if self._stop_reason in ("suspended", "steered") and reason == "cancelled":
                self._stop_reason = reason
            return
        self._watch.mark("stopped")
        self._stop_reason = reason
        # A task that is cancelled before its first step never runs, and its log would stay open.
        if self._running and self._task is not None:
            self._task.cancel()

    def _stopped(self) -> Outcome:
        if self._stop_reason == "cancelled":
            return Outcome("cancelled", "abort", reason="cancelled")
        if self._stop_reason == "steered":
            return Outcome("incomplete", "abort", reason="steered")
        return Outcome("incomplete", "abort", reason="interrupted")
