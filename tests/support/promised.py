"""What `/docs` promises, held against what goes over the wire: requests that were taken, answers,
the events of streams and sockets. Strict: a field that is not described is a fault, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import httpx
import jsonschema_rs

from tokenwire.web.openapi import openapi
from tokenwire.wire.asyncapi import asyncapi


Json = dict[str, Any]

HTTP: Json = openapi("0")
SOCKET: Json = asyncapi("0")
JSON, SSE = "application/json", "text/event-stream"
_SLASHES = ("model_id", "name")


async def check_answer(response: httpx.Response) -> None:
    """For the hooks of a client. The events of a stream are left to who reads them."""
    request = response.request
    kind = response.headers.get("Content-Type", "")
    answer = await response.aread() if kind.startswith(JSON) else b""
    sent = request.content if response.is_success else None
    check_exchange(request.method, request.url.path, sent, response.status_code, kind, answer)


def check_exchange(
    method: str, path: str, sent: bytes | None, status: int, kind: str, answer: bytes
) -> None:
    """Fails where an answer, or the body that was `sent` and taken, is not as described."""
    found = operation_of(method, path)
    if found is None or (status == 400 and not kind):  # Hypercorn's own
        return
    described = found["responses"].get(str(status))
    assert described, f"{method} {path}: {status} is not described"
    content = described.get("content", {})
    media = kind.partition(";")[0]
    if not content and status < 300:
        assert not answer
        return
    assert media in content or "*/*" in content, f"{method} {path}: {media} is not described"
    if media == JSON and (schema := content[JSON].get("schema")):
        check(HTTP, schema, json.loads(answer), strict=True)
    if sent and "requestBody" in found:
        schema = found["requestBody"]["content"][JSON]["schema"]
        check(HTTP, schema, json.loads(sent), strict=False)


def check_streamed(method: str, path: str, event: Any) -> None:
    """An event of a stream that this operation gave."""
    found = operation_of(method, path)
    assert found is not None
    check(HTTP, found["responses"]["200"]["content"][SSE]["x-events"], event, strict=True)


def check_said(event: Any, *, page: bool = False) -> None:
    """A client's event, which was taken."""
    check(SOCKET, _payload(f"client.{event['type']}", page), event, strict=False)


def check_told(event: Any, *, page: bool = False) -> None:
    """An event of the server's."""
    check(SOCKET, _payload(f"server.{event['type']}", page), event, strict=True)


def operation_of(method: str, path: str) -> Json | None:
    """The description of a request, if it is one of the API."""
    for pattern, methods in _patterns():
        if method.lower() in methods and pattern.fullmatch(path):
            return methods[method.lower()]
    return None


def check(document: Json, schema: Json, value: Any, *, strict: bool) -> None:
    """Fails where a value is not as a schema of this document says."""
    which = "http" if document is HTTP else "socket"
    faults = [
        f"{list(error.instance_path)}: {error.message}"[:1000]
        for error in _validator(which, json.dumps(schema), strict).iter_errors(value)
    ]
    assert not faults, (faults, value)


@cache
def _validator(which: str, schema: str, strict: bool) -> jsonschema_rs.Draft202012Validator:
    schemas = (HTTP if which == "http" else SOCKET)["components"]["schemas"]
    known = {name: _closed(inner) if strict else inner for name, inner in schemas.items()}
    whole = {**json.loads(schema), "components": {"schemas": known}}
    return jsonschema_rs.Draft202012Validator(whole)


def _closed(schema: Json) -> Json:
    return schema if "properties" not in schema else {**schema, "additionalProperties": False}


def _payload(key: str, page: bool) -> Json:
    key = key.replace(":", ".")
    assert key in SOCKET["channels"]["page" if page else "responses"]["messages"], key
    return SOCKET["components"]["messages"][key]["payload"]


@cache
def _patterns() -> list[tuple[re.Pattern[str], Json]]:
    """Fixed paths first, as the routes are looked up."""
    paths = sorted(HTTP["paths"], key=lambda path: path.count("{"))
    return [(re.compile("".join(_pieces(path))), HTTP["paths"][path]) for path in paths]


def _pieces(path: str) -> Iterator[str]:
    for piece in re.split(r"({\w+})", path):
        if piece.startswith("{"):
            yield ".+" if piece[1:-1] in _SLASHES else "[^/]+"
        else:
            yield re.escape(piece)


def references(value: Any) -> Iterator[str]:
    """Every `$ref` of a document."""
    if isinstance(value, dict):
        for key, inner in cast("Json", value).items():
            if key == "$ref" and isinstance(inner, str):
                yield inner
            yield from references(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from references(inner)


def resolve(document: Json, reference: str) -> Any:
    """What a `$ref` names."""
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found
