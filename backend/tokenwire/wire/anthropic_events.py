"""Anthropic Messages: a response as a message, and the events of its log as that dialect's.

Refuses to know what a socket or a stream is, and how the response was asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import msgspec

from tokenwire.wire.anthropic_messages import THREAD
from tokenwire.wire.checked import JsonObject
from tokenwire.wire.items import Item, item_text


if TYPE_CHECKING:
    from tokenwire.errors import TokenwireError
    from tokenwire.wire.events import Event, Response


_encode = msgspec.json.Encoder().encode

# Of our kinds of error, as their dialect names them.
ERRORS: Final = {
    400: "invalid_request_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class Messages:
    """Turns the events of one response into the events of a message, as SSE."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._index = -1

    def feed(self, event: Event) -> list[bytes]:
        """What an event makes, nothing for some. A failure ends with an error."""
        match event.type:
            case "response.output_text.delta":
                return self._delta({"type": "text_delta", "text": event.delta})
            case "response.reasoning_text.delta":
                return self._delta({"type": "thinking_delta", "thinking": _body(event)["delta"]})
            case "response.function_call_arguments.delta":
                return self._delta(
                    {"type": "input_json_delta", "partial_json": _body(event)["delta"]}
                )
            case "response.created":
                return [_sse("message_start", message=self._begun())]
            case "response.output_item.added":
                self._index += 1
                block = _block(cast("Item", _body(event)["item"]), begun=True)
                return [_sse("content_block_start", index=self._index, content_block=block)]
            case "response.output_item.done":
                return [_sse("content_block_stop", index=self._index)]
            case "response.completed" | "response.incomplete":
                delta = {"stop_reason": stop_reason(self._response), "stop_sequence": None}
                cost = message_usage(self._response)
                return [_sse("message_delta", delta=delta, usage=cost), _sse("message_stop")]
            case "response.failed":
                error = self._response.error or {}
                said = {"type": "api_error", "message": error.get("message")}
                return [_sse("error", error=said)]
            case _:
                return []

    def _begun(self) -> JsonObject:
        nothing = {"content": list[object](), "stop_reason": None}
        return message(self._response) | nothing

    def _delta(self, delta: JsonObject) -> list[bytes]:
        return [_sse("content_block_delta", index=self._index, delta=delta)]


def message(response: Response) -> JsonObject:
    """A response as a `message`."""
    return {
        "id": response.id.replace("resp_", "msg_", 1),
        "type": "message",
        "role": "assistant",
        "model": response.model,
        "content": [_block(item) for item in response.output],
        "stop_reason": stop_reason(response),
        "stop_sequence": None,
        "usage": message_usage(response),
    }


def stop_reason(response: Response) -> str:
    if response.status != "completed":
        return "max_tokens"
    called = any(item["type"] == "function_call" for item in response.output)
    return "tool_use" if called else "end_turn"


def message_usage(response: Response) -> JsonObject:
    usage = response.usage or {}
    details = cast("dict[str, int]", usage.get("input_tokens_details") or {})
    cached = details.get("cached_tokens", 0)
    return {
        "input_tokens": cast("int", usage.get("input_tokens", 0)) - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": usage.get("output_tokens", 0),
    }


def error_body(error: TokenwireError) -> JsonObject:
    """The error in the shape of this dialect."""
    body: JsonObject = {"type": ERRORS.get(error.ending.status, "api_error")}
    body["message"] = error.message
    if error.param == THREAD:
        # Their SDK then goes on by itself, without a thread.
        body["details"] = {"error_code": "thread_unsupported_request", "unsupported": [THREAD]}
    return {"type": "error", "error": body}


def _block(item: Item, *, begun: bool = False) -> JsonObject:
    match item["type"]:
        case "reasoning":
            return {"type": "thinking", "thinking": item_text(item), "signature": ""}
        case "function_call":
            named = {"type": "tool_use", "id": item["call_id"], "name": item["name"]}
            return named | {"input": JsonObject() if begun else _arguments(item)}
        case _:
            return {"type": "text", "text": item_text(item), "citations": None}


def _arguments(item: Item) -> object:
    try:
        return msgspec.json.decode(str(item["arguments"]))
    except msgspec.DecodeError:  # a call that was cut
        return JsonObject()


def _body(event: Event) -> JsonObject:
    return msgspec.json.decode(event.json, type=JsonObject)


def _sse(kind: str, **fields: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), _encode({"type": kind, **fields}))
