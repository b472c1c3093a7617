"""The full-text index over what was said, and the triggers that keep it.

A revision is history: it repeats what it makes instead of importing it, and never changes again.
"""

from __future__ import annotations

from alembic import op


revision = "0003"
down_revision = "0002"

# The index keeps no text of its own. To take a row out of it, it must be told the text that went
# in; a plain DELETE would leave it wrong without a word.
_GONE = "INSERT INTO item_fts (item_fts, rowid, text) VALUES ('delete', old.pk, old.text)"
_CAME = "INSERT INTO item_fts (rowid, text) VALUES (new.pk, new.text)"
_TRIGGERS = {
    "item_said": f"AFTER INSERT ON item BEGIN {_CAME}; END",
    "item_unsaid": f"AFTER DELETE ON item BEGIN {_GONE}; END",
    "item_resaid": f"AFTER UPDATE OF pk, text ON item BEGIN {_GONE}; {_CAME}; END",
}


def upgrade() -> None:
    op.execute(
        "CREATE VIRTUAL TABLE item_fts USING fts5(text, content='item', content_rowid='pk',"
        " tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
    )
    for name, body in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {body}")
    op.execute("INSERT INTO item_fts (item_fts) VALUES ('rebuild')")
