"""After a restart: what was running goes on from what was journalled, or ends with its text kept.

It turns records into generations and decides which of them can go on. It refuses to know what a
journal looks like on disk and when the server stopped.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from tokenwire.engine.base import Prompt
from tokenwire.errors import ModelNotFound, ServerError
from tokenwire.generation.continuing import kept_again
from tokenwire.generation.generation import Generation, Past, Tools
from tokenwire.generation.ids import new_id
from tokenwire.generation.orders import Order, order_of
from tokenwire.generation.outcome import Outcome, failed
from tokenwire.generation.transcript import Said
from tokenwire.wire.commands import Create
from tokenwire.wire.events import Response
from tokenwire.wire.kept import kept_events, times_taken_up


if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenwire.engine.base import Engines
    from tokenwire.generation.records import Records, Unfinished


log = logging.getLogger(__name__)

# A response that ends the server each time it is taken up must not do so for ever.
MAX_ATTEMPTS = 3


async def take_up(
    left: Unfinished, engines: Engines, records: Records, tools: Callable[[str], Tools]
) -> tuple[Generation, Outcome | None]:
    """The generation of a response that was left running, and how it has to end, if it can't go
    on. `tools`: those of a model by its id.
    """
    response = _response(left)
    order, item_id, outcome = await _order(left, response, engines, records)
    events = kept_events(left.events)
    past = Past(
        item_id=item_id,
        said=Said(events, left.token_ids),
        age_s=left.age_s,
        times=1 + times_taken_up(events),
    )
    prompt = None if left.prompt is None else Prompt(tuple(left.prompt), order.form())
    return Generation(order, response, prompt, tools(order.model), past), outcome


async def _order(
    left: Unfinished, response: Response, engines: Engines, records: Records
) -> tuple[Order, str, Outcome | None]:
    interrupted = Outcome("incomplete", "abort", reason="interrupted")
    if left.plan is None:  # begun by a version that had no journal
        return _bare(left, response), new_id("msg"), interrupted
    try:
        context: list[dict[str, object]] = []
        if left.prompt is None and left.parent_id is not None:
            context = await records.chain(left.user_id, left.parent_id) or []
        order, item_id = order_of(
            left.plan, left.user_id, context, left.input, left.token_ids, durable=left.durable
        )
        if not left.durable:
            return order, item_id, interrupted
        if left.attempts > MAX_ATTEMPTS:
            lost = ServerError(f"The server ended {MAX_ATTEMPTS} times while it went on with this.")
            return order, item_id, failed(lost)
        engines.resolve(order.model)
        if order.create.continues is not None and order.kept is None:
            # It ended before what it was to begin with was written down.
            order = replace(order, kept=await kept_again(order, records))
    except ModelNotFound as error:
        return _bare(left, response), new_id("msg"), failed(error)
    except Exception:  # whatever it is, the others must go on
        log.exception("%s can't be taken up", left.response_id)
        lost = ServerError("It could not be gone on with after the server had stopped.")
        return _bare(left, response), new_id("msg"), failed(lost)
    return order, item_id, None


def _response(left: Unfinished) -> Response:
    try:
        return msgspec.convert(left.resource, Response)
    except msgspec.ValidationError:  # what can't be read must still end
        log.exception("The resource of %s can't be read", left.response_id)
        return Response(id=left.response_id, created_at=0, model="unknown")


def _bare(left: Unfinished, response: Response) -> Order:
    """An order that only has to end."""
    return Order(
        create=Create(),
        user_id=left.user_id,
        model=response.model,
        context=[],
        input=left.input,
        durable=left.durable,
    )
