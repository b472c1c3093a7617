"""Chat Completions: its requests as creates, and the events of a response as its chunks.

A second spelling of the same language, over the same log. Refuses to know what a socket or a
stream is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tokenwire.errors import InvalidRequest, UnsupportedParameter
from tokenwire.wire.commands import (
    Create,
    JsonObject,
    Metadata,
    SamplingFields,
    ShortText,
    check_create,
    convert,
)
from tokenwire.wire.items import canonical_input, item_text


if TYPE_CHECKING:
    from tokenwire.wire.events import Event, Response


_encode = msgspec.json.Encoder().encode

Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ChatCreate(SamplingFields, kw_only=True):
    """`POST /v1/chat/completions`: the standard body."""

    messages: list[object] | UnsetType = UNSET
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1)] | None = None
    logprobs: bool | None = None
    store: bool | None = None
    metadata: Metadata | None = None
    tools: list[JsonObject] | None = None
    response_format: JsonObject | None = None
    user: ShortText | None = None

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


def parse_chat(body: JsonObject) -> tuple[ChatCreate, Create]:
    """A chat request and the create that it means; not stored unless it says so.

    Raises InvalidRequest or UnsupportedParameter that names the field.
    """
    chat = convert(body, ChatCreate)
    if chat.messages is UNSET:
        raise InvalidRequest("`messages` is required.", param="messages")
    items = canonical_input(chat.messages, "messages")
    _refuse_unsupported(chat)
    shared = {name: getattr(chat, name) for name in SamplingFields.__struct_fields__}
    create = Create(
        **shared,
        input=[*items],
        model=chat.model,
        store=bool(chat.store),
        metadata=chat.metadata,
        user=chat.user,
        max_output_tokens=chat.max_completion_tokens or chat.max_tokens,
    )
    check_create(create)
    return chat, create


class Chunks:
    """Turns the events of one response into `chat.completion.chunk` objects, encoded as JSON."""

    def __init__(self, response: Response, *, include_usage: bool) -> None:
        self._response = response
        self._include_usage = include_usage
        self._head: JsonObject = {
            "id": completion_id(response),
            "object": "chat.completion.chunk",
            "created": response.created_at,
            "model": response.model,
        }

    def feed(self, event: Event) -> list[bytes]:
        """The chunks that an event makes, none for most. A failure ends with an error object."""
        match event.type:
            case "response.created":
                return [self._chunk({"role": "assistant", "content": ""})]
            case "response.output_text.delta":
                return [self._chunk({"content": event.delta})]
            case "response.completed" | "response.incomplete":
                return [self._chunk({}, finish_reason(self._response)), *self._usage()]
            case "response.failed":
                return [_encode({"error": failure(self._response)})]
            case _:
                return []

    def _chunk(self, delta: JsonObject, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if self._include_usage else {}
        return _encode({**self._head, "choices": [choice], **usage})

    def _usage(self) -> list[bytes]:
        if not self._include_usage:
            return []
        return [_encode({**self._head, "choices": [], "usage": chat_usage(self._response)})]


def completion(response: Response) -> JsonObject:
    """A response that has ended, as a `chat.completion`."""
    text = "".join(item_text(item) for item in response.output)
    return {
        "id": completion_id(response),
        "object": "chat.completion",
        "created": response.created_at,
        "model": response.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": finish_reason(response),
            }
        ],
        "usage": chat_usage(response),
    }


def completion_id(response: Response) -> str:
    return response.id.replace("resp_", "chatcmpl-", 1)


def finish_reason(response: Response) -> str:
    return "stop" if response.status == "completed" else "length"


def failure(response: Response) -> JsonObject:
    error = response.error or {}
    return {
        "message": error.get("message"),
        "type": "server_error",
        "code": error.get("code"),
        "param": None,
    }


def chat_usage(response: Response) -> JsonObject:
    usage = response.usage or {}
    return {
        "prompt_tokens": usage.get("input_tokens", 0),
        "completion_tokens": usage.get("output_tokens", 0),
        "total_tokens": usage.get("total_tokens", 0),
        "prompt_tokens_details": usage.get("input_tokens_details"),
    }


def _refuse_unsupported(chat: ChatCreate) -> None:
    if chat.tools:
        raise UnsupportedParameter("Tools are not supported yet.", param="tools")
    if chat.logprobs:
        raise UnsupportedParameter("Log probabilities are not supported yet.", param="logprobs")
    if (chat.n or 1) > 1:
        raise UnsupportedParameter("Only one choice is supported: `n` must be 1.", param="n")
    kind = (chat.response_format or {}).get("type", "text")
    if kind != "text":
        raise UnsupportedParameter(
            f"The response format {kind!r} is not supported yet.", param="response_format"
        )
