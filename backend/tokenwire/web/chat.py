"""The HTTP door of Chat Completions, over the same generations and the same log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenwire.errors import ServerError
from tokenwire.generation.generation import Generation
from tokenwire.generation.intake import Asker
from tokenwire.web.reply import error_response, json_body, json_response
from tokenwire.web.sse import event_stream
from tokenwire.wire.chat_completions import Chunks, completion, completion_id, parse_chat


if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart import Quart, Response

    from tokenwire.web.parts import Parts
    from tokenwire.web.sse import Encode
    from tokenwire.wire.commands import Create
    from tokenwire.wire.events import Event


def install(app: Quart, parts: Parts) -> None:
    async def create() -> Response:
        chat, creates = parse_chat(await json_body())
        choices = await _start(parts, creates)
        if chat.stream:
            encode = _encoder(choices, include_usage=chat.include_usage)
            return event_stream(choices, -1, encode, parts.limits.send_timeout_s)
        for generation in choices:
            generation.join()
        try:
            for generation in choices:
                await generation.finished()
        finally:
            for generation in choices:
                generation.leave()
        responses = [generation.response for generation in choices]
        for response in responses:
            if response.status == "failed":
                details = response.error or {}
                return error_response(ServerError(details.get("message", "The answer failed.")))
        return json_response(completion(responses))

    app.add_url_rule("/v1/chat/completions", "chat_completions", create, methods=["POST"])


async def _start(parts: Parts, creates: Sequence[Create]) -> list[Generation]:
    """All choices, or none."""
    started: list[Generation] = []
    try:
        for create in creates:
            generation = await parts.generations.start(create, Asker(parts.user_id))
            if not isinstance(generation, Generation):
                raise TypeError("a chat completion has no idempotency key")
            started.append(generation)
    except BaseException:
        for generation in started:
            generation.cancel()
        raise
    return started


def _encoder(choices: Sequence[Generation], *, include_usage: bool) -> Encode:
    responses = [generation.response for generation in choices]
    chunks = [
        Chunks(response, index=index, id=completion_id(responses[0]), include_usage=include_usage)
        for index, response in enumerate(responses)
    ]
    running = set(range(len(choices)))

    def encode(index: int, events: Sequence[Event]) -> bytes:
        made = [chunk for event in events for chunk in chunks[index].feed(event)]
        if events[-1].is_terminal:
            running.discard(index)
            if not running:
                made += chunks[index].usage(responses)
        return b"".join(b"data: %s\n\n" % chunk for chunk in made)

    return encode
