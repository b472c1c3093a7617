"""The HTTP door of Chat Completions and Completions, over the same generations and the same log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenwire.errors import ServerError
from tokenwire.generation.generation import Generation
from tokenwire.generation.intake import Asker
from tokenwire.web.reply import error_response, json_body, json_response
from tokenwire.web.sse import event_stream
from tokenwire.wire.chat_completions import Chunks, completion, parse_chat
from tokenwire.wire.completions import TextChunks, parse_completion, text_completion
from tokenwire.wire.items import item_text


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quart import Quart, Response

    from tokenwire.web.parts import Parts
    from tokenwire.web.sse import Encode
    from tokenwire.wire.checked import JsonObject
    from tokenwire.wire.commands import Create
    from tokenwire.wire.events import Event
    from tokenwire.wire.events import Response as Wire


def install(app: Quart, parts: Parts) -> None:
    async def create() -> Response:
        chat, creates = parse_chat(await json_body())

        def chunks(response: Wire, id: str, index: int) -> Chunks:
            return Chunks(response, id=id, index=index, include_usage=chat.include_usage)

        return await _answered(parts, creates, chunks if chat.stream else None, completion)

    async def create_text() -> Response:
        asked, creates = parse_completion(await json_body())
        echoes = [item_text(create.items[0]) if asked.echo else "" for create in creates]

        def chunks(response: Wire, id: str, index: int) -> TextChunks:
            return TextChunks(response, asked, id=id, index=index, echo=echoes[index])

        def whole(responses: Sequence[Wire]) -> JsonObject:
            return text_completion(responses, asked, echoes)

        return await _answered(parts, creates, chunks if asked.stream else None, whole)

    path = "/v1/chat/completions"
    app.add_url_rule(path, "chat_completions", create, methods=["POST"])
    app.add_url_rule("/v1/completions", "completions", create_text, methods=["POST"])


async def _answered(
    parts: Parts,
    creates: Sequence[Create],
    chunks: Callable[[Wire, str, int], Chunks | TextChunks] | None,
    whole: Callable[[Sequence[Wire]], JsonObject],
) -> Response:
    """What becomes of the creates: a stream of `chunks`, or the `whole`."""
    choices = await _start(parts, creates)
    responses = [generation.response for generation in choices]
    if chunks is not None:
        id = str(whole(responses)["id"])
        made = [chunks(response, id, index) for index, response in enumerate(responses)]
        return event_stream(choices, -1, _encoder(made, responses), parts.limits.send_timeout_s)
    for generation in choices:
        generation.join()
    try:
        for generation in choices:
            await generation.finished()
    finally:
        for generation in choices:
            generation.leave()
    for response in responses:
        if response.status == "failed":
            details = response.error or {}
            return error_response(ServerError(details.get("message", "The answer failed.")))
    return json_response(whole(responses))


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


def _encoder(chunks: Sequence[Chunks | TextChunks], responses: Sequence[Wire]) -> Encode:
    running = set(range(len(chunks)))

    def encode(index: int, events: Sequence[Event]) -> bytes:
        made = [chunk for event in events for chunk in chunks[index].feed(event)]
        if events[-1].is_terminal:
            running.discard(index)
            if not running:
                made += chunks[index].usage(responses)
        return b"".join(b"data: %s\n\n" % chunk for chunk in made)

    return encode
