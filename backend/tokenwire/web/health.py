"""The HTTP door of the watchers: alive, ready, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Quart, Response

from tokenwire.web.objects import model_object
from tokenwire.web.reply import json_response


if TYPE_CHECKING:
    from tokenwire.web.parts import Parts


NOT_READY = 503


def install(app: Quart, parts: Parts) -> None:
    models = parts.models

    async def healthz() -> Response:
        return json_response({"status": "ok"})

    async def readyz() -> Response:
        default = models.state(models.default)
        state = model_object(default)
        if parts.draining.is_set():
            return json_response({"status": "draining", "model": state}, NOT_READY)
        if default.phase == "recovering":
            return json_response({"status": "recovering", "model": state}, NOT_READY)
        if models.ready(models.default) is None:
            return json_response({"status": "loading", "model": state}, NOT_READY)
        return json_response({"status": "ready", "model": state})

    async def metrics() -> Response:
        return Response(parts.metrics.text(), content_type="text/plain; version=0.0.4")

    app.add_url_rule("/healthz", "healthz", healthz, methods=["GET"])
    app.add_url_rule("/readyz", "readyz", readyz, methods=["GET"])
    app.add_url_rule("/metrics", "metrics", metrics, methods=["GET"])
