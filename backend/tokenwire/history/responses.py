"""The SQL of responses: begin, finish, read, follow the chain, delete.

Each function is one step of a transaction that its caller has opened, over Core statements that are
built once. It refuses to know threads, loops and who may ask, beyond the user id that it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection, and_, bindparam, insert, literal, select, update

from tokenwire.history import journal
from tokenwire.history.packing import pack_events, pack_token_ids, unpack_events
from tokenwire.history.tables import conversation, is_running, item, response, response_log, user
from tokenwire.history.text import item_text, provisional_title
from tokenwire.history.trees import delete_below_response
from tokenwire.history.values import (
    Ended,
    JsonObject,
    NewResponse,
    Unfinished,
    UnknownConversation,
    UnknownResponse,
    UnknownUser,
)


if TYPE_CHECKING:
    from collections.abc import Sequence


_same = response.alias()
_previous = response.alias()

# All that a new response must know about what is there already, in one row.
_SURROUNDINGS = (
    select(
        user.c.pk,
        _same.c.id.label("same_id"),
        _previous.c.pk.label("previous_pk"),
        conversation.c.pk.label("conversation_pk"),
        conversation.c.title,
        conversation.c.title_source,
    )
    .select_from(user)
    .outerjoin(
        _same, and_(_same.c.user_pk == user.c.pk, _same.c.idempotency_key == bindparam("key"))
    )
    .outerjoin(
        _previous, and_(_previous.c.user_pk == user.c.pk, _previous.c.id == bindparam("previous"))
    )
    .outerjoin(
        conversation,
        and_(conversation.c.user_pk == user.c.pk, conversation.c.id == bindparam("conversation")),
    )
    .where(user.c.id == bindparam("user"))
)
_INSERT = insert(response)
_INSERT_ITEMS = insert(item)
_INSERT_LOG = insert(response_log)
_UPDATE_CONVERSATION = update(conversation).where(conversation.c.pk == bindparam("which"))
_END = update(response).where(response.c.pk == bindparam("which"), is_running)
_ENDING = select(response.c.pk, response.c.conversation_pk).where(
    response.c.id == bindparam("response"), is_running
)

_OWN = (
    select(response.c.pk, response.c.status, response.c.resource, response.c.previous_pk)
    .join(user, user.c.pk == response.c.user_pk)
    .where(response.c.id == bindparam("response"), user.c.id == bindparam("user"))
)
_KEYED = (
    select(response.c.id)
    .join(user, user.c.pk == response.c.user_pk)
    .where(user.c.id == bindparam("user"), response.c.idempotency_key == bindparam("key"))
)
_OUTPUT = (
    select(item.c.data)
    .where(item.c.response_pk == bindparam("which"), item.c.direction == "out")
    .order_by(item.c.idx)
)
_LOG = select(response_log.c.events).where(response_log.c.response_pk == bindparam("which"))
_INPUT = (
    select(item.c.data)
    .where(item.c.response_pk == bindparam("which"), item.c.direction == "in")
    .order_by(item.c.idx)
)
_RUNNING = (
    select(
        response,
        user.c.id.label("user_id"),
        _previous.c.id.label("previous_id"),
        conversation.c.id.label("conversation_id"),
    )
    .join(user, user.c.pk == response.c.user_pk)
    .outerjoin(_previous, _previous.c.pk == response.c.previous_pk)
    .outerjoin(conversation, conversation.c.pk == response.c.conversation_pk)
    .where(is_running)
    .order_by(response.c.pk)
)

_leaf = (
    _OWN.with_only_columns(response.c.pk, response.c.previous_pk, literal(0).label("depth"))
).cte("path", recursive=True)
_path = _leaf.union_all(
    select(response.c.pk, response.c.previous_pk, _leaf.c.depth + 1).join(
        _leaf, response.c.pk == _leaf.c.previous_pk
    )
)
# Input sorts before output within one response because "in" < "out".
_CHAIN = (
    select(item.c.data)
    .select_from(_path)
    .outerjoin(item, item.c.response_pk == _path.c.pk)
    .order_by(_path.c.depth.desc(), item.c.direction, item.c.idx)
)


def begin(connection: Connection, new: NewResponse) -> str | None:
    """The id of the response that has this idempotency key already, or None and it is stored."""
    place = connection.execute(
        _SURROUNDINGS,
        {
            "user": new.user_id,
            "key": new.idempotency_key,
            "previous": new.previous_response_id,
            "conversation": new.conversation_id,
        },
    ).one_or_none()
    if place is None:
        raise UnknownUser(new.user_id)
    if place.same_id is not None:
        return cast("str", place.same_id)
    if new.previous_response_id is not None and place.previous_pk is None:
        raise UnknownResponse(new.previous_response_id)
    if new.conversation_id is not None and place.conversation_pk is None:
        raise UnknownConversation(new.conversation_id)
    row: dict[str, object] = {
        "id": new.id,
        "user_pk": place.pk,
        "conversation_pk": place.conversation_pk,
        "previous_pk": place.previous_pk,
        "status": new.resource.get("status", "queued"),
        "model": new.model,
        "resource": new.resource | {"output": []},
        "idempotency_key": new.idempotency_key,
        "durable": new.durable,
        "created_ms": new.created_ms,
        "plan": new.plan,
    }
    pk = connection.execute(_INSERT, row).lastrowid
    _insert_items(connection, pk, "in", new.input)
    if place.conversation_pk is not None:
        change: JsonObject = {"model": new.model, "active_leaf_pk": pk}
        if place.title is None and place.title_source == "auto":
            change["title"] = provisional_title(new.input)
        _touch(connection, place.conversation_pk, new.created_ms, change)
    return None


def finish(connection: Connection, ended: Ended) -> None:
    """A response ends once: one that has ended, or was deleted meanwhile, is left as it is."""
    found = connection.execute(_ENDING, {"response": ended.id}).one_or_none()
    if found is None:
        return
    change: dict[str, object] = {
        "which": found.pk,
        "status": ended.status,
        "finish_reason": ended.finish_reason,
        "resource": ended.resource | {"output": []},
        "last_seq": len(ended.events) - 1 if ended.events else None,
        "prompt_tokens": ended.prompt_tokens,
        "cached_tokens": ended.cached_tokens,
        "completion_tokens": ended.completion_tokens,
        "queued_ms": ended.queued_ms,
        "ttft_ms": ended.ttft_ms,
        "decode_ms": ended.decode_ms,
        "token_ids": pack_token_ids(ended.token_ids),
        "seed": ended.seed,
        "done_ms": ended.done_ms,
        "plan": None,
    }
    if not ended.keeps_key:
        change["idempotency_key"] = None
    connection.execute(_END, change)
    output = cast("list[JsonObject]", ended.resource.get("output") or [])
    _insert_items(connection, found.pk, "out", output)
    log = {"response_pk": found.pk, "events": pack_events(ended.events)}
    connection.execute(_INSERT_LOG, log)
    if found.conversation_pk is not None:
        _touch(connection, found.conversation_pk, ended.done_ms, {})


def unfinished(connection: Connection, last: int) -> list[tuple[int, Unfinished]]:
    """Every running response with its journal, which is rewritten as one row for each, numbered
    after `last`; and that row's pk, 0 where nothing was said. Counts the attempt.
    """
    found: list[tuple[int, Unfinished]] = []
    rows = connection.execute(_RUNNING).all()
    kept = journal.compact(connection, [row.id for row in rows], last)
    for row in rows:
        pk, said = kept.get(row.id, (0, None))
        tokens = len(said.token_ids) if said else 0
        # Its prompt is written down when it starts: one that only waited ended no server.
        started = said is not None and said.prompt is not None
        attempts = 1 if tokens > (row.completion_tokens or 0) else row.attempts + started
        change = {"which": row.pk, "completion_tokens": tokens, "attempts": attempts}
        connection.execute(_END, change)
        items = connection.execute(_INPUT, {"which": row.pk}).scalars().all()
        begun = NewResponse(
            id=row.id,
            user_id=row.user_id,
            resource=row.resource,
            input=list(items),
            model=row.model,
            previous_response_id=row.previous_id,
            conversation_id=row.conversation_id,
            idempotency_key=row.idempotency_key,
            durable=row.durable,
            created_ms=row.created_ms,
            plan=row.plan,
        )
        found.append((pk, Unfinished(begun, said, attempts)))
    return found


def forget_attempts(connection: Connection) -> None:
    """The server ends in good order: nothing that runs is to blame for it."""
    connection.execute(update(response).where(is_running).values(attempts=0))


def get(connection: Connection, user_id: str, response_id: str) -> JsonObject | None:
    found = connection.execute(_OWN, {"user": user_id, "response": response_id}).one_or_none()
    if found is None:
        return None
    output = connection.execute(_OUTPUT, {"which": found.pk}).scalars().all()
    return found.resource | {"output": list(output)}


def status(connection: Connection, user_id: str, response_id: str) -> str | None:
    found = connection.execute(_OWN, {"user": user_id, "response": response_id}).one_or_none()
    return None if found is None else found.status


def keyed(connection: Connection, user_id: str, key: str) -> str | None:
    return connection.execute(_KEYED, {"user": user_id, "key": key}).scalar()


def events(connection: Connection, user_id: str, response_id: str) -> list[str] | None:
    found = connection.execute(_OWN, {"user": user_id, "response": response_id}).one_or_none()
    if found is None:
        return None
    blob = connection.execute(_LOG, {"which": found.pk}).scalar()
    return [] if blob is None else unpack_events(blob)


def chain(connection: Connection, user_id: str, response_id: str) -> list[JsonObject] | None:
    asked = {"user": user_id, "response": response_id}
    # The outer join gives at least one row for a response that is there, if only an empty one.
    found = connection.execute(_CHAIN, asked).scalars().all()
    return [data for data in found if data is not None] if found else None


def delete_response(connection: Connection, user_id: str, response_id: str) -> bool:
    """Delete it and all that goes on from it; its conversation then shows what came before."""
    found = connection.execute(_OWN, {"user": user_id, "response": response_id}).one_or_none()
    if found is None:
        return False
    delete_below_response(connection, found.pk, found.previous_pk)
    return True


def _insert_items(
    connection: Connection, response_pk: int, direction: str, items: Sequence[JsonObject]
) -> None:
    rows = [
        {
            "id": data["id"],
            "response_pk": response_pk,
            "idx": idx,
            "direction": direction,
            "type": data.get("type", "message"),
            "status": data.get("status"),
            "text": item_text(data),
            "data": data,
        }
        for idx, data in enumerate(items)
    ]
    if rows:
        connection.execute(_INSERT_ITEMS, rows)


def _touch(connection: Connection, pk: int, now_ms: int, change: JsonObject) -> None:
    connection.execute(_UPDATE_CONVERSATION, {"which": pk, "updated_ms": now_ms} | change)
