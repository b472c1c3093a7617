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
        phase = models.state(models.default).phase
        status = "ready" if models.ready(models.default) is not None else "loading"
        if parts.sockets.draining:
            status = "draining"
        elif phase == "recovering":
            status = phase
        body = {
            "status": status,
            # False: answers go on, but what they say can't be written to disk.
            "saving": parts.generations.saving,
            "model": model_object(models.state(models.default)),
        }
        return json_response(body, 200 if status == "ready" else NOT_READY)

    async def metrics() -> Response:
        return Response(parts.metrics.text(), content_type="text/plain; version=0.0.4")

    app.add_url_rule("/healthz", "healthz", healthz, methods=["GET"])
    app.add_url_rule("/readyz", "readyz", readyz, methods=["GET"])
    app.add_url_rule("/metrics", "metrics", metrics, methods=["GET"])
