"""The HTTP door of Chat Completions, over the same generations and the same log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenwire.errors import ServerError
from tokenwire.generation.generation import Generation
from tokenwire.generation.intake import Asker
from tokenwire.web.reply import error_response, json_body, json_response
from tokenwire.web.sse import event_stream
from tokenwire.wire.chat_completions import Chunks, completion, parse_chat


if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Quart, Response

    from tokenwire.web.parts import Parts
    from tokenwire.wire.events import Event


def install(app: Quart, parts: Parts) -> None:
    async def create() -> Response:
        chat, body = parse_chat(await json_body())
        generation = await parts.generations.start(body, Asker(parts.user_id))
        if not isinstance(generation, Generation):
            raise TypeError("a chat completion has no idempotency key")
        if chat.stream:
            chunks = Chunks(generation.response, include_usage=chat.include_usage)

            def encode(events: Sequence[Event]) -> bytes:
                made = [chunk for event in events for chunk in chunks.feed(event)]
                return b"".join(b"data: %s\n\n" % chunk for chunk in made)

            return event_stream(generation, -1, encode, parts.limits.send_timeout_s)
        generation.join()
        try:
            await generation.finished()
        finally:
            generation.leave()
        if generation.response.status == "failed":
            details = generation.response.error or {}
            return error_response(ServerError(details.get("message", "The answer failed.")))
        return json_response(completion(generation.response))

    app.add_url_rule("/v1/chat/completions", "chat_completions", create, methods=["POST"])
