"""The SQL of users: who there is. Login and keys are not its business."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select

from tokenwire.history.tables import user
from tokenwire.history.values import User


_FIND = select(user.c.id, user.c.name).where(user.c.id == bindparam("user"))
_INSERT = insert(user)


def find(connection: Connection, user_id: str) -> User | None:
    found = connection.execute(_FIND, {"user": user_id}).one_or_none()
    return None if found is None else User(id=found.id, name=found.name)


def find_or_create(connection: Connection, user_id: str, name: str, now_ms: int) -> User:
    # Within the single writer nobody can come between the question and the answer.
    found = find(connection, user_id)
    if found is None:
        connection.execute(_INSERT, {"id": user_id, "name": name, "created_ms": now_ms})
        found = User(id=user_id, name=name)
    return found
