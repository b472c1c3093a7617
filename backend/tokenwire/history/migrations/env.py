"""Alembic runs this file for each command, with the connection that the caller has opened.

It knows no URL and no settings file: the transaction around it is the caller's too.
"""

from __future__ import annotations

from alembic import context

from tokenwire.history.tables import metadata


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
