"""The SQL of conversations: make, list in pages, rename, delete, read with all that was said.

Each function is one step of a transaction that its caller has opened. It refuses to know threads
and loops.
"""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import (
    Connection,
    RowMapping,
    bindparam,
    delete,
    exists,
    insert,
    select,
    tuple_,
    update,
)

from tokenwire.history.cursors import cursor_at
from tokenwire.history.tables import conversation, is_running, item, response, user
from tokenwire.history.trees import delete_below_conversation
from tokenwire.history.values import Conversation, JsonObject, UnknownUser


_leaf = response.alias()

_CONVERSATIONS = (
    select(
        conversation.c.pk,
        conversation.c.id,
        conversation.c.title,
        conversation.c.title_source,
        conversation.c.model,
        conversation.c.metadata.label("data"),
        conversation.c.created_ms,
        conversation.c.updated_ms,
        _leaf.c.id.label("active_response_id"),
        exists()
        .where(response.c.conversation_pk == conversation.c.pk, is_running)
        .label("running"),
    )
    .join(user, user.c.pk == conversation.c.user_pk)
    .outerjoin(_leaf, _leaf.c.pk == conversation.c.active_leaf_pk)
    .where(user.c.id == bindparam("user"))
)
_ONE = _CONVERSATIONS.where(conversation.c.id == bindparam("conversation"))
_last_changed = (conversation.c.updated_ms.desc(), conversation.c.pk.desc())
_NEWEST = _CONVERSATIONS.order_by(*_last_changed).limit(bindparam("most"))
_NEWEST_AFTER = _NEWEST.where(
    tuple_(conversation.c.updated_ms, conversation.c.pk)
    < tuple_(bindparam("after_ms"), bindparam("after_pk"))
)
_OWNER = select(user.c.pk).where(user.c.id == bindparam("user"))
_INSERT = insert(conversation)
_RENAME = update(conversation).where(conversation.c.pk == bindparam("which"))
_DELETE = delete(conversation).where(conversation.c.pk == bindparam("which"))
_RESPONSES = (
    select(response.c.pk, response.c.resource)
    .where(response.c.conversation_pk == bindparam("which"))
    .order_by(response.c.pk)
)
_ITEMS = (
    select(item.c.response_pk, item.c.direction, item.c.data)
    .join(response, response.c.pk == item.c.response_pk)
    .where(response.c.conversation_pk == bindparam("which"))
    .order_by(item.c.response_pk, item.c.idx)
)


def create(
    connection: Connection,
    user_id: str,
    conversation_id: str,
    *,
    title: str | None,
    metadata: dict[str, str],
    now_ms: int,
) -> Conversation:
    user_pk = connection.execute(_OWNER, {"user": user_id}).scalar()
    if user_pk is None:
        raise UnknownUser(user_id)
    row = {
        "id": conversation_id,
        "user_pk": user_pk,
        "title": title,
        "title_source": "auto" if title is None else "user",
        "metadata": metadata,
        "created_ms": now_ms,
        "updated_ms": now_ms,
    }
    connection.execute(_INSERT, row)
    return _value(connection.execute(_ONE, _asked(user_id, conversation_id)).mappings().one())


def get(connection: Connection, user_id: str, conversation_id: str) -> Conversation | None:
    found = connection.execute(_ONE, _asked(user_id, conversation_id)).mappings().one_or_none()
    return None if found is None else _value(found)


def page(
    connection: Connection, user_id: str, limit: int, after: tuple[int, int] | None
) -> tuple[list[Conversation], str | None]:
    # One more than asked for tells whether there is a next page.
    asked: JsonObject = {"user": user_id, "most": limit + 1}
    if after is None:
        found = connection.execute(_NEWEST, asked).mappings().all()
    else:
        asked |= {"after_ms": after[0], "after_pk": after[1]}
        found = connection.execute(_NEWEST_AFTER, asked).mappings().all()
    shown = found[:limit]
    more = len(found) > limit
    return [_value(row) for row in shown], _end(shown[-1]) if more else None


def rename(
    connection: Connection, user_id: str, conversation_id: str, title: str | None
) -> Conversation | None:
    asked = _asked(user_id, conversation_id)
    found = connection.execute(_ONE, asked).one_or_none()
    if found is None:
        return None
    connection.execute(_RENAME, {"which": found.pk, "title": title, "title_source": "user"})
    return _value(connection.execute(_ONE, asked).mappings().one())


def delete_conversation(connection: Connection, user_id: str, conversation_id: str) -> bool:
    found = connection.execute(_ONE, _asked(user_id, conversation_id)).one_or_none()
    if found is None:
        return False
    delete_below_conversation(connection, found.pk)
    connection.execute(_DELETE, {"which": found.pk})
    return True


def responses(
    connection: Connection, user_id: str, conversation_id: str
) -> list[tuple[JsonObject, list[JsonObject]]] | None:
    found = connection.execute(_ONE, _asked(user_id, conversation_id)).one_or_none()
    if found is None:
        return None
    items: defaultdict[tuple[int, str], list[JsonObject]] = defaultdict(list)
    for row in connection.execute(_ITEMS, {"which": found.pk}):
        items[row.response_pk, row.direction].append(row.data)
    return [
        (row.resource | {"output": items[row.pk, "out"]}, items[row.pk, "in"])
        for row in connection.execute(_RESPONSES, {"which": found.pk})
    ]


def _end(row: RowMapping) -> str:
    return cursor_at(row["updated_ms"], row["pk"])


def _asked(user_id: str, conversation_id: str) -> JsonObject:
    return {"user": user_id, "conversation": conversation_id}


def _value(row: RowMapping) -> Conversation:
    return Conversation(
        id=row["id"],
        title=row["title"],
        title_source=row["title_source"],
        model=row["model"],
        metadata=row["data"],
        active_response_id=row["active_response_id"],
        running=bool(row["running"]),
        created_at=row["created_ms"] // 1000,
        updated_at=row["updated_ms"] // 1000,
    )
