"""The first schema: users, conversations, responses with their items and logs.

A revision is history: it repeats the tables instead of importing them, and never changes again.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op


revision = "0001"
down_revision = None


def upgrade() -> None:
    _about_people()
    _about_responses()
    meta = op.create_table(
        "schema_meta",
        sa.Column("key", sa.String, nullable=False),
        sa.Column("value", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_schema_meta"),
    )
    op.bulk_insert(meta, [{"key": "created_ms", "value": str(time.time_ns() // 1_000_000)}])


def _about_people() -> None:
    op.create_table(
        "user",
        sa.Column("pk", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("created_ms", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("pk", name="pk_user"),
        sa.UniqueConstraint("id", name="uq_user_id"),
    )
    op.create_table(
        "kv",
        sa.Column("user_pk", sa.Integer, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("value", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("user_pk", "key", name="pk_kv"),
        sa.ForeignKeyConstraint(
            ["user_pk"], ["user.pk"], name="fk_kv_user_pk_user", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "conversation",
        sa.Column("pk", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("user_pk", sa.Integer, nullable=False),
        sa.Column("title", sa.String),
        sa.Column("title_source", sa.String, nullable=False),
        sa.Column("model", sa.String),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("active_leaf_pk", sa.Integer),
        sa.Column("created_ms", sa.Integer, nullable=False),
        sa.Column("updated_ms", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("pk", name="pk_conversation"),
        sa.CheckConstraint(
            "title_source IN ('auto', 'user')", name=op.f("ck_conversation_title_source")
        ),
        sa.UniqueConstraint("id", name="uq_conversation_id"),
        sa.ForeignKeyConstraint(
            ["user_pk"], ["user.pk"], name="fk_conversation_user_pk_user", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["active_leaf_pk"],
            ["response.pk"],
            name="fk_conversation_active_leaf_pk_response",
            ondelete="SET NULL",
            use_alter=True,
        ),
    )
    op.create_index(
        "ix_conversation_user_pk_updated_ms_pk", "conversation", ["user_pk", "updated_ms", "pk"]
    )
    op.create_index("ix_conversation_active_leaf_pk", "conversation", ["active_leaf_pk"])


def _about_responses() -> None:
    op.create_table(
        "response",
        sa.Column("pk", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("user_pk", sa.Integer, nullable=False),
        sa.Column("conversation_pk", sa.Integer),
        sa.Column("previous_pk", sa.Integer),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("finish_reason", sa.String),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("resource", sa.JSON, nullable=False),
        sa.Column("idempotency_key", sa.String),
        sa.Column("last_seq", sa.Integer),
        sa.Column("durable", sa.Boolean, nullable=False),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("cached_tokens", sa.Integer),
        sa.Column("completion_tokens", sa.Integer),
        sa.Column("queued_ms", sa.Integer),
        sa.Column("ttft_ms", sa.Integer),
        sa.Column("decode_ms", sa.Integer),
        sa.Column("token_ids", sa.LargeBinary),
        sa.Column("seed", sa.Integer),
        sa.Column("created_ms", sa.Integer, nullable=False),
        sa.Column("done_ms", sa.Integer),
        sa.PrimaryKeyConstraint("pk", name="pk_response"),
        sa.CheckConstraint(
            "status IN ('queued', 'in_progress', 'completed', 'incomplete', 'cancelled', 'failed')",
            name=op.f("ck_response_status"),
        ),
        sa.UniqueConstraint("id", name="uq_response_id"),
        sa.UniqueConstraint(
            "user_pk", "idempotency_key", name="uq_response_user_pk_idempotency_key"
        ),
        sa.ForeignKeyConstraint(
            ["user_pk"], ["user.pk"], name="fk_response_user_pk_user", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_pk"],
            ["conversation.pk"],
            name="fk_response_conversation_pk_conversation",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["previous_pk"], ["response.pk"], name="fk_response_previous_pk_response"
        ),
    )
    op.create_index("ix_response_conversation_pk_pk", "response", ["conversation_pk", "pk"])
    op.create_index("ix_response_previous_pk", "response", ["previous_pk"])
    op.create_index(
        "ix_response_running",
        "response",
        ["conversation_pk"],
        sqlite_where=sa.text("status IN ('queued', 'in_progress')"),
    )
    _about_contents()


def _about_contents() -> None:
    op.create_table(
        "item",
        sa.Column("pk", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("response_pk", sa.Integer, nullable=False),
        sa.Column("idx", sa.Integer, nullable=False),
        sa.Column("direction", sa.String, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("status", sa.String),
        sa.Column("text", sa.String),
        sa.Column("data", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("pk", name="pk_item"),
        sa.CheckConstraint("direction IN ('in', 'out')", name=op.f("ck_item_direction")),
        sa.UniqueConstraint(
            "response_pk", "direction", "idx", name="uq_item_response_pk_direction_idx"
        ),
        sa.ForeignKeyConstraint(
            ["response_pk"],
            ["response.pk"],
            name="fk_item_response_pk_response",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_item_id", "item", ["id"])
    op.create_table(
        "response_log",
        sa.Column("response_pk", sa.Integer, nullable=False),
        sa.Column("events", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("response_pk", name="pk_response_log"),
        sa.ForeignKeyConstraint(
            ["response_pk"],
            ["response.pk"],
            name="fk_response_log_response_pk_response",
            ondelete="CASCADE",
        ),
    )
