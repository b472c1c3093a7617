"""The tables as SQLModel classes, and the Core tables under them, in which statements are written.

`migrations/` builds the same schema step by step, and a test holds the two equal. This file knows
no statement and no connection. A `pk` is a rowid and never leaves the room; an `id` is public.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    MetaData,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


RUNNING = ("queued", "in_progress")
IS_RUNNING = "status IN ('queued', 'in_progress')"
IS_STATUS = "status IN ('queued', 'in_progress', 'completed', 'incomplete', 'cancelled', 'failed')"

# Without names of their own, constraints could not be dropped by a later batch migration.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Row(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMES))):
    """The base of all tables; its `metadata` holds this room's tables and no one else's."""


class User(Row, table=True):
    pk: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    name: str
    created_ms: int


class Conversation(Row, table=True):
    # Read backwards, as (updated_ms, pk) descending, by the list of conversations.
    __table_args__ = (
        CheckConstraint("title_source IN ('auto', 'user')", name="title_source"),
        Index(None, "user_pk", "archived", "updated_ms", "pk"),
        # So that the few that are pinned are found without reading all others.
        Index(
            "ix_conversation_pinned",
            *("user_pk", "archived", "updated_ms", "pk"),
            sqlite_where=text("pinned = 1"),
        ),
    )

    pk: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    user_pk: int = Field(foreign_key="user.pk", ondelete="CASCADE")
    title: str | None
    title_source: str
    model: str | None
    data: dict[str, str] = Field(sa_column=Column("metadata", JSON, nullable=False))
    # Conversation and response point at each other: `use_alter` says which is made first.
    active_leaf_pk: int | None = Field(
        sa_column=Column(
            ForeignKey(
                "response.pk",
                ondelete="SET NULL",
                use_alter=True,
                name="fk_conversation_active_leaf_pk_response",
            ),
            index=True,
        )
    )
    created_ms: int
    updated_ms: int
    pinned: bool = Field(default=False, sa_column_kwargs={"server_default": text("0")})
    archived: bool = Field(default=False, sa_column_kwargs={"server_default": text("0")})
    # No model is asked for its title, or not again.
    title_settled: bool = Field(default=False, sa_column_kwargs={"server_default": text("0")})
    settings: dict[str, object] = Field(sa_column=Column(JSON, nullable=False, server_default="{}"))


class Response(Row, table=True):
    """`previous_pk` makes the tree. It does not cascade: SQLite's cascades end at 1,000 levels."""

    __table_args__ = (
        CheckConstraint(IS_STATUS, name="status"),
        UniqueConstraint("user_pk", "idempotency_key"),
        Index(None, "conversation_pk", "pk"),
        # So that asking which conversations are running never reads their ended responses.
        Index("ix_response_running", "conversation_pk", sqlite_where=text(IS_RUNNING)),
    )

    pk: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    user_pk: int = Field(foreign_key="user.pk", ondelete="CASCADE")
    conversation_pk: int | None = Field(foreign_key="conversation.pk", ondelete="CASCADE")
    previous_pk: int | None = Field(foreign_key="response.pk", index=True)
    status: str
    finish_reason: str | None
    model: str
    # The Response resource as JSON, with an empty output: output items are rows of `item`.
    resource: dict[str, object] = Field(sa_type=JSON)
    idempotency_key: str | None
    last_seq: int | None
    durable: bool
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    queued_ms: int | None
    ttft_ms: int | None
    decode_ms: int | None
    token_ids: bytes | None
    seed: int | None
    created_ms: int
    done_ms: int | None
    # While it runs, and where it was cut: what its maker needs to go on with it; and how often that
    # was tried in a row.
    plan: dict[str, object] | None = Field(sa_type=JSON(none_as_null=True))
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class Item(Row, table=True):
    """An input or output item. `id` is not unique: clients send items of earlier answers back."""

    __table_args__ = (
        CheckConstraint("direction IN ('in', 'out')", name="direction"),
        UniqueConstraint("response_pk", "direction", "idx"),
    )

    pk: int | None = Field(default=None, primary_key=True)
    id: str = Field(index=True)
    response_pk: int = Field(foreign_key="response.pk", ondelete="CASCADE")
    idx: int
    direction: str
    type: str
    status: str | None
    text: str | None
    data: dict[str, object] = Field(sa_type=JSON)


class ResponseLog(Row, table=True):
    """The numbered events of an ended response, packed by `packing.py`, for replay."""

    # SQLModel types this name as its own default; a plain string is its documented use.
    __tablename__ = "response_log"  # pyright: ignore[reportAssignmentType]

    response_pk: int = Field(primary_key=True, foreign_key="response.pk", ondelete="CASCADE")
    events: bytes


class Journal(Row, table=True):
    """What running responses said lately, packed by `packing.py`: one row for each flush."""

    pk: int | None = Field(default=None, primary_key=True)
    payload: bytes


class Kv(Row, table=True):
    user_pk: int = Field(primary_key=True, foreign_key="user.pk", ondelete="CASCADE")
    key: str = Field(primary_key=True)
    value: dict[str, object] = Field(sa_type=JSON)


class SchemaMeta(Row, table=True):
    """Facts about the file itself, such as when it was made."""

    __tablename__ = "schema_meta"  # pyright: ignore[reportAssignmentType] as above

    key: str = Field(primary_key=True)
    value: str


metadata = Row.metadata

user = metadata.tables["user"]
conversation = metadata.tables["conversation"]
response = metadata.tables["response"]
item = metadata.tables["item"]
response_log = metadata.tables["response_log"]
journal = metadata.tables["journal"]
schema_meta = metadata.tables["schema_meta"]

# Literals, not parameters: SQLite picks the partial index only when it can see the same words.
is_running = response.c.status.in_([literal_column("'queued'"), literal_column("'in_progress'")])
