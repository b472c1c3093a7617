"""One answer's life: admit -> generate -> log -> save -> end.

A Generation belongs to the server, not to a connection. It never raises into its task group:
every ending, whatever the cause, is a terminal event in its log, which it closes exactly once. It
refuses to know who reads, what SQL is and which engine answers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from array import array
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tokenwire.errors import NotSaved, ServerError, TokenwireError
from tokenwire.generation.ids import new_id
from tokenwire.generation.log import Log
from tokenwire.generation.orders import Order, render, sampling_of, show_defaults
from tokenwire.generation.outcome import Outcome, Stopwatch, failed, outcome_of
from tokenwire.generation.records import Beginning, Finish, Records
from tokenwire.wire.events import Event, Narrator, Response, Status, usage


if TYPE_CHECKING:
    from tokenwire.engine.base import Delta, Engine, Engines, ModelState, Prompt
    from tokenwire.generation.admission import Line, Ticket
    from tokenwire.generation.pacer import Pacer
    from tokenwire.wire.items import Item


log = logging.getLogger(__name__)

FLUSH_CHARACTERS = 4096
TELL_EVERY_S = 0.25
HEARTBEAT_S = 15.0
UNREAD_S = 5.0
# A resource with long instructions is not repeated at each change of place.
LONG_INSTRUCTIONS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a generation works with."""

    engines: Engines
    records: Records
    pacer: Pacer
    line: Line
    grace_s: float = 0.0


