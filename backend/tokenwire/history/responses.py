"""The SQL of responses: begin, finish, read, delete.

Each function is one step of a transaction that its caller has opened, over Core statements that are
built once. It refuses to know threads, loops and who may ask, beyond the user id that it is given.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import Connection, and_, bindparam, case, insert, null, select, update

from tokenwire.history import items
from tokenwire.history.packing import pack_events, pack_token_ids, unpack_events
from tokenwire.history.prepared import Prepared, to_json
from tokenwire.history.tables import conversation, is_running, item, response, response_log, user
from tokenwire.history.text import provisional_title
from tokenwire.history.trees import delete_below_response
from tokenwire.history.values import (
    Ended,
    JsonObject,
    NewResponse,
    UnknownConversation,
    UnknownResponse,
    UnknownUser,
)


# How an answer ends that can be gone on with.
_CUT = ("incomplete", "cancelled")

_same = response.alias()
_previous = response.alias()

# All that a new response must know about what is there already, in one row.
_SURROUNDINGS = Prepared(
    select(
        user.c.pk,
        _same.c.id,
        _previous.c.pk,
        conversation.c.pk,
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
_INSERT = Prepared(
    insert(response),
    [
        *("id", "user_pk", "conversation_pk", "previous_pk", "status", "model", "resource"),
        *("idempotency_key", "durable", "created_ms", "plan"),
        "attempts",
    ],
)
_INSERT_LOG = Prepared(insert(response_log), ["response_pk", "events"])
_UPDATE_CONVERSATION = update(conversation).where(conversation.c.pk == bindparam("which"))
_FINISH = Prepared(
    update(response)
    .where(response.c.pk == bindparam("which"), is_running)
    .values(plan=case((bindparam("cut"), response.c.plan), else_=null())),
    [
        *("status", "finish_reason", "resource", "last_seq", "prompt_tokens", "cached_tokens"),
        *("completion_tokens", "queued_ms", "ttft_ms", "decode_ms", "token_ids", "seed"),
        "done_ms",
    ],
)
_FREE_KEY = Prepared(
    update(response).where(response.c.pk == bindparam("which")), ["idempotency_key"]
)
_ENDING = Prepared(
    select(response.c.pk, response.c.conversation_pk).where(
        response.c.id == bindparam("response"), is_running
    )
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


def begin(connection: Connection, new: NewResponse) -> str | None:
    """The id of the response that has this idempotency key already, or None and it is stored."""
    asked = {
        "user": new.user_id,
        "key": new.idempotency_key,
        "previous": new.previous_response_id,
        "conversation": new.conversation_id,
    }
    if (place := _SURROUNDINGS.run(connection, asked).fetchone()) is None:
        raise UnknownUser(new.user_id)
    user_pk, same_id, previous_pk, conversation_pk, title, title_source = place
    if same_id is not None:
        return cast("str", same_id)
    if new.previous_response_id is not None and previous_pk is None:
        raise UnknownResponse(new.previous_response_id)
    if new.conversation_id is not None and conversation_pk is None:
        raise UnknownConversation(new.conversation_id)
    row = {
        "id": new.id,
        "user_pk": user_pk,
        "conversation_pk": conversation_pk,
        "previous_pk": previous_pk,
        "status": new.resource.get("status", "queued"),
        "model": new.model,
        "resource": _without_output(new.resource),
        "idempotency_key": new.idempotency_key,
        "durable": new.durable,
        "created_ms": new.created_ms,
        "plan": None if new.plan is None else to_json(new.plan),
        "attempts": 0,
    }
    pk = cast("int", _INSERT.run(connection, row).lastrowid)
    items.write(connection, pk, "in", new.input)
    if conversation_pk is not None:
        change: JsonObject = {"active_leaf_pk": pk}
        if new.model:
            change["model"] = new.model
        if title is None and title_source == "auto":
            change["title"] = provisional_title(new.input)
        _touch(connection, conversation_pk, new.created_ms, change)
    return None


def finish(connection: Connection, ended: Ended) -> None:
    """A response ends once: one that has ended, or was deleted meanwhile, is left as it is."""
    if (found := _ENDING.run(connection, {"response": ended.id}).fetchone()) is None:
        return
    pk, conversation_pk = found
    change = {
        "which": pk,
        "status": ended.status,
        "finish_reason": ended.finish_reason,
        "resource": _without_output(ended.resource),
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
        "cut": ended.status in _CUT,
    }
    _FINISH.run(connection, change)
    if not ended.keeps_key:
        _FREE_KEY.run(connection, {"which": pk, "idempotency_key": None})
    output = cast("list[JsonObject]", ended.resource.get("output") or [])
    items.write(connection, pk, "out", output)
    _INSERT_LOG.run(connection, {"response_pk": pk, "events": pack_events(ended.events)})
    if conversation_pk is not None:
        _touch(connection, conversation_pk, ended.done_ms, {})


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


def delete_response(connection: Connection, user_id: str, response_id: str) -> bool:
    """Delete it and all that goes on from it; its conversation then shows what came before."""
    found = connection.execute(_OWN, {"user": user_id, "response": response_id}).one_or_none()
    if found is None:
        return False
    delete_below_response(connection, found.pk, found.previous_pk)
    return True


def _without_output(resource: JsonObject) -> str:
    empty: JsonObject = {"output": []}
    return to_json(resource | empty)


def _touch(connection: Connection, pk: int, now_ms: int, change: JsonObject) -> None:
    connection.execute(_UPDATE_CONVERSATION, {"which": pk, "updated_ms": now_ms} | change)
