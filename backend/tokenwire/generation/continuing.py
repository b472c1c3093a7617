"""From the create that goes on with a cut answer to an order: the same place in the conversation,
the same prompt, and the tokens that are there already.

It reads the memory and refuses to start anything.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import msgspec

from tokenwire.engine.base import Delta
from tokenwire.errors import InvalidRequest, NotContinuable, ResponseNotFound
from tokenwire.generation.orders import Kept, Order, order_of
from tokenwire.wire.continuing import FIELD, merged
from tokenwire.wire.items import CALLS, item_text


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.generation.intake import Asker
    from tokenwire.generation.records import Cut, Records
    from tokenwire.wire.commands import Create
    from tokenwire.wire.items import Item


# At its end a parser gives out what it had held back as the beginning of a mark. With more to come
# it may be one.
MARK_MAX = 64
_CUT = ("incomplete", "cancelled")


async def continued(
    create: Create, asker: Asker, records: Records, model: str | None
) -> tuple[Order, str | None]:
    """The order that goes on with `create.continues`, and its stored parent. `model`: the one that
    is asked for, if any. Raises the refusal that its sender must hear.
    """
    response_id = create.continues or ""
    if asker.cached is not None and asker.cached(response_id) is not None:
        raise NotContinuable("Its tokens are not stored: ask again.", param=FIELD)
    cut = await _find(response_id, asker.user_id, records)
    old = _order_of(cut, asker.user_id)
    if model not in (None, old.model):
        raise NotContinuable(
            f"It was answered by {old.model!r}, and only that model can go on with its tokens: "
            f"leave `model` out.",
            param=FIELD,
        )
    least = (old.create.min_tokens or 0) + old.kept_tokens - len(cut.token_ids)
    both = merged(create, old.create, cut.resource, least=max(0, least))
    context = await records.chain(asker.user_id, cut.parent_id) if cut.parent_id else []
    order = Order(
        create=both,
        user_id=asker.user_id,
        model=old.model,
        context=context or [],
        input=cut.input,
        durable=asker.durable or bool(create.background),
        kept=kept_of(cut, both),
    )
    return order, cut.parent_id


async def kept_again(order: Order, records: Records) -> Kept:
    """What the answer of an order begins with, once more. Raises ResponseNotFound."""
    cut = await _find(order.create.continues or "", order.user_id, records)
    return kept_of(cut, order.create)


async def _find(response_id: str, user_id: str, records: Records) -> Cut:
    if (cut := await records.cut(user_id, response_id)) is None:
        raise ResponseNotFound(f"Response with id {response_id!r} not found.", param=FIELD)
    return cut


def kept_of(cut: Cut, create: Create) -> Kept:
    """What an answer begins with that goes on with a cut one. Raises NotContinuable where that
    can't be exact, and InvalidRequest.
    """
    said = [item for item in cut.output if item_text(item)]
    if any(item["type"] in CALLS for item in cut.output):
        raise NotContinuable("It had begun to call a tool: ask again.", param=FIELD)
    if any(stop in item_text(item) for item in said for stop in create.stops):
        raise InvalidRequest("The answer so far has one of these texts in it.", param="stop")
    told = [_delta(item, item_text(item)) for item in said]
    held = Delta("")
    if said and (count := _unsure(said[-1], create)):
        last = item_text(said[-1])
        told[-1] = _delta(said[-1], last[:-count])
        held = msgspec.structs.replace(_delta(said[-1], last[-count:]), logprobs=())
    return Kept(tuple(cut.token_ids), tuple(told), held, _thought_ms(cut))


def _thought_ms(cut: Cut) -> float | None:
    if all(item["type"] != "reasoning" for item in cut.output):
        return None
    notes = cast("dict[str, dict[str, float | None]]", cut.resource.get("tokenwire") or {})
    known = notes.get("timing", {}).get("reasoning_ms")
    return math.nan if known is None else known


def _order_of(cut: Cut, user_id: str) -> Order:
    """The order of a response that was cut. Raises NotContinuable for one that was not."""
    if cut.status not in _CUT:
        why = {"completed": "It is complete.", "failed": "It failed: ask again."}
        raise NotContinuable(why.get(cut.status, "It has not ended."), param=FIELD)
    if not cut.token_ids or cut.plan is None:
        why = "Nothing of it was generated" if not cut.output else "Its tokens are not stored"
        raise NotContinuable(f"{why}: ask again.", param=FIELD)
    try:
        order, _ = order_of(cut.plan, user_id, [], cut.input, cut.token_ids, durable=False)
    except msgspec.ValidationError as error:
        why = "Another version of the server answered it: ask again."
        raise NotContinuable(why, param=FIELD) from error
    return order


def _unsure(last: Item, create: Create) -> int:
    """How many characters at the end may be read otherwise once there are more."""
    count = max((len(stop) - 1 for stop in create.stops), default=0)
    if last["type"] == "reasoning" or create.tools:
        return max(count, MARK_MAX)
    return count


def _delta(item: Item, text: str) -> Delta:
    if item["type"] == "reasoning":
        return Delta("", reasoning=text)
    parts = cast("Sequence[Any]", item["content"])
    logprobs = [told for part in parts for told in part.get("logprobs") or ()]
    return Delta(text, logprobs=tuple(logprobs) if text else ())
