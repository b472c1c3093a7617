"""The memory: users, conversations, responses and items in one SQLite file; no SQL leaves it."""
