"""What was running when the last server ended: read with its journal, the attempt counted.

Each function is one step of a transaction that its caller has opened. It refuses to know who goes
on with it.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update

from tokenwire.history import journal
from tokenwire.history.tables import conversation, is_running, item, response, user
from tokenwire.history.values import NewResponse, Unfinished


_previous = response.alias()

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
_COUNT = update(response).where(response.c.pk == bindparam("which"), is_running)


def find(connection: Connection, last: int) -> list[tuple[int, Unfinished]]:
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
        connection.execute(_COUNT, change)
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
