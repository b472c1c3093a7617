"""create_app(parts): routes, errors -> responses, security headers. The map of the doors, and
nothing else.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from quart import Quart, Response, request, websocket
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from tokenwire import compat
from tokenwire.errors import MethodNotAllowed, NotFound, ServerError, TokenwireError, TooLarge
from tokenwire.web import (
    chat,
    conversations,
    docs,
    feed,
    health,
    items,
    messages,
    models,
    page,
    responses,
    socket,
)
from tokenwire.web.auth import check_host, check_origin
from tokenwire.web.reply import error_response


if TYPE_CHECKING:
    from tokenwire.web.parts import Parts


log = logging.getLogger(__name__)

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; worker-src 'self'; manifest-src 'self'; "
    # The one policy makes the address of the page's service worker and nothing else.
    "require-trusted-types-for 'script'; trusted-types tokenwire-worker; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
BODY_TIMEOUT_S = 30


def create_app(parts: Parts) -> Quart:
    """The ASGI application over the given parts."""
    app = Quart("tokenwire", static_folder=None)
    app.config["RESPONSE_TIMEOUT"] = None
    app.config["BODY_TIMEOUT"] = BODY_TIMEOUT_S
    app.config["MAX_CONTENT_LENGTH"] = parts.limits.max_message_bytes
    compat.install()
    _guard(app, parts)
    _map_errors(app)
    for door in (
        responses,
        socket,
        feed,
        chat,
        messages,
        conversations,
        items,
        models,
        health,
        page,
    ):
        door.install(app, parts)
    docs.install(app)
    return app


def _guard(app: Quart, parts: Parts) -> None:
    async def check_request() -> None:
        check_host(request.headers.get("Host"), parts.allowed_hosts)
        if request.method not in SAFE_METHODS:
            origin = request.headers.get("Origin")
            check_origin(origin, request.headers.get("Host"), parts.allowed_origins)

    async def check_websocket() -> None:
        host = websocket.headers.get("Host")
        check_host(host, parts.allowed_hosts)
        check_origin(websocket.headers.get("Origin"), host, parts.allowed_origins)

    async def secure(response: Response) -> Response:
        headers = response.headers
        headers["Content-Security-Policy"] = CSP
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return response

    app.before_request(check_request)
    app.before_websocket(check_websocket)
    app.after_request(secure)


def _map_errors(app: Quart) -> None:
    async def known(error: Exception) -> Response:
        if not isinstance(error, TokenwireError):
            raise TypeError("registered for TokenwireError only")
        return error_response(error)

    async def http(error: Exception) -> Response:
        if isinstance(error, RequestEntityTooLarge):
            return error_response(TooLarge("The body is larger than this server takes."))
        if isinstance(error, WrongMethod):
            refused = error_response(MethodNotAllowed(f"{request.method} is not possible here."))
            refused.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
            return refused
        code = error.code if isinstance(error, HTTPException) else None
        if code == NotFound("").ending.status:
            return error_response(NotFound(f"There is nothing at {request.path}."))
        return error_response(ServerError(f"The request failed ({code})."), status=code)

    async def unknown(error: Exception) -> Response:
        log.error("A request failed", exc_info=error)
        return error_response(ServerError("The server failed. It was logged."))

    app.register_error_handler(TokenwireError, known)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, unknown)
