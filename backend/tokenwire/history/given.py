"""What was said in a conversation without an answer of this server: put there as responses that
have ended, so that whatever reads the tree finds it where it stands.

One step of a transaction that its caller has opened. It refuses to know who said it, and where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenwire.history import conversations, responses
from tokenwire.history.tables import RUNNING
from tokenwire.history.values import Ended, NewResponse, StillRunning, UnknownConversation


if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from tokenwire.history.values import Exchange, JsonObject


def add(
    connection: Connection,
    user_id: str,
    conversation_id: str,
    exchanges: Sequence[Exchange],
    now_ms: int,
) -> None:
    """Put them at the conversation's head, the last of them being the new one."""
    found = conversations.get(connection, user_id, conversation_id)
    if found is None:
        raise UnknownConversation(conversation_id)
    head = found.active_response_id
    # What it says is still to come, and would come after what was put behind it.
    if head is not None and responses.status(connection, user_id, head) in RUNNING:
        raise StillRunning(conversation_id)
    for exchange in exchanges:
        resource = exchange.resource | {"previous_response_id": head}
        responses.begin(
            connection,
            NewResponse(
                id=exchange.id,
                user_id=user_id,
                resource=resource | {"status": "in_progress"},
                input=exchange.input,
                model="",
                previous_response_id=head,
                conversation_id=conversation_id,
                idempotency_key=None,
                durable=False,
                created_ms=now_ms,
            ),
        )
        responses.finish(connection, _ended(exchange, resource, now_ms))
        head = exchange.id


def _ended(exchange: Exchange, resource: JsonObject, now_ms: int) -> Ended:
    return Ended(
        id=exchange.id,
        resource=resource | {"output": exchange.output},
        status="completed",
        finish_reason=None,
        events=[],
        token_ids=[],
        prompt_tokens=0,
        cached_tokens=0,
        completion_tokens=0,
        queued_ms=None,
        ttft_ms=None,
        decode_ms=None,
        seed=None,
        done_ms=now_ms,
    )
