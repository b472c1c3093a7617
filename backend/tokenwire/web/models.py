"""The HTTP door of the models: what there is, where each stands, load one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from tokenwire.web.objects import model_object
from tokenwire.web.reply import json_body, json_response
from tokenwire.wire.checked import convert


if TYPE_CHECKING:
    from quart import Quart, Response

    from tokenwire.web.parts import Parts


ACCEPTED = 202


class LoadModel(msgspec.Struct, kw_only=True):
    """`POST /v1/models/load`: the model to load."""

    model: Annotated[str, Meta(min_length=1)]


def install(app: Quart, parts: Parts) -> None:
    models = parts.models

    async def listing() -> Response:
        return json_response({"object": "list", "data": [model_object(s) for s in models.states()]})

    async def retrieve(model_id: str) -> Response:
        return json_response(model_object(models.state(models.resolve(model_id))))

    async def load() -> Response:
        model = models.resolve(convert(await json_body(), LoadModel).model)
        models.load(model)
        return json_response(model_object(models.state(model)), ACCEPTED)

    app.add_url_rule("/v1/models", "list_models", listing, methods=["GET"])
    app.add_url_rule("/v1/models/load", "load_model", load, methods=["POST"])
    app.add_url_rule("/v1/models/<path:model_id>", "retrieve_model", retrieve, methods=["GET"])
