"""From a create to an order: which model, what came before, does it fit. Nothing is written here.

It reads the memory and the engines' states and refuses to start anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenwire.errors import InvalidRequest, PreviousResponseNotFound, ServerError
from tokenwire.generation.continuing import continued
from tokenwire.generation.ids import named
from tokenwire.generation.orders import Order, render
from tokenwire.wire.items import CALLS, OUTPUTS


if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenwire.engine.base import Engines, Prompt
    from tokenwire.generation.records import Records
    from tokenwire.wire.commands import Create
    from tokenwire.wire.items import Item


RUNNING = ("queued", "in_progress")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who creates a response, and how: `durable` goes on without readers; `cached` looks into
    their connection.
    """

    user_id: str
    durable: bool = False
    cached: Callable[[str], list[Item] | None] | None = None
    origin: str | None = None


class Intake:
    """Checks creates. `is_live(user_id, response_id)` says whether a response is being made."""

    def __init__(
        self, engines: Engines, records: Records, is_live: Callable[[str, str], bool]
    ) -> None:
        self._engines = engines
        self._records = records
        self._is_live = is_live

    async def take(self, create: Create, asker: Asker) -> tuple[Order, str | None, Prompt | None]:
        """The order, its stored parent, and its prompt where the model is ready to render one.

        Raises the refusal that the sender must hear.
        """
        order, parent_id = await self._order(create, asker)
        if (engine := self._engines.ready(order.model)) is not None:
            return order, parent_id, await render(engine, order)
        if length := self._engines.state(order.model).info.context_length:
            order.check_size(length)
        return order, parent_id, None

    async def count(self, create: Create, asker: Asker) -> int:
        """The tokens of the prompt that a create would have, whether it fits or not; loads the
        model, if need be. Raises as `take` does, and ModelUnavailable.
        """
        order, _ = await self._order(create, asker)
        async with self._engines.lease(order.model) as engine:
            order.check_size(engine.limits.context_length)
            return len((await engine.render(order.messages(), order.form())).token_ids)

    async def known(self, create: Create, asker: Asker) -> str | None:
        """The id of the response that has the create's idempotency key already."""
        if create.idempotency_key is None or create.store is False:
            return None
        try:
            return await self._records.keyed(asker.user_id, create.idempotency_key)
        except ServerError:  # the refusal says more than that it could not be looked up
            return None

    async def parent(self, create: Create, user_id: str) -> str | None:
        """The response that a create goes on from. Raises ConversationNotFound."""
        parent_id = create.parent_id
        if (conversation_id := create.conversation_id) is None:
            return parent_id
        head = await self._records.head(user_id, conversation_id)
        # Without a parent a turn goes to the head; an explicit null begins a new root.
        return head if parent_id is None and create.previous_response_id is not None else parent_id

    async def _order(self, create: Create, asker: Asker) -> tuple[Order, str | None]:
        """The order, and its stored parent."""
        if create.continues is None:
            order, parent_id = await self._new(create, asker)
        else:
            model = self._engines.resolve(create.model) if create.model else None
            order, parent_id = await continued(create, asker, self._records, model)
        # Also of a model that would have to be loaded for it, which takes a while.
        state = self._engines.state(self._engines.resolve(order.model))
        state.refuse_missing()
        state.info.capabilities.check(order.form())
        return order, parent_id

    async def _new(self, create: Create, asker: Asker) -> tuple[Order, str | None]:
        model = self._engines.resolve(create.model)
        context, parent_id = await self._context(create, asker)
        _check_calls(context, create.items)
        order = Order(
            create=create,
            user_id=asker.user_id,
            model=model,
            context=context,
            input=[named(item) for item in create.items],
            # What is only read ahead is of no use to who has gone.
            durable=bool(create.background) or (asker.durable and create.generate is not False),
        )
        return order, parent_id

    async def _context(self, create: Create, asker: Asker) -> tuple[list[Item], str | None]:
        """What came before, and the stored response that it ends with."""
        parent_id = create.parent_id
        cached = asker.cached(parent_id) if parent_id and asker.cached else None
        if cached is not None:
            return cached, None
        parent_id = await self.parent(create, asker.user_id)
        if parent_id is None:
            return [], None
        status = await self._records.status(asker.user_id, parent_id)
        if status in RUNNING or self._is_live(asker.user_id, parent_id):
            raise PreviousResponseNotFound(
                f"Response {parent_id!r} is still running; continue it when it has ended.",
                param="previous_response_id",
            )
        items = await self._records.chain(asker.user_id, parent_id)
        if items is None:
            raise PreviousResponseNotFound(
                f"Previous response with id {parent_id!r} not found.", param="previous_response_id"
            )
        return items, parent_id


def _check_calls(context: list[Item], new: list[Item]) -> None:
    """Raises InvalidRequest for the output of a call that nobody made."""
    made = {item.get("call_id") for item in context if item.get("type") in CALLS}
    for index, item in enumerate(new):
        if item["type"] in CALLS:
            made.add(item["call_id"])
        elif item["type"] in OUTPUTS and item["call_id"] not in made:
            field = f"input[{index}].call_id"
            raise InvalidRequest(f"`{field}`: there is no call {item['call_id']!r}.", param=field)
