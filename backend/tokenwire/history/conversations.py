"""The SQL of conversations: make, list in pages, change, delete.

Each function is one step of a transaction that its caller has opened. It refuses to know threads
and loops.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    bindparam,
    delete,
    exists,
    false,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)

from tokenwire.history.cursors import cursor_at, position
from tokenwire.history.tables import conversation, is_running, response, user
from tokenwire.history.trees import delete_below_conversation
from tokenwire.history.values import Conversation, JsonObject, UnknownResponse, UnknownUser


if TYPE_CHECKING:
    from tokenwire.history.values import Changes, Fields, Which


_leaf = response.alias()

_CONVERSATIONS = (
    select(
        conversation.c.pk,
        conversation.c.id,
        conversation.c.title,
        conversation.c.title_source,
        conversation.c.model,
        conversation.c.metadata.label("data"),
        conversation.c.settings,
        conversation.c.pinned,
        conversation.c.archived,
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
_place = (conversation.c.updated_ms, conversation.c.pk)
_start = tuple_(bindparam("after_ms"), bindparam("after_pk"))
_OWNER = select(user.c.pk).where(user.c.id == bindparam("user"))
_INSERT = insert(conversation)
_CHANGE = update(conversation).where(conversation.c.pk == bindparam("which"))
_WITHIN = select(response.c.pk).where(
    response.c.id == bindparam("response"), response.c.conversation_pk == bindparam("which")
)
_is_untitled = (
    conversation.c.id == bindparam("conversation"),
    conversation.c.user_pk == _OWNER.scalar_subquery(),
    conversation.c.title_source == "auto",
    conversation.c.title_settled.is_(false()),
)
_UNTITLED = select(exists().where(*_is_untitled))
_SETTLE = update(conversation).where(*_is_untitled)
_DELETE = delete(conversation).where(conversation.c.pk == bindparam("which"))


def create(
    connection: Connection,
    user_id: str,
    conversation_id: str,
    fields: Fields,
    now_ms: int,
) -> None:
    user_pk = connection.execute(_OWNER, {"user": user_id}).scalar()
    if user_pk is None:
        raise UnknownUser(user_id)
    row: JsonObject = {
        "id": conversation_id,
        "user_pk": user_pk,
        "title": None,
        "title_source": "auto" if fields.get("title") is None else "user",
        "metadata": {},
        "settings": {},
        "pinned": False,
        "archived": False,
        "created_ms": now_ms,
        "updated_ms": now_ms,
    }
    connection.execute(_INSERT, row | {**fields})


def one(connection: Connection, user_id: str, conversation_id: str) -> Conversation:
    """One that is there."""
    return _value(connection.execute(_ONE, _asked(user_id, conversation_id)).mappings().one())


def get(connection: Connection, user_id: str, conversation_id: str) -> Conversation | None:
    found = connection.execute(_ONE, _asked(user_id, conversation_id)).mappings().one_or_none()
    return None if found is None else _value(found)


def page(
    connection: Connection, user_id: str, limit: int, after: str | None, which: Which
) -> tuple[list[Conversation], str | None]:
    """`after`: the cursor of a page, or the id of a conversation, which may have moved since."""
    # One more than asked for tells whether there is a next page.
    asked: JsonObject = {"user": user_id, "most": limit + 1}
    if after is not None:
        place = connection.execute(_ONE, _asked(user_id, after)).one_or_none()
        after_ms, after_pk = (place.updated_ms, place.pk) if place else position(after)
        asked |= {"after_ms": after_ms, "after_pk": after_pk}
    statement = listed(which, after_a_place=after is not None)
    found = connection.execute(statement, asked).mappings().all()
    shown = found[:limit]
    more = len(found) > limit
    return [_value(row) for row in shown], _end(shown[-1]) if more else None


def change(
    connection: Connection,
    user_id: str,
    conversation_id: str,
    changes: Changes,
) -> Conversation | None:
    found = connection.execute(_ONE, _asked(user_id, conversation_id)).one_or_none()
    if found is None:
        return None
    row: JsonObject = {**changes}
    if row.pop("title", None) is not None:
        row |= {"title": changes.get("title"), "title_source": "user"}
    if (head := changes.get("active_response_id")) is not None:
        del row["active_response_id"]
        within = connection.execute(_WITHIN, {"which": found.pk, "response": head})
        if (row_of_head := within.scalar()) is None:
            raise UnknownResponse(head)
        row["active_leaf_pk"] = row_of_head
    if row:
        connection.execute(_CHANGE, {"which": found.pk} | row)
    return one(connection, user_id, conversation_id)


def untitled(connection: Connection, user_id: str, conversation_id: str) -> bool:
    return bool(connection.execute(_UNTITLED, _asked(user_id, conversation_id)).scalar())


def settle_title(
    connection: Connection, user_id: str, conversation_id: str, title: str | None
) -> bool:
    """A title that the user typed meanwhile stays."""
    row: JsonObject = {"title_settled": True}
    if title is not None:
        row["title"] = title
    found = connection.execute(_SETTLE, _asked(user_id, conversation_id) | row)
    return title is not None and found.rowcount > 0


def delete_conversation(connection: Connection, user_id: str, conversation_id: str) -> bool:
    found = connection.execute(_ONE, _asked(user_id, conversation_id)).one_or_none()
    if found is None:
        return False
    delete_below_conversation(connection, found.pk)
    connection.execute(_DELETE, {"which": found.pk})
    return True


@cache
def listed(which: Which, *, after_a_place: bool) -> Select[Any]:
    """The statement of a page; `after_a_place`: of one that is not the first."""
    statement = _CONVERSATIONS.limit(bindparam("most"))
    if which.oldest_first:
        statement = statement.order_by(*_place)
    else:
        statement = statement.order_by(*(column.desc() for column in _place))
    if after_a_place:
        place = tuple_(*_place)
        statement = statement.where(place > _start if which.oldest_first else place < _start)
    # Literals, not parameters: SQLite picks a partial index only when it can see the same words.
    for column, wanted in (
        (conversation.c.archived, which.archived),
        (conversation.c.pinned, which.pinned),
    ):
        if wanted is not None:
            statement = statement.where(column == literal_column("1" if wanted else "0"))
    return cast("Select[Any]", statement)


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
        settings=row["settings"],
        pinned=row["pinned"],
        archived=row["archived"],
        active_response_id=row["active_response_id"],
        running=bool(row["running"]),
        created_at=row["created_ms"] // 1000,
        updated_at=row["updated_ms"] // 1000,
    )
