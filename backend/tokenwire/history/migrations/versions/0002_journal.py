"""The journal: what running responses said since they began, and what it takes to go on with them.

A revision is history: it repeats the tables instead of importing them, and never changes again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "journal",
        sa.Column("pk", sa.Integer, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("pk", name="pk_journal"),
    )
    op.add_column("response", sa.Column("plan", sa.JSON))
    op.add_column("response", sa.Column("attempts", sa.Integer, nullable=False, server_default="0"))
