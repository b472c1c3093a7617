"""The few patches to Hypercorn that long streams need, each pinned by a test. Knows nothing of
Tokenwire.

Pinned to hypercorn 0.18 and quart 0.22; why each is needed stands beside it.
"""

from __future__ import annotations

import hypercorn.asyncio.run as hypercorn_run

from tokenwire.compat.connections import (
    TrackedTCPServer,
    abort_current,
    abort_stalled,
    accept,
    chunked_connection,
    unsent,
)
from tokenwire.compat.sockets import CHUNK, WebSocket


__all__ = [
    "CHUNK",
    "WebSocket",
    "abort_current",
    "abort_stalled",
    "accept",
    "chunked_connection",
    "install",
    "unsent",
]


def install() -> None:
    """Apply the patches. Idempotent."""
    hypercorn_run.TCPServer = TrackedTCPServer  # pyright: ignore[reportPrivateImportUsage]
