"""The HTTP door of the models: what there is, where each stands; load, unload, fetch, stop one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from tokenwire.web.objects import model_object
from tokenwire.web.reply import json_body, json_response
from tokenwire.wire.checked import convert


if TYPE_CHECKING:
    from quart import Quart, Response

    from tokenwire.engine.models import ModelState
    from tokenwire.web.parts import Parts


ACCEPTED = 202
# How old a look at the disk may be that a list is made of.
LOOK_EVERY_S = 2.0
Door = Callable[[], Awaitable["Response"]]


class ChosenModel(msgspec.Struct, kw_only=True):
    """`POST /v1/models/...`: the model that it is about."""

    model: Annotated[str, Meta(min_length=1)]


def install(app: Quart, parts: Parts) -> None:
    models = parts.models

    async def listing() -> Response:
        await models.refresh(LOOK_EVERY_S)
        return json_response({"object": "list", "data": [model_object(s) for s in models.states()]})

    async def retrieve(model_id: str) -> Response:
        return json_response(model_object(models.state(models.resolve(model_id))))

    def load(name: str) -> ModelState:
        model = models.resolve(name)
        models.load(model)
        return models.state(model)

    def unload(name: str) -> ModelState:
        model = models.resolve(name)
        models.unload(model)
        return models.state(model)

    def accepted(act: Callable[[str], ModelState | Awaitable[ModelState]]) -> Door:
        async def answer() -> Response:
            state = act(convert(await json_body(), ChosenModel).model)
            return json_response(
                model_object(await state if isawaitable(state) else state), ACCEPTED
            )

        return answer

    app.add_url_rule("/v1/models", "list_models", listing, methods=["GET"])
    for name, act in {
        "load": load,
        "unload": unload,
        "download": models.download,
        "cancel": models.cancel,
    }.items():
        app.add_url_rule(f"/v1/models/{name}", f"{name}_model", accepted(act), methods=["POST"])
    app.add_url_rule("/v1/models/<path:model_id>", "retrieve_model", retrieve, methods=["GET"])
