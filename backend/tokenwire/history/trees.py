"""Deleting responses with all that goes on from them.

A response is the context of its descendants: without it they would mean something else, so they go
too. One statement does it, as cascading foreign keys would stop at 1,000 levels. It knows no user.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Select,
    bindparam,
    delete,
    func,
    select,
    update,
)

from tokenwire.history.tables import conversation, response


@dataclass(frozen=True, slots=True)
class _Statements:
    showing: Select[int]
    delete: Delete


def _statements(is_root: ColumnElement[bool]) -> _Statements:
    roots = select(response.c.pk).where(is_root).cte("tree", recursive=True)
    # UNION, not UNION ALL: where roots lie below one another, each response is visited once.
    tree = roots.union(select(response.c.pk).join(roots, response.c.previous_pk == roots.c.pk))
    within = select(tree.c.pk)
    return _Statements(
        showing=select(conversation.c.pk).where(conversation.c.active_leaf_pk.in_(within)),
        delete=delete(response).where(response.c.pk.in_(within)),
    )


_OF_RESPONSE = _statements(response.c.pk == bindparam("root"))
_OF_CONVERSATION = _statements(response.c.conversation_pk == bindparam("root"))
_SHOW_ANOTHER = (
    update(conversation)
    .where(conversation.c.pk == bindparam("which"))
    .values(
        active_leaf_pk=func.coalesce(
            select(response.c.pk)
            .where(
                response.c.pk == bindparam("parent"),
                response.c.conversation_pk == conversation.c.pk,
            )
            .scalar_subquery(),
            select(func.max(response.c.pk))
            .where(response.c.conversation_pk == conversation.c.pk)
            .scalar_subquery(),
        )
    )
)


def delete_below_response(connection: Connection, pk: int, parent_pk: int | None) -> None:
    """Delete the response too; its conversation then shows the parent, or the newest left."""
    _delete(connection, _OF_RESPONSE, pk, parent_pk)


def delete_below_conversation(connection: Connection, pk: int) -> None:
    """Delete the conversation's responses, and what went on from them in other conversations."""
    _delete(connection, _OF_CONVERSATION, pk, None)


def _delete(
    connection: Connection, statements: _Statements, root: int, parent_pk: int | None
) -> None:
    showing = connection.execute(statements.showing, {"root": root}).scalars().all()
    connection.execute(statements.delete, {"root": root})
    for pk in showing:
        connection.execute(_SHOW_ANOTHER, {"which": pk, "parent": parent_pk})
