"""Titles that models make, behind everyone: when no answer runs or waits, the model of a
conversation's first answers is asked for one, and is left alone as soon as anyone wants an answer.

What it says is no response and kept nowhere. It never loads a model and never keeps one from going;
it refuses to know what a title is like (`wire/titles.py`) and who is told of it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from tokenwire.engine.base import Form, Sampling
from tokenwire.errors import TokenwireError
from tokenwire.generation.ids import new_id
from tokenwire.generation.orders import WARM_PRIORITY
from tokenwire.wire.items import item_text
from tokenwire.wire.titles import has_title, title_messages, title_of


if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenwire.engine.base import Delta, Engines
    from tokenwire.engine.models import ModelState
    from tokenwire.generation.generation import Generation
    from tokenwire.generation.generations import Generations
    from tokenwire.wire.items import Item
    from tokenwire.wire.messages import Message


log = logging.getLogger(__name__)

# Who goes on at once has the engine for themselves.
PAUSE_S = 0.5
MOST_TRIES = 5
MOST_WAITING = 256
MOST_TOKENS = 32
# For a model that thinks whatever it is told.
MOST_TOKENS_THINKING = 512
# A smaller model has learned a few things by heart and follows no instruction.
LEAST_BYTES = 64 << 20
PRIORITY = 2 * WARM_PRIORITY
_FORM = Form(template={"enable_thinking": False, "thinking": False, "reasoning_effort": "minimal"})


Asks = Literal["auto", "always", "never"]


class Titles(Protocol):
    """Where titles are kept."""

    async def untitled(self, user_id: str, conversation_id: str) -> bool:
        """Whether a model may still be asked: it has a provisional title, or none."""
        ...

    async def settle_title(self, user_id: str, conversation_id: str, title: str | None) -> bool:
        """Give it this title, unless it was given one meanwhile; none leaves it as it is. No model
        is asked again. Whether its title changed. Raises NotSaved.
        """
        ...


@dataclass(slots=True)
class _Job:
    user_id: str
    conversation_id: str
    model: str
    messages: list[Message]
    tries: int = 0


class _Enough(Exception):  # noqa: N818 what was wanted is there
    pass


class Titler:
    """Makes titles in `run`. `told(user_id, conversation_id)` hears of each; `asks` says whether
    small models are asked too ("always"), or none is.
    """

    def __init__(
        self,
        generations: Generations,
        engines: Engines,
        titles: Titles,
        told: Callable[[str, str], None],
        *,
        asks: Asks = "auto",
        pause_s: float = PAUSE_S,
    ) -> None:
        self._quiet = generations.quiet
        self._engines = engines
        self._titles = titles
        self._told = told
        self._asks = asks
        self._pause_s = pause_s
        self._jobs: dict[str, _Job] = {}
        self._some = asyncio.Event()
        if asks != "never":
            generations.subscribe(self._heard)

    def _heard(self, what: Literal["started", "ended"], generation: Generation) -> None:
        """An answer in a conversation began or ended."""
        if what != "ended" or (job := _job(generation)) is None:
            return
        if job.conversation_id not in self._jobs and self._able(job.model):
            if len(self._jobs) >= MOST_WAITING:
                del self._jobs[next(iter(self._jobs))]
            self._jobs[job.conversation_id] = job
            self._some.set()

    async def run(self) -> None:
        """Make titles, until cancelled."""
        while True:
            await self._some.wait()
            await self._quiet.lasts(self._pause_s)
            job = next(iter(self._jobs.values()))
            job.tries += 1
            over = await self._settled(job) or job.tries >= MOST_TRIES
            del self._jobs[job.conversation_id]
            if not over:
                # Behind the others.
                self._jobs[job.conversation_id] = job
            elif not self._jobs:
                self._some.clear()

    async def _settled(self, job: _Job) -> bool:
        """Try to make a title. Whether nothing is left to do, with or without one."""
        try:
            if self._engines.ready(job.model) is None:
                return True
            if not await self._titles.untitled(job.user_id, job.conversation_id):
                return True
            if (said := await self._asked(job)) is None:
                return False
            title = title_of(said)
            if await self._titles.settle_title(job.user_id, job.conversation_id, title):
                self._told(job.user_id, job.conversation_id)
        except TokenwireError as error:
            log.info("No title for %s: %s", job.conversation_id, error)
            return False
        except Exception:  # a task's top: the next conversation may have one
            log.exception("A title for %s could not be made", job.conversation_id)
            return False
        return True

    async def _asked(self, job: _Job) -> str | None:
        """What the model says; None where it was left alone before it had said enough."""
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(self._ask(job), name=f"title of {job.conversation_id}")
            with self._quiet.telling(asking.cancel):
                await asyncio.wait((asking,))
        return None if asking.cancelled() else asking.result()

    async def _ask(self, job: _Job) -> str | None:
        task, said = asyncio.current_task(), ""

        def take(delta: Delta) -> None:
            nonlocal said
            said += delta.text
            if has_title(said):
                raise _Enough

        def moved(state: ModelState) -> None:
            # It has to go, or its engine is being replaced.
            if state.phase != "ready" and task is not None:
                task.cancel()

        # Nothing waits from here to the lease, which so never loads.
        if self._quiet.broken or self._engines.ready(job.model) is None:
            return None
        try:
            async with self._engines.lease(job.model, moved) as engine:
                limits, prompt = engine.limits, await engine.render(job.messages, _FORM)
                most = MOST_TOKENS_THINKING if limits.capabilities.reasoning else MOST_TOKENS
                if len(prompt.token_ids) + most > limits.context_length:
                    return ""
                sampling = Sampling(temperature=0, max_tokens=most, priority=PRIORITY)
                with suppress(_Enough):
                    await engine.generate(prompt, sampling, new_id("title"), take)
        except TokenwireError as error:
            log.info("No title for %s: %s", job.conversation_id, error)
            return None
        return said

    def _able(self, model: str) -> bool:
        try:
            info = self._engines.state(model).info
            if info.base is not None:
                info = self._engines.state(info.base).info
        except TokenwireError:  # it has gone
            return False
        return self._asks == "always" or info.size_bytes is None or info.size_bytes >= LEAST_BYTES


def _job(generation: Generation) -> _Job | None:
    """What to ask after an answer; None where it said nothing, or nothing that is kept."""
    order, response = generation.order, generation.response
    conversation_id = (response.conversation or {}).get("id")
    kept = response.status == "completed" and response.store
    if conversation_id is None or not kept or order.warms:
        return None
    said = [*order.context, *order.input, *response.output]
    question, answer = _first("user", said), _first("assistant", said)
    if not question or not answer:
        return None
    messages = title_messages(question, answer)
    return _Job(generation.user_id, conversation_id, order.model, messages)


def _first(role: str, items: list[Item]) -> str:
    texts = (item_text(item).strip() for item in items if item.get("role") == role)
    return next(filter(None, texts), "")
