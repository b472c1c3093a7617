"""The few patches to Hypercorn and Quart that long streams need, each pinned by a test. Knows
nothing of Tokenwire.

Pinned to hypercorn 0.18 and quart 0.22; why each is needed stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypercorn.asyncio.run as hypercorn_run
import hypercorn.protocol.ws_stream as hypercorn_ws

from tokenwire.compat.connections import (
    CHUNK,
    TrackedTCPServer,
    abort_current,
    abort_stalled,
    ask_silent,
    chunked_connection,
    unsent,
)
from tokenwire.compat.sockets import (
    INBOUND_FRAMES,
    BoundedWebsocketConnection,
    PlainWebsocket,
    current_websocket,
)


if TYPE_CHECKING:
    from quart import Quart


__all__ = [
    "CHUNK",
    "INBOUND_FRAMES",
    "BoundedWebsocketConnection",
    "PlainWebsocket",
    "abort_current",
    "abort_stalled",
    "ask_silent",
    "chunked_connection",
    "current_websocket",
    "install",
    "unsent",
]


def install(app: Quart) -> None:
    """Apply the patches. Idempotent."""
    hypercorn_run.TCPServer = TrackedTCPServer  # pyright: ignore[reportPrivateImportUsage]
    # permessage-deflate can't be switched off; it costs 77 KiB and half the speed per connection.
    hypercorn_ws.server_extensions_handshake = _no_extensions  # pyright: ignore[reportPrivateImportUsage]
    app.asgi_websocket_class = BoundedWebsocketConnection
    app.websocket_class = PlainWebsocket


def _no_extensions(*_: object) -> None: ...
