"""What a person does with a conversation: pins it, puts it away, has it answered in their way; and
whether a model is still to be asked for its title.

A revision is history: it repeats what it makes instead of importing it, and never changes again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("pinned", "archived", "title_settled"):
        op.add_column(
            "conversation",
            sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("0")),
        )
    op.add_column(
        "conversation", sa.Column("settings", sa.JSON, nullable=False, server_default="{}")
    )
    # What people know their conversations by stays as it is.
    op.execute("UPDATE conversation SET title_settled = 1")
    op.drop_index("ix_conversation_user_pk_updated_ms_pk", "conversation")
    op.create_index(
        "ix_conversation_user_pk_archived_updated_ms_pk",
        "conversation",
        ["user_pk", "archived", "updated_ms", "pk"],
    )
    op.create_index(
        "ix_conversation_pinned",
        "conversation",
        ["user_pk", "archived", "updated_ms", "pk"],
        sqlite_where=sa.text("pinned = 1"),
    )
