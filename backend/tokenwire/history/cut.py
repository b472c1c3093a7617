"""A response as it stands, with what it takes to go on with it where it was cut.

One function, a step of a transaction that its caller has opened. It refuses to know who goes on.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from tokenwire.history.packing import unpack_token_ids
from tokenwire.history.tables import item, response, user
from tokenwire.history.values import Cut


_previous = response.alias()
_OWN = (
    select(
        response.c.pk,
        response.c.status,
        response.c.resource,
        response.c.plan,
        response.c.token_ids,
        _previous.c.id.label("previous_id"),
    )
    .join(user, user.c.pk == response.c.user_pk)
    .outerjoin(_previous, _previous.c.pk == response.c.previous_pk)
    .where(response.c.id == bindparam("response"), user.c.id == bindparam("user"))
)
_ITEMS = (
    select(item.c.direction, item.c.data)
    .where(item.c.response_pk == bindparam("which"))
    .order_by(item.c.idx)
)


def find(connection: Connection, user_id: str, response_id: str) -> Cut | None:
    asked = {"user": user_id, "response": response_id}
    if (row := connection.execute(_OWN, asked).one_or_none()) is None:
        return None
    items = connection.execute(_ITEMS, {"which": row.pk}).all()
    return Cut(
        status=row.status,
        resource=row.resource,
        input=[each.data for each in items if each.direction == "in"],
        output=[each.data for each in items if each.direction == "out"],
        previous_response_id=row.previous_id,
        plan=row.plan,
        token_ids=[] if row.token_ids is None else unpack_token_ids(row.token_ids),
    )