class Generation:
    """A response that is being made, or was made lately. Read its `log`; nobody but itself writes
    it.
    """

    def __init__(
        self, order: Order, response: Response, prompt: Prompt | None, tools: Tools
    ) -> None:
        self.id = response.id
        self.user_id = order.user_id
        self.order = order
        self.response = response
        self.log = Log()
        self.ended_at: float | None = None
        self._tools = tools
        self._narrator = Narrator(response, new_id("msg"))
        self._prompt = prompt
        self._pending: list[str] = []
        self._text: list[str] = []
        self._token_ids = array("i")
        self._cached = 0
        self._readers = 0
        self._never_read = True
        self._grace: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._running = False
        self._ending = False
        self._stopping = False
        self._interrupt: Literal["cancelled", "interrupted"] = "interrupted"
        self._watch = Stopwatch()
        self._told_at = 0.0
        self._telling: asyncio.TimerHandle | None = None
        self._last_model: ModelState | None = None
        # Taken before anything is saved: the line may refuse.
        self._ticket: Ticket = tools.line.enter(order.user_id, self._moved)

    # What others see

    @property
    def status(self) -> str:
        return self.response.status

    @property
    def ended(self) -> bool:
        return self.log.closed

    def chain(self) -> list[Item] | None:
        """For a response that is not stored: the items its successor continues from."""
        if self.response.store:
            return None
        return [*self.order.context, *self.order.input, *self.response.output]

    def join(self) -> None:
        self._readers += 1
        self._never_read = False
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    def leave(self) -> None:
        """A reader has gone. A plain client's answer ends with its last reader; a durable one
        goes on.
        """
        self._readers -= 1
        if not self._readers and not self.order.durable and not self._ending:
            loop = asyncio.get_running_loop()
            self._grace = loop.call_later(self._tools.grace_s, self.cancel)

    def cancel(self) -> None:
        """End it as cancelled. Idempotent; an answer that has ended stays as it is."""
        self._stop("cancelled")

    def interrupt(self) -> None:
        """End it because the server stops."""
        self._stop("interrupted")

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

    # Its life

    def abandon(self) -> None:
        """It was never begun: give the place in the line back."""
        self._tools.line.leave(self._ticket)
        self.log.close()

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Say `response.created` and start to work."""
        waiting = self._ticket.position is not None or self._prompt is None
        self.response.status = "queued" if waiting else "in_progress"
        self._append(self._narrator.lifecycle("created"))
        if self._ticket.position is not None:
            self._moved(self._ticket.position, self._tools.line.waiting)
        self._task = tasks.create_task(self.run(), name=self.id)

    async def run(self) -> None:
        """Make the answer, to its terminal event. Never raises but for a cancelled server."""
        self._running = True
        try:
            outcome = self._stopped() if self._stopping else await self._work()
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            outcome = self._stopped()
        except TokenwireError as error:
            outcome = failed(error)
        except Exception:  # a task's top: whatever it was becomes the end of the log
            log.exception("Generation %s failed", self.id)
            outcome = failed(ServerError("The server failed. It was logged."))
        self._ending = True
        self._tools.line.leave(self._ticket)
        try:
            await self._end(outcome)
        finally:
            self.ended_at = time.monotonic()
            self.log.close()

    def flush(self) -> None:
        """Number what is pending and append it."""
        if self._pending and not self.log.closed:
            text = "".join(self._pending)
            self._pending.clear()
            self._append(*self._narrator.text(text))

    def keep_alive(self) -> None:
        """Called each second. Repeats the status after a silence, as clients' watchdogs count
        only events, and ends an answer whose only reader never came to read.
        """
        if time.monotonic() - self._told_at >= HEARTBEAT_S:
            self._tell()
        unread = self._never_read and self._watch.age > UNREAD_S
        if unread and not self.order.durable:
            self.cancel()

    async def _work(self) -> Outcome:
        order = self.order
        await self._ticket.admitted.wait()
        self._watch.mark("admitted")
        async with self._tools.engines.lease(order.model, self._loading) as engine:
            self._last_model = None
            prompt = self._prompt or await render(engine, order)
            self._prompt = prompt
            self._start(engine)
            stream = engine.generate(prompt, sampling_of(order.create), self.id)
            finish = None
            async with aclosing(stream):
                async for delta in stream:
                    self._receive(delta)
                    finish = delta.finish or finish
        return outcome_of(finish)

    def _start(self, engine: Engine) -> None:
        self._watch.mark("started")
        self.response.status = "in_progress"
        show_defaults(self.response, self.order.create, engine.limits)
        self._append(self._narrator.lifecycle("in_progress"))

    def _receive(self, delta: Delta) -> None:
        if delta.cached_tokens:
            self._cached = delta.cached_tokens
        if delta.token_ids:
            if not self._token_ids:
                self._watch.mark("first_token")
            self._token_ids.extend(delta.token_ids)
        if delta.text:
            first = not self._text
            self._text.append(delta.text)
            self._pending.append(delta.text)
            if first or len(delta.text) >= FLUSH_CHARACTERS:
                self.flush()
            else:
                self._tools.pacer.mark(self)

    async def _end(self, outcome: Outcome) -> None:
        self._watch.mark("ended")
        if self._telling is not None:
            self._telling.cancel()
        self.flush()
        response = self.response
        closing = self._narrator.closing(
            "".join(self._text), "completed" if outcome.status == "completed" else "incomplete"
        )
        response.status = outcome.status
        response.completed_at = int(time.time()) if outcome.status == "completed" else None
        if outcome.reason is not None:
            response.incomplete_details = {"reason": outcome.reason}
        response.error = outcome.error_object
        prompt_tokens = len(self._prompt.token_ids) if self._prompt else 0
        response.usage = usage(prompt_tokens, len(self._token_ids), self._cached)
        response.tokenwire = response.tokenwire | {
            "timing": self._watch.timings(len(self._token_ids))
        }
        terminal = self._narrator.lifecycle(outcome.event)
        if response.store and not await self._saved(outcome, [*closing, terminal], prompt_tokens):
            # The text is still delivered; the terminal event says that it is not kept.
            response.store = False
            self._narrator.undo(terminal)
            terminal = self._narrator.lifecycle(outcome.event)
        self._append(*closing, terminal)

    async def _saved(self, outcome: Outcome, last: list[Event], prompt_tokens: int) -> bool:
        timing = self._watch.timings(len(self._token_ids))
        finish = Finish(
            response=self.response,
            finish_reason=outcome.finish_reason,
            events=[event.json for event in (*self.log.after(-1), *last)],
            token_ids=self._token_ids,
            prompt_tokens=prompt_tokens,
            cached_tokens=self._cached,
            queued_ms=timing["queue_ms"],
            ttft_ms=timing["ttft_ms"],
            decode_ms=timing["decode_ms"],
            seed=self.order.create.seed,
        )
        try:
            await self._tools.records.finish(finish)
        except NotSaved as error:
            log.warning("%s was not saved: %s", self.id, error.message)
            return False
        except Exception:  # a task's top, as in `run`: the reader still gets the end
            log.exception("%s was not saved", self.id)
            return False
        return True

    # Stopping

    def _stop(self, why: Literal["cancelled", "interrupted"]) -> None:
        if self._ending or self._stopping:
            return
        self._interrupt = why
        self._stopping = True
        # A task that is cancelled before its first step never runs, and its log would stay open.
        if self._running and self._task is not None:
            self._task.cancel()

    def _stopped(self) -> Outcome:
        status: Status = "cancelled" if self._interrupt == "cancelled" else "incomplete"
        return Outcome(status, "abort", reason=self._interrupt)

    # What it says while it waits

    def _moved(self, position: int, length: int) -> None:
        del position, length
        if self.log.last_sequence_number < 0 or self._telling is not None:
            return
        long = len(self.response.instructions or "") > LONG_INSTRUCTIONS
        wait = self._told_at + (HEARTBEAT_S if long else TELL_EVERY_S) - time.monotonic()
        if wait <= 0:
            self._tell()
        else:
            self._telling = asyncio.get_running_loop().call_later(wait, self._tell)

    def _loading(self, state: ModelState) -> None:
        before, self._last_model = self._last_model, state
        if before is None or before.stage != state.stage:
            self._tell()
        else:
            self._moved(0, 0)

    def _tell(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        if self._ending or self.log.last_sequence_number < 0:
            return
        extra: dict[str, object] = {}
        if (position := self._ticket.position) is not None:
            extra["queue"] = {"position": position, "length": self._tools.line.waiting}
        elif (model := self._last_model) is not None:
            extra["model"] = {
                "state": model.phase,
                "stage": model.stage,
                "progress": model.progress,
                "detail": model.detail,
            }
        name = "in_progress" if self.response.status == "in_progress" else "queued"
        # Text first: an event must not overtake what was generated before it.
        self.flush()
        self._append(self._narrator.lifecycle(name, extra))

    def _append(self, *events: Event) -> None:
        self._told_at = time.monotonic()
        self.log.append(*events)


def beginning_of(generation: Generation, parent_id: str | None) -> Beginning:
    """What is saved of a generation before it is acknowledged."""
    order = generation.order
    # A parent that was never stored leaves its items with the first stored child.
    loose = order.context if parent_id is None else []
    return Beginning(
        response=generation.response,
        user_id=order.user_id,
        input=[*loose, *order.input],
        parent_id=parent_id,
        idempotency_key=order.create.idempotency_key,
        durable=order.durable,
    )
