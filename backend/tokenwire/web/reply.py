"""Bodies in, JSON out: what every HTTP door does the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from quart import Response, has_request_context, request

from tokenwire.errors import InvalidRequest, TokenwireError
from tokenwire.wire.anthropic_events import error_body
from tokenwire.wire.checked import JsonObject, decode_object


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.wire.items import Item


RETRY_AFTER_S = 1
# Where Anthropic's dialect is spoken.
MESSAGES = "/v1/messages"

_encode = msgspec.json.Encoder().encode


def json_response(value: object, status: int = 200) -> Response:
    return Response(_encode(value), status, content_type="application/json")


def list_object(data: Sequence[Item], *, more: bool) -> JsonObject:
    """A page of a list, as the SDKs read it: the next one is `after` its last id."""
    ids = [item.get("id") for item in data]
    return {
        "object": "list",
        "data": data,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "has_more": more,
    }


def item_page(items: Sequence[Item]) -> JsonObject:
    """The page of `items` (oldest first) that the query string asks for. Raises InvalidRequest."""
    limit = query_int("limit", 20, low=1, high=100)
    # What a client has sent back is one item still.
    listed = list({item.get("id"): item for item in items}.values())
    if not query_oldest_first():
        listed.reverse()
    if after := request.args.get("after"):
        place = next((n for n, item in enumerate(listed, 1) if item.get("id") == after), None)
        if place is None:
            raise InvalidRequest(f"There is no item {after!r} in this list.", param="after")
        listed = listed[place:]
    return list_object(listed[:limit], more=len(listed) > limit)


def error_response(error: TokenwireError, status: int | None = None) -> Response:
    """The error in the shape of the dialect that was spoken; one that may pass says when to try
    again.
    """
    ending = error.ending
    body: JsonObject = {"error": error.body()}
    if has_request_context() and request.path.startswith(MESSAGES):
        body = error_body(error)
    response = json_response(body, status or ending.status)
    if ending.retryable and ending.status in (429, 503):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    if ending.status == 426:
        response.headers["Upgrade"] = "websocket"
        response.headers["Connection"] = "Upgrade"
    return response


async def json_body() -> JsonObject:
    """The request's body. Raises InvalidJson."""
    return decode_object(await request.get_data())


def query_int(name: str, default: int, *, low: int, high: int) -> int:
    """A whole number of the query string. Raises InvalidRequest that names it."""
    text = request.args.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise InvalidRequest(f"`{name}` must be a number from {low} to {high}.", param=name)
    return value


def query_oldest_first(default: str = "desc") -> bool:
    """Whether `order` is asc. Raises InvalidRequest."""
    return _query_word("order", default, "asc", "desc") == "asc"


def query_filter(name: str, default: str) -> bool | None:
    """Whether it must be so: true, false, or None for all. Raises InvalidRequest."""
    said = _query_word(name, default, "true", "false", "all")
    return None if said == "all" else said == "true"


def query_flag(name: str) -> bool:
    """Whether it is true or 1; it is false unless it is said. Raises InvalidRequest."""
    said = request.args.get(name, "false").lower()
    if said not in ("true", "1", "false", "0"):
        raise InvalidRequest(f"`{name}` must be true or false.", param=name)
    return said in ("true", "1")


def _query_word(name: str, default: str, *others: str) -> str:
    said = request.args.get(name, default)
    if said not in (words := dict.fromkeys((default, *others))):
        raise InvalidRequest(f"`{name}` must be {' or '.join(words)}.", param=name)
    return said
