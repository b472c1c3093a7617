"""The SQL of what was said in a conversation: its responses in all branches, each with its input
and its output, whole or in parts.

Each function is one step of a transaction that its caller has opened. It refuses to know which
branch is shown.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select

from tokenwire.history.tables import conversation, item, response, user
from tokenwire.history.values import UnknownResponse


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.history.values import ExchangePage, JsonObject, Part


_OWN = (
    select(conversation.c.pk)
    .join(user, user.c.pk == conversation.c.user_pk)
    .where(user.c.id == bindparam("user"), conversation.c.id == bindparam("conversation"))
)
_WITHIN = select(response.c.pk).where(
    response.c.id == bindparam("response"), response.c.conversation_pk == bindparam("which")
)
_RESPONSES = select(response.c.pk, response.c.resource).where(
    response.c.conversation_pk == bindparam("which")
)
_ITEMS = (
    select(item.c.response_pk, item.c.direction, item.c.data)
    .join(response, response.c.pk == item.c.response_pk)
    .where(
        response.c.conversation_pk == bindparam("which"),
        response.c.pk.between(bindparam("low"), bindparam("high")),
    )
    .order_by(item.c.response_pk, item.c.idx)
)


def part_of(
    connection: Connection, user_id: str, conversation_id: str, part: Part
) -> ExchangePage | None:
    asked: JsonObject = {"user": user_id, "conversation": conversation_id}
    if (pk := connection.execute(_OWN, asked).scalar()) is None:
        return None
    rows = _page(connection, pk, part)
    shown = rows[: part.limit]
    if not shown:
        return [], False
    ends = [shown[0].pk, shown[-1].pk]
    items: defaultdict[tuple[int, str], list[JsonObject]] = defaultdict(list)
    asked = {"which": pk, "low": min(ends), "high": max(ends)}
    for row in connection.execute(_ITEMS, asked):
        items[row.response_pk, row.direction].append(row.data)
    data = [(row.resource | {"output": items[row.pk, "out"]}, items[row.pk, "in"]) for row in shown]
    return data, len(rows) > len(shown)


def _page(connection: Connection, conversation_pk: int, part: Part) -> Sequence[Row[Any, Any]]:
    """With one more where more follow."""
    order = response.c.pk.asc() if part.oldest_first else response.c.pk.desc()
    statement = _RESPONSES.order_by(order)
    asked: JsonObject = {"which": conversation_pk}
    if part.limit is not None:
        statement = statement.limit(bindparam("most"))
        asked["most"] = part.limit + 1
    if part.after is not None:
        place = connection.execute(_WITHIN, asked | {"response": part.after}).scalar()
        if place is None:
            raise UnknownResponse(part.after)
        start: ColumnElement[int] = bindparam("start")
        statement = statement.where(
            response.c.pk > start if part.oldest_first else response.c.pk < start
        )
        asked["start"] = place
    return connection.execute(statement, asked).all()
