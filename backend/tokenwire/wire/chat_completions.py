"""Chat Completions: its requests as creates, and the events of a response as its chunks.

A second spelling of the same language, over the same log. Refuses to know what a socket or a
stream is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, cast

import msgspec
from msgspec import Meta

from tokenwire.errors import InvalidRequest
from tokenwire.wire.checked import JsonObject, convert
from tokenwire.wire.commands import (
    LOGPROBS,
    Create,
    Metadata,
    SamplingFields,
    ShortText,
    TextFields,
    check_create,
)
from tokenwire.wire.items import Item, item_text
from tokenwire.wire.messages import ChatMessages, message_items
from tokenwire.wire.spelled import Format, FunctionTools, ToolChoice
from tokenwire.wire.tools import Effort, ReasoningFields, check_functions, parse_text_format


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.wire.events import Event, Response


_encode = msgspec.json.Encoder().encode

Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]
MAX_CHOICES: Final = 16


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ChatCreate(SamplingFields, kw_only=True):
    """`POST /v1/chat/completions`: the standard body."""

    messages: ChatMessages
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    store: bool | None = None
    metadata: Metadata | None = None
    tools: FunctionTools | None = None
    tool_choice: ToolChoice = None
    parallel_tool_calls: bool | None = None
    response_format: Format | None = None
    reasoning_effort: Effort | None = None
    prompt_cache_key: ShortText | None = None
    safety_identifier: ShortText | None = None
    user: ShortText | None = None

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


def parse_chat(body: JsonObject) -> tuple[ChatCreate, list[Create]]:
    """A chat request and the creates that it means, one for each choice; not stored unless it says
    so.

    Raises InvalidRequest or UnsupportedParameter that names the field.
    """
    chat = convert(body, ChatCreate)
    if chat.top_logprobs and not chat.logprobs:
        raise InvalidRequest("`top_logprobs` needs `logprobs`.", param="top_logprobs")
    items = message_items(chat.messages)
    if chat.continue_final_message and items[-1].get("role") != "assistant":
        raise InvalidRequest(
            "`continue_final_message` needs a last message of the assistant.",
            param="continue_final_message",
        )
    return chat, [_create(chat, items, number) for number in range(chat.n or 1)]


def _create(chat: ChatCreate, items: list[Item], number: int) -> Create:
    shared = {name: getattr(chat, name) for name in SamplingFields.__struct_fields__}
    if chat.seed is not None:
        # Else all choices were one.
        shared["seed"] = chat.seed + number
    effort = chat.reasoning_effort
    check_functions(chat.tools)
    create = Create(
        **shared,
        input=[*items],
        model=chat.model,
        store=bool(chat.store),
        metadata=chat.metadata,
        user=chat.user,
        max_output_tokens=chat.max_completion_tokens or chat.max_tokens,
        tools=chat.tools,
        tool_choice=chat.tool_choice,
        parallel_tool_calls=chat.parallel_tool_calls,
        text=TextFields(format=parse_text_format(chat.response_format, "response_format")),
        reasoning=None if effort is None else ReasoningFields(effort=effort),
        include=[LOGPROBS] if chat.logprobs else None,
        top_logprobs=chat.top_logprobs,
        prompt_cache_key=chat.prompt_cache_key,
        safety_identifier=chat.safety_identifier,
    )
    check_create(create)
    return create


class Chunks:
    """Turns the events of one response, the choice `index` of the completion `id`, into
    `chat.completion.chunk` objects, encoded as JSON.
    """

    def __init__(self, response: Response, *, id: str, index: int, include_usage: bool) -> None:
        self._response = response
        self._index = index
        self._include_usage = include_usage
        self._calls = -1
        self._head: JsonObject = {
            "id": id,
            "object": "chat.completion.chunk",
            "created": response.created_at,
            "model": response.model,
        }

    def feed(self, event: Event) -> list[bytes]:
        """The chunks that an event makes, none for most. A failure ends with an error object."""
        match event.type:
            case "response.output_text.delta":
                told = None if event.is_bare else _body(event)["logprobs"]
                return [self._chunk({"content": event.delta}, logprobs=told)]
            case "response.created":
                return [self._chunk({"role": "assistant", "content": ""})]
            case "response.reasoning_text.delta":
                return [self._chunk({"reasoning_content": _body(event)["delta"]})]
            case "response.output_item.added":
                return self._called(cast("Item", _body(event)["item"]))
            case "response.function_call_arguments.delta":
                said = {"index": self._calls, "function": {"arguments": _body(event)["delta"]}}
                return [self._chunk({"tool_calls": [said]})]
            case "response.completed" | "response.incomplete":
                return [self._chunk({}, finish_reason(self._response))]
            case "response.failed":
                return [_encode({"error": failure(self._response)})]
            case _:
                return []

    def usage(self, responses: Sequence[Response]) -> list[bytes]:
        """The last chunk, of all choices: what they cost."""
        if not self._include_usage:
            return []
        return [_encode({**self._head, "choices": [], "usage": chat_usage(responses)})]

    def _called(self, item: Item) -> list[bytes]:
        if item["type"] != "function_call":
            return []
        self._calls += 1
        function = {"name": item["name"], "arguments": ""}
        call = {"index": self._calls, "id": item["call_id"], "type": "function"}
        return [self._chunk({"tool_calls": [call | {"function": function}]})]

    def _chunk(
        self, delta: JsonObject, finish: str | None = None, logprobs: object = None
    ) -> bytes:
        choice: JsonObject = {"index": self._index, "delta": delta, "finish_reason": finish}
        choice["logprobs"] = None if logprobs is None else {"content": logprobs, "refusal": None}
        usage = {"usage": None} if self._include_usage else {}
        return _encode({**self._head, "choices": [choice], **usage})


def completion(responses: Sequence[Response]) -> JsonObject:
    """Responses that have ended, as the choices of a `chat.completion`."""
    first = responses[0]
    return {
        "id": completion_id(first),
        "object": "chat.completion",
        "created": first.created_at,
        "model": first.model,
        "choices": [_choice(response, index) for index, response in enumerate(responses)],
        "usage": chat_usage(responses),
    }


def _choice(response: Response, index: int) -> JsonObject:
    output = response.output
    message: JsonObject = {"role": "assistant", "content": None, "refusal": None}
    said = [item for item in output if item["type"] == "message"]
    calls = [item for item in output if item["type"] == "function_call"]
    if said or not calls:
        message["content"] = "".join(map(item_text, said))
    if thought := "".join(item_text(item) for item in output if item["type"] == "reasoning"):
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = [
            {
                "id": item["call_id"],
                "type": "function",
                "function": {"name": item["name"], "arguments": item["arguments"]},
            }
            for item in calls
        ]
    told = [
        entry
        for item in said
        for part in cast("list[Item]", item["content"])
        for entry in cast("list[JsonObject]", part["logprobs"])
    ]
    return {
        "index": index,
        "message": message,
        "logprobs": {"content": told, "refusal": None} if told else None,
        "finish_reason": finish_reason(response),
    }


def completion_id(response: Response) -> str:
    return response.id.replace("resp_", "chatcmpl-", 1)


def finish_reason(response: Response) -> str:
    if response.status != "completed":
        return "length"
    called = any(item["type"] == "function_call" for item in response.output)
    return "tool_calls" if called else "stop"


def failure(response: Response) -> JsonObject:
    error = response.error or {}
    return {
        "message": error.get("message"),
        "type": "server_error",
        "code": error.get("code"),
        "param": None,
    }


def chat_usage(responses: Sequence[Response], prompts: int = 1) -> JsonObject:
    """What all choices cost, those of one prompt following one another."""
    usages = [response.usage or {} for response in responses]
    each = usages[:: len(usages) // prompts]
    prompt = sum(cast("int", usage.get("input_tokens", 0)) for usage in each)
    made = sum(cast("int", usage.get("output_tokens", 0)) for usage in usages)
    details = [cast("JsonObject", usage.get("output_tokens_details") or {}) for usage in usages]
    thought = sum(cast("int", detail.get("reasoning_tokens", 0)) for detail in details)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": made,
        "total_tokens": prompt + made,
        "prompt_tokens_details": usages[0].get("input_tokens_details"),
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def _body(event: Event) -> JsonObject:
    return msgspec.json.decode(event.json, type=JsonObject)
