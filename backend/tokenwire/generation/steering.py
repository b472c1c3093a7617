"""Steering: what is said to an answer while it runs ends it at a token, and another goes on from
there with what was said.

What was accepted is told its fate, once. It refuses to know connections and how a fate is shown.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from tokenwire.errors import (
    AlreadyCompleted,
    InvalidSteer,
    NotActive,
    NotSteered,
    SteeringNotSupported,
    TokenwireError,
    TooManySteers,
)
from tokenwire.generation.ids import new_id
from tokenwire.wire.steering import required_input, successor


if TYPE_CHECKING:
    import asyncio

    from tokenwire.generation.generation import Generation
    from tokenwire.generation.generations import Generations
    from tokenwire.generation.intake import Asker
    from tokenwire.generation.replay import Replay
    from tokenwire.wire.commands import Create
    from tokenwire.wire.items import Item
    from tokenwire.wire.steering import Steer


log = logging.getLogger(__name__)

MOST_FOR_ONE = 16
MOST_THAT_WAIT = 1024


@dataclass(frozen=True, slots=True)
class Followed:
    """The response that goes on, and its create."""

    create: Create
    source: Generation | Replay


@dataclass(frozen=True, slots=True)
class Waits:
    """It stays queued, as the answer waits for the results of its calls."""

    required_input: list[Item]


Fate = Followed | Waits | NotSteered
Tell = Callable[["Submission", Fate], None]


@dataclass(frozen=True, slots=True)
class Submission:
    """A steer that was accepted."""

    id: str
    steer: Steer
    items: list[Item]
    tell: Tell


class Steering:
    """All that was said to running answers. Its tasks live in the group that it is handed."""

    def __init__(self, generations: Generations, tasks: asyncio.TaskGroup) -> None:
        self._generations = generations
        self._tasks = tasks
        self._accepted: dict[str, list[Submission]] = {}
        # By user and parent, for the create that brings the results.
        self._waiting: OrderedDict[tuple[str, str], list[Submission]] = OrderedDict()

    def steer(self, steer: Steer, asker: Asker, tell: Tell) -> Submission:
        """Take what is said to a running response; `tell` hears what becomes of it. Raises
        NotSteered.
        """
        try:
            items = steer.items()
        except TokenwireError as error:
            raise InvalidSteer(error.message, param=error.param) from error
        response_id = steer.previous_response_id
        generation = self._generations.own(asker.user_id, response_id)
        # While it ends, because it was steered, more can be said.
        over = generation is None or generation.ending or generation.ended
        if generation is None or (over and response_id not in self._accepted):
            raise AlreadyCompleted(f"Response {response_id!r} has ended.")
        raw = generation.order.create.tokenwire
        if generation.order.warms or (raw is not None and raw.raw):
            raise SteeringNotSupported("This response isn't a turn of a conversation.")
        accepted = self._accepted.setdefault(response_id, [])
        if len(accepted) >= MOST_FOR_ONE:
            raise TooManySteers(f"{MOST_FOR_ONE} messages already wait for this response.")
        submission = Submission(new_id("steer"), steer, items, tell)
        accepted.append(submission)
        if len(accepted) == 1:
            settling = self._settle(generation, asker)
            self._tasks.create_task(settling, name=f"steer {response_id}")
        generation.steer()
        return submission

    async def start(self, create: Create, asker: Asker) -> Generation | Replay:
        """`Generations.start`, with what waits for the create's parent said first."""
        asks = self._waiting and create.continues is None
        parent_id = await self._generations.parent(create, asker) if asks else None
        key = (asker.user_id, parent_id or "")
        # Taken before anything is waited for: two creates must not both say it.
        if (waiting := self._waiting.pop(key, None)) is None:
            return await self._generations.start(create, asker)
        said = [item for submission in waiting for item in submission.items]
        both = msgspec.structs.replace(create, input=[*said, *create.items])
        try:
            return await self._generations.start(both, asker)
        except Exception:
            # Whoever is only cancelled has begun it.
            self._waiting[key] = waiting
            raise

    async def _settle(self, generation: Generation, asker: Asker) -> None:
        await generation.finished()
        submissions = self._accepted.pop(generation.id)
        try:
            fate = await self._fate(generation, asker, submissions)
        except TokenwireError as error:
            fate = NotSteered(f"What should follow was refused: {error.message}")
        except Exception:  # a task's top: whoever steered hears of it, the other tasks go on
            log.exception("What should follow %s could not be started", generation.id)
            fate = NotSteered("The server failed. It was logged.")
        for submission in submissions:
            submission.tell(submission, fate)

    async def _fate(
        self, generation: Generation, asker: Asker, submissions: list[Submission]
    ) -> Fate:
        response = generation.response
        if response.status not in ("completed", "incomplete"):
            return NotActive(f"Response {response.id!r} is {response.status}.")
        required = required_input(response.output)
        if required and response.status == "completed":
            self._keep((asker.user_id, response.id), submissions)
            return Waits(required)
        items = [item for submission in submissions for item in submission.items]
        create = successor(generation.order.create, response.id, items)
        # It goes on from a response that isn't stored too, whose connection may be gone.
        known = {response.id: generation.chain()}
        own = replace(asker, durable=generation.order.durable, cached=known.get)
        return Followed(create, await self._generations.start(create, own))

    def _keep(self, key: tuple[str, str], submissions: list[Submission]) -> None:
        self._waiting[key] = submissions
        if len(self._waiting) > MOST_THAT_WAIT:
            _, dropped = self._waiting.popitem(last=False)
            for submission in dropped:
                submission.tell(submission, NotActive("Too many responses wait for results."))
