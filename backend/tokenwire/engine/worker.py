"""Imported by each worker process of a model that is spread over several: vLLM does that for the
class in it, which it mixes into its own.

What the engine process does for itself at its start is done here, in the process that runs the
model, whoever has started that: it dies with its parent, and goes on with answers that were begun
before. It refuses to know which rank it has.
"""

from __future__ import annotations

from tokenwire.engine import executor, hooks


executor.die_with_server()
hooks.install_hooks()


class Worker:
    """It has nothing to mix in: the import is all that is wanted."""
