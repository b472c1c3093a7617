"""The SQL of items: written with their response, read along the path that leads to it, taken out.

Each function is one step of a transaction that its caller has opened. It refuses to know what a
type of item means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    insert,
    literal,
    or_,
    select,
    update,
)

from tokenwire.history import conversations
from tokenwire.history.prepared import Prepared, to_json
from tokenwire.history.tables import is_running, item, response, user
from tokenwire.history.text import item_text
from tokenwire.history.values import JsonObject, StillRunning, UnknownConversation


if TYPE_CHECKING:
    from collections.abc import Sequence


_INSERT = Prepared(
    insert(item), ["id", "response_pk", "idx", "direction", "type", "status", "text", "data"]
)
_DELETE = delete(item).where(item.c.pk == bindparam("which"))
# What a model said is in its tokens too, and must not be gone on with once it is deleted.
_FORGET = (
    update(response)
    .where(
        response.c.pk.in_(
            select(item.c.response_pk).where(
                item.c.pk == bindparam("which"), item.c.direction == "out"
            )
        )
    )
    .values(token_ids=None, plan=None)
)

_leaf = (
    select(response.c.pk, response.c.previous_pk, literal(0).label("depth"))
    .join(user, user.c.pk == response.c.user_pk)
    .where(response.c.id == bindparam("response"), user.c.id == bindparam("user"))
    .cte("path", recursive=True)
)
_path = _leaf.union_all(
    select(response.c.pk, response.c.previous_pk, _leaf.c.depth + 1).join(
        _leaf, response.c.pk == _leaf.c.previous_pk
    )
)
_of_path = item.c.response_pk == _path.c.pk
# Input sorts before output within one response because "in" < "out". The outer joins give at least
# one row for a response that is there, if only an empty one.
_in_order = (_path.c.depth.desc(), item.c.direction, item.c.idx)
_CHAIN = select(item.c.data).select_from(_path).outerjoin(item, _of_path).order_by(*_in_order)
_INPUT = (
    select(item.c.data)
    .select_from(_path)
    .outerjoin(item, and_(_of_path, or_(_path.c.depth > 0, item.c.direction == "in")))
    .order_by(*_in_order)
)
_PLACES = (
    select(item.c.pk, is_running.label("running"))
    .select_from(_path)
    .join(response, response.c.pk == _path.c.pk)
    .join(item, _of_path)
    .where(item.c.id == bindparam("item"))
)


def write(
    connection: Connection, response_pk: int, direction: str, items: Sequence[JsonObject]
) -> None:
    rows = (
        {
            "id": data["id"],
            "response_pk": response_pk,
            "idx": idx,
            "direction": direction,
            "type": data.get("type", "message"),
            "status": data.get("status"),
            "text": item_text(data),
            "data": to_json(data),
        }
        for idx, data in enumerate(items)
    )
    _INSERT.run_each(connection, rows)


def chain(connection: Connection, user_id: str, response_id: str) -> list[JsonObject] | None:
    return _read(connection, _CHAIN, user_id, response_id)


def input_items(connection: Connection, user_id: str, response_id: str) -> list[JsonObject] | None:
    return _read(connection, _INPUT, user_id, response_id)


def of_conversation(
    connection: Connection, user_id: str, conversation_id: str
) -> list[JsonObject] | None:
    found = conversations.get(connection, user_id, conversation_id)
    if found is None:
        return None
    head = found.active_response_id
    return [] if head is None else chain(connection, user_id, head)


def remove(connection: Connection, user_id: str, conversation_id: str, item_id: str) -> bool:
    """Take an item out of the path to a conversation's head. False: it is not on it."""
    found = conversations.get(connection, user_id, conversation_id)
    if found is None:
        raise UnknownConversation(conversation_id)
    asked = {"user": user_id, "response": found.active_response_id, "item": item_id}
    # More than one where a client has sent it back.
    places = connection.execute(_PLACES, asked).all()
    if any(place.running for place in places):
        raise StillRunning(conversation_id)
    for place in places:
        connection.execute(_FORGET, {"which": place.pk})
        connection.execute(_DELETE, {"which": place.pk})
    return bool(places)


def _read(
    connection: Connection, statement: Select[JsonObject | None], user_id: str, response_id: str
) -> list[JsonObject] | None:
    asked = {"user": user_id, "response": response_id}
    found = connection.execute(statement, asked).scalars().all()
    return [data for data in found if data is not None] if found else None
