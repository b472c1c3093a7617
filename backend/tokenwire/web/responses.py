"""The HTTP door of the Responses API: create (JSON or SSE), retrieve (also as a stream), tell what
it was made from or how long a prompt is, make a conversation short, cancel, delete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Quart, Response, request

from tokenwire.errors import InvalidRequest, ServerError, UpgradeRequired
from tokenwire.generation.generation import Generation
from tokenwire.generation.ids import new_id
from tokenwire.generation.intake import Asker
from tokenwire.web.reply import item_page, json_body, json_response, query_flag, query_int
from tokenwire.web.sse import event_stream, responses_sse
from tokenwire.wire.commands import TokenwireFields, parse_create
from tokenwire.wire.compaction import SUMMARY_TOKENS, compacted, parse_compact
from tokenwire.wire.items import item_text


if TYPE_CHECKING:
    from tokenwire.web.parts import Parts


MAX_SEQUENCE_NUMBER = 2**53
MAX_KEY = 256
SUMMARY_SHARE = 8


class ResponsesDoor:
    """The handlers, over the parts that they use."""

    def __init__(self, parts: Parts) -> None:
        self._generations = parts.generations
        self._models = parts.models
        self._user_id = parts.user_id
        self._send_timeout_s = parts.limits.send_timeout_s

    async def create(self) -> Response:
        body = parse_create(await json_body())
        if key := request.headers.get("Idempotency-Key"):
            if len(key) > MAX_KEY:
                raise InvalidRequest("The Idempotency-Key is too long.", param="Idempotency-Key")
            body.tokenwire = body.tokenwire or TokenwireFields()
            body.tokenwire.idempotency_key = key
        asker = Asker(self._user_id, durable=bool(body.background))
        source = await self._generations.start(body, asker)
        if body.stream:
            return event_stream([source], -1, responses_sse, self._send_timeout_s)
        if body.background:
            return json_response(await self._generations.get(self._user_id, source.id))
        source.join()
        try:
            await self._generations.finished(source)
        finally:
            source.leave()
        return json_response(await self._generations.resource(self._user_id, source))

    async def retrieve(self, response_id: str) -> Response:
        stream = query_flag("stream")
        after = query_int("starting_after", -1, low=-1, high=MAX_SEQUENCE_NUMBER)
        if not stream:
            return json_response(await self._generations.get(self._user_id, response_id))
        source = await self._generations.find(self._user_id, response_id, after)
        return event_stream([source], after, responses_sse, self._send_timeout_s)

    async def input_items(self, response_id: str) -> Response:
        items = await self._generations.input_items(self._user_id, response_id)
        return json_response(item_page(items))

    async def input_tokens(self) -> Response:
        create = parse_create(await json_body())
        count = await self._generations.count_input(create, Asker(self._user_id))
        return json_response({"object": "response.input_tokens", "input_tokens": count})

    async def compact(self) -> Response:
        create = parse_compact(await json_body())
        model = self._models.resolve(create.model)
        if context := self._models.state(model).info.context_length:
            # What stands for the whole has to leave room for what follows.
            create.max_output_tokens = max(1, min(SUMMARY_TOKENS, context // SUMMARY_SHARE))
        source = await self._generations.start(create, Asker(self._user_id))
        if not isinstance(source, Generation):
            raise TypeError("a compaction has no idempotency key")
        source.join()
        try:
            await source.finished()
        finally:
            source.leave()
        made = source.response
        summary = "".join(item_text(item) for item in made.output if item["type"] == "message")
        if made.status not in ("completed", "incomplete") or not summary.strip():
            details = made.error or {}
            raise ServerError(details.get("message", "The model made no summary."))
        return json_response(compacted(made, new_id("cmp"), summary))

    async def cancel(self, response_id: str) -> Response:
        return json_response(await self._generations.cancel(self._user_id, response_id))

    async def delete(self, response_id: str) -> Response:
        await self._generations.delete(self._user_id, response_id)
        deleted = {"id": response_id, "object": "response.deleted", "deleted": True}
        return json_response(deleted)

    async def without_upgrade(self) -> Response:
        raise UpgradeRequired("This address speaks WebSocket, or takes a POST.")


def install(app: Quart, parts: Parts) -> None:
    door = ResponsesDoor(parts)
    path = "/v1/responses"
    one = f"{path}/<response_id>"
    app.add_url_rule(path, "create_response", door.create, methods=["POST"])
    app.add_url_rule(path, "without_upgrade", door.without_upgrade, methods=["GET"])
    app.add_url_rule(one, "retrieve_response", door.retrieve, methods=["GET"])
    app.add_url_rule(one, "delete_response", door.delete, methods=["DELETE"])
    app.add_url_rule(f"{one}/input_items", "input_items", door.input_items, methods=["GET"])
    app.add_url_rule(f"{path}/input_tokens", "input_tokens", door.input_tokens, methods=["POST"])
    app.add_url_rule(f"{path}/compact", "compact", door.compact, methods=["POST"])
    app.add_url_rule(f"{one}/cancel", "cancel_response", door.cancel, methods=["POST"])
