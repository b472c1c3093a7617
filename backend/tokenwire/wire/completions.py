"""Completions: a text that is gone on with, without a chat template; as creates, and the events of
a response as its chunks.

The oldest spelling of the language, over the same log; editors ask in it. Refuses to know what a
socket or a stream is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import msgspec
from msgspec import Meta

from tokenwire.errors import InvalidRequest, UnsupportedParameter
from tokenwire.wire.chat_completions import (
    MAX_CHOICES,
    StreamOptions,
    Tokens,
    chat_usage,
    failure,
    finish_reason,
)
from tokenwire.wire.checked import JsonObject, convert
from tokenwire.wire.commands import (
    LOGPROBS,
    Create,
    SamplingFields,
    ShortText,
    TokenwireFields,
    check_create,
)
from tokenwire.wire.items import Item, canonical_input, item_text
from tokenwire.wire.schema import Schema, shown_as


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.wire.events import Event, Response


_encode = msgspec.json.Encoder().encode

DEFAULT_TOKENS = 16

_TEXT: Schema = {"type": "string", "minLength": 1}
_TEXTS: Schema = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_CHOICES}
Prompts = Annotated[object, shown_as({"anyOf": [_TEXT, _TEXTS]})]


class CompletionCreate(SamplingFields, kw_only=True):
    """`POST /v1/completions`: the standard body."""

    prompt: Prompts
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    best_of: int | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    suffix: str | None = None
    user: ShortText | None = None

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


def parse_completion(body: JsonObject) -> tuple[CompletionCreate, list[Create]]:
    """A request and the creates that it means, one for each choice of each prompt; not stored.

    Raises InvalidRequest or UnsupportedParameter that names the field.
    """
    asked = convert(body, CompletionCreate)
    if asked.suffix:
        raise UnsupportedParameter("A `suffix` is not supported.", param="suffix")
    if asked.best_of not in (None, asked.n or 1):
        raise UnsupportedParameter("`best_of` must be `n`.", param="best_of")
    count = asked.n or 1
    prompts = _prompts(asked.prompt)
    if count * len(prompts) > MAX_CHOICES:
        raise InvalidRequest(f"There can be {MAX_CHOICES} choices in all.", param="prompt")
    return asked, [_create(asked, prompt, n) for prompt in prompts for n in range(count)]


def _prompts(prompt: object) -> list[str]:
    prompts = [prompt] if isinstance(prompt, str) else prompt
    if not isinstance(prompts, list) or not prompts:
        raise InvalidRequest("`prompt` must be a text, or a non-empty array of.", param="prompt")
    found: list[str] = []
    for one in cast("list[object]", prompts):
        if not isinstance(one, str) or not one:
            raise UnsupportedParameter("A `prompt` must be a text of its own.", param="prompt")
        found.append(one)
    return found


def _create(asked: CompletionCreate, prompt: str, number: int) -> Create:
    shared = {name: getattr(asked, name) for name in SamplingFields.__struct_fields__}
    if asked.seed is not None:
        # Else all choices were one.
        shared["seed"] = asked.seed + number
    create = Create(
        **shared,
        input=[*canonical_input(prompt)],
        model=asked.model,
        store=False,
        max_output_tokens=asked.max_tokens or DEFAULT_TOKENS,
        include=None if asked.logprobs is None else [LOGPROBS],
        top_logprobs=asked.logprobs,
        user=asked.user,
        tokenwire=TokenwireFields(raw=True),
    )
    check_create(create)
    return create


class TextChunks:
    """Turns the events of one response, the choice `index` of the completion `id`, into chunks,
    encoded as JSON. `echo`: its prompt, where that is to be said first.
    """

    def __init__(
        self,
        response: Response,
        asked: CompletionCreate,
        *,
        id: str,
        index: int,
        echo: str = "",
    ) -> None:
        self._response = response
        self._asked = asked
        self._index = index
        self._include_usage = asked.include_usage
        self._echo = echo
        self._head = _head(response) | {"id": id}

    def feed(self, event: Event) -> list[bytes]:
        """The chunks that an event makes, none for most. A failure ends with an error object."""
        match event.type:
            case "response.output_text.delta":
                body: JsonObject = {} if event.is_bare else msgspec.json.decode(event.json)
                return [self._chunk(event.delta, None, body.get("logprobs"))]
            case "response.created" if self._echo:
                return [self._chunk(self._echo)]
            case "response.completed" | "response.incomplete":
                return [self._chunk("", finish_reason(self._response))]
            case "response.failed":
                return [_encode({"error": failure(self._response)})]
            case _:
                return []

    def usage(self, responses: Sequence[Response]) -> list[bytes]:
        """The last chunk, of all choices: what they cost."""
        if not self._include_usage:
            return []
        return [_encode({**self._head, "choices": [], "usage": _usage(responses, self._asked)})]

    def _chunk(self, text: str, finish: str | None = None, told: object = None) -> bytes:
        choice: JsonObject = {"index": self._index, "text": text, "finish_reason": finish}
        choice["logprobs"] = _legacy(cast("list[Item]", told)) if told else None
        usage = {"usage": None} if self._include_usage else {}
        return _encode({**self._head, "choices": [choice], **usage})


def text_completion(
    responses: Sequence[Response], asked: CompletionCreate, echoes: Sequence[str]
) -> JsonObject:
    """Responses that have ended, as the choices of a `text_completion`."""
    choices: list[JsonObject] = []
    for index, (response, echo) in enumerate(zip(responses, echoes, strict=True)):
        parts = [
            part
            for item in response.output
            for part in cast("list[Item]", item.get("content") or [])
        ]
        told = [one for part in parts for one in cast("list[Item]", part.get("logprobs") or [])]
        choices.append(
            {
                "index": index,
                "text": echo + "".join(map(item_text, response.output)),
                "logprobs": _legacy(told) if told else None,
                "finish_reason": finish_reason(response),
            }
        )
    return {**_head(responses[0]), "choices": choices, "usage": _usage(responses, asked)}


def _usage(responses: Sequence[Response], asked: CompletionCreate) -> JsonObject:
    return chat_usage(responses, len(responses) // (asked.n or 1))


def _head(response: Response) -> JsonObject:
    return {
        "id": response.id.replace("resp_", "cmpl-", 1),
        "object": "text_completion",
        "created": response.created_at,
        "model": response.model,
    }


def _legacy(told: Sequence[Item]) -> JsonObject:
    """How likely each token was, in this dialect's columns."""
    tops = [cast("list[Item]", one["top_logprobs"]) for one in told]
    return {
        "tokens": [one["token"] for one in told],
        "token_logprobs": [one["logprob"] for one in told],
        "top_logprobs": [{str(top["token"]): top["logprob"] for top in each} for each in tops],
    }
