"""The HTTP door of the models: what there is, where each stands, load one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenwire.errors import InvalidRequest
from tokenwire.web.objects import model_object
from tokenwire.web.reply import json_body, json_response


if TYPE_CHECKING:
    from quart import Quart, Response

    from tokenwire.web.parts import Parts


ACCEPTED = 202


def install(app: Quart, parts: Parts) -> None:
    models = parts.models

    async def listing() -> Response:
        return json_response({"object": "list", "data": [model_object(s) for s in models.states()]})

    async def retrieve(model_id: str) -> Response:
        return json_response(model_object(models.state(models.resolve(model_id))))

    async def load() -> Response:
        name = (await json_body()).get("model")
        if not isinstance(name, str) or not name:
            raise InvalidRequest("`model` must be the id of a model.", param="model")
        model = models.resolve(name)
        models.load(model)
        return json_response(model_object(models.state(model)), ACCEPTED)

    app.add_url_rule("/v1/models", "list_models", listing, methods=["GET"])
    app.add_url_rule("/v1/models/load", "load_model", load, methods=["POST"])
    app.add_url_rule("/v1/models/<path:model_id>", "retrieve_model", retrieve, methods=["GET"])
