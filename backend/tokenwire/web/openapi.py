"""What goes over HTTP, as an OpenAPI 3.1 document, made from the table of operations and from the
structs of the wire.

Pure functions. It refuses to know how the document is served.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from tokenwire.errors import (
    ForbiddenOrigin,
    InvalidJson,
    InvalidRequest,
    MisdirectedHost,
    ServerError,
    TokenwireError,
    TooLarge,
)
from tokenwire.web.operations import OPERATIONS, Operation
from tokenwire.web.parameters import Parameter
from tokenwire.wire.described import components, explained, needed, schema_of, wire_components
from tokenwire.wire.schema import Schema, any_of, ref


if TYPE_CHECKING:
    from tokenwire.errors import Ending


_JSON: Final = "application/json"
_SSE: Final = "text/event-stream"
_IN_PATH: Final = re.compile(r"{(\w+)}")
_SLOW: Final = 408
_WORDS: Final = {
    101: "Switching protocols.",
    200: "Done.",
    202: "It is being loaded.",
    204: "Taken. What comes of it is said on the feed.",
    503: "Not ready.",
}
_PLACES: Final = {
    "response_id": "The id of a response.",
    "conversation_id": "The id of a conversation.",
    "item_id": "The id of an item.",
    "model_id": "The id of a model. It may have slashes.",
    "connection_id": "The id of a feed, which its `tokenwire:hello` tells.",
    "name": "The name of a file. It may have slashes.",
}
_TAGS: Final = {
    "responses": "The OpenAI Responses API.",
    "events": "The page's connection, where no WebSocket gets through.",
    "chat": "OpenAI's Chat Completions.",
    "completions": "OpenAI's Completions.",
    "messages": "Anthropic Messages. Errors have that dialect's shape.",
    "conversations": "What was said, kept.",
    "models": "What can answer.",
    "server": "How the server is.",
    "page": "The page and its files.",
    "docs": "These documents.",
}


def openapi(version: str) -> Schema:
    """The document. `version` is that of this server."""
    paths: defaultdict[str, Schema] = defaultdict(dict)
    for key, operation in OPERATIONS.items():
        method, path = key.split(" ")
        paths[path][method.lower()] = _operation(method, path, operation)
    bodies = tuple(one.body for one in OPERATIONS.values() if one.body is not None)
    # Those of the wire last, whose answers are told in full.
    schemas = explained(components(bodies)) | wire_components()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tokenwire over HTTP",
            "version": version,
            "description": "Unknown fields of a request are tolerated; a known one that this"
            " server can't honour is refused.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in _TAGS.items()],
        "paths": dict(paths),
        "components": {"schemas": needed(schemas, dict(paths))},
    }


def _operation(method: str, path: str, operation: Operation) -> Schema:
    tag = _tag(path)
    made: Schema = {
        "operationId": _id(method, path),
        "summary": operation.summary,
        "tags": [tag],
    }
    places = [Parameter(name, {"type": "string"}, _PLACES[name]) for name in _IN_PATH.findall(path)]
    made["parameters"] = [
        *(_parameter(place, "path") for place in places),
        *(_parameter(one, one.place) for one in operation.parameters),
    ]
    if operation.body is not None:
        body = {"schema": ref(operation.body.__name__)}
        made["requestBody"] = {"required": True, "content": {_JSON: body}}
    responses = _errors(method, operation, tag)
    for status, shape in operation.answers.items():
        about = _WORDS[status]
        if shape is not None:
            responses[str(status)] = {"description": about, "content": _content(shape, operation)}
        else:
            responses[str(status)] = {"description": about}
    made["responses"] = dict(sorted(responses.items()))
    return made


def _parameter(one: Parameter, place: str) -> Schema:
    return {
        "name": one.name,
        "in": place,
        "required": place == "path" or one.required,
        "description": one.about,
        "schema": one.schema,
    }


def _content(shape: object, operation: Operation) -> Schema:
    content: Schema = (
        {shape: {}} if isinstance(shape, str) else {_JSON: {"schema": schema_of(shape)}}
    )
    if operation.events:
        # OpenAPI 3.1 has no word for what the events of a stream are like.
        events = any_of(*(kind.__name__ for kind in operation.events))
        content[_SSE] = {"schema": {"type": "string"}, "x-events": events}
    return content


def _errors(method: str, operation: Operation, tag: str) -> Schema:
    kinds = [*operation.errors, MisdirectedHost, ServerError]
    if method not in ("GET", "HEAD"):
        kinds.append(ForbiddenOrigin)
    if operation.body is not None:
        kinds += [InvalidJson, InvalidRequest, TooLarge]
    endings: defaultdict[int, set[str]] = defaultdict(set)
    for kind in kinds:
        ending = _ending(kind)
        endings[ending.status].add(ending.code)
    if operation.body is not None:
        # The server's own wait for a body that does not come.
        endings[_SLOW].add(_ending(ServerError).code)
    shape = "AnthropicError" if tag == "messages" else "ErrorBody"
    return {
        str(status): {
            "description": ", ".join(sorted(codes)),
            "content": {_JSON: {"schema": ref(shape)}},
        }
        for status, codes in endings.items()
    }


def _ending(kind: type[TokenwireError]) -> Ending:
    return kind("").ending


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    if parts[0] == "v1":
        return parts[1]
    if parts[0] in ("healthz", "readyz", "metrics"):
        return "server"
    return "docs" if parts[0] == "docs" else "page"


def _id(method: str, path: str) -> str:
    words = re.findall(r"\w+", path.removeprefix("/v1")) or ["page"]
    return "_".join([method.lower(), *words])
