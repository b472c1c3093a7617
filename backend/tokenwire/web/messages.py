"""The HTTP door of Anthropic Messages, over the same generations and the same log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenwire.errors import ServerError
from tokenwire.generation.generation import Generation
from tokenwire.generation.intake import Asker
from tokenwire.web.reply import MESSAGES, json_body, json_response
from tokenwire.web.sse import event_stream
from tokenwire.wire.anthropic_events import Messages, message
from tokenwire.wire.anthropic_messages import parse_count, parse_messages


if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Quart, Response

    from tokenwire.web.parts import Parts
    from tokenwire.wire.events import Event


def install(app: Quart, parts: Parts) -> None:
    async def create() -> Response:
        asked, body = parse_messages(await json_body())
        generation = await parts.generations.start(body, Asker(parts.user_id))
        if not isinstance(generation, Generation):
            raise TypeError("a message has no idempotency key")
        if asked.stream:
            messages = Messages(generation.response)

            def encode(_: int, events: Sequence[Event]) -> bytes:
                return b"".join(made for event in events for made in messages.feed(event))

            return event_stream([generation], -1, encode, parts.limits.send_timeout_s, done=b"")
        generation.join()
        try:
            await generation.finished()
        finally:
            generation.leave()
        if generation.response.status == "failed":
            details = generation.response.error or {}
            raise ServerError(details.get("message", "The answer failed."))
        return json_response(message(generation.response))

    async def count() -> Response:
        body = parse_count(await json_body())
        tokens = await parts.generations.count_input(body, Asker(parts.user_id))
        return json_response({"input_tokens": tokens})

    app.add_url_rule(MESSAGES, "messages", create, methods=["POST"])
    app.add_url_rule(f"{MESSAGES}/count_tokens", "count_message", count, methods=["POST"])
