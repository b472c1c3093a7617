"""What is said over the WebSocket, as an AsyncAPI 3.0 document: the events of a client and those of
the server, for any client and for one that negotiated `tokenwire.v1`.

It refuses to know where the document is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from tokenwire.wire.commands import client_events
from tokenwire.wire.described import needed, wire_components
from tokenwire.wire.schema import Schema, ref
from tokenwire.wire.server_events import PAGE_EVENTS, SOCKET_EVENTS


if TYPE_CHECKING:
    from collections.abc import Sequence


ADDRESS: Final = "/v1/responses"
_CLIENT, _SERVER = "client", "server"
_ABOUT: Final = {
    "responses": "A frame is one JSON object. A create is answered by the events of its response.",
    "page": (
        "The same, negotiated by the subprotocol `tokenwire.v1`: a frame of the server is one event"
        " or an array of events, responses go on without a reader, and models, conversations and"
        " other tabs are told of."
    ),
}


def asyncapi(version: str) -> Schema:
    """The document. `version` is that of this server."""
    messages = {
        _key(side, kind): _message(side, kind, payload)
        for side, events in ((_CLIENT, _said(extension=True)), (_SERVER, _told(extension=True)))
        for kind, payload in events.items()
    }
    channels = ("responses", "page")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tokenwire over WebSocket",
            "version": version,
            "description": "The Responses API in its WebSocket mode, with lanes (`stream_id`).",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name) for name in channels},
        "operations": {
            f"{name}.{side}": _operation(name, side)
            for name in channels
            for side in (_CLIENT, _SERVER)
        },
        "components": {
            "messages": messages,
            "schemas": cast("Schema", _plain(needed(wire_components(), messages))),
        },
    }


def _channel(name: str) -> Schema:
    binding: Schema = {"method": "GET", "bindingVersion": "0.1.0"}
    if name == "page":
        protocol = {"type": "string", "const": "tokenwire.v1"}
        headers = {"type": "object", "properties": {"Sec-WebSocket-Protocol": protocol}}
        binding["headers"] = headers | {"required": ["Sec-WebSocket-Protocol"]}
    return {
        "address": ADDRESS,
        "description": _ABOUT[name],
        "messages": {
            key: {"$ref": f"#/components/messages/{key}"}
            for side in (_CLIENT, _SERVER)
            for key in _keys(name, side)
        },
        "bindings": {"ws": binding},
    }


def _operation(name: str, side: str) -> Schema:
    return {
        # The document speaks for the server.
        "action": "receive" if side == _CLIENT else "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/{key}"} for key in _keys(name, side)],
    }


def _keys(name: str, side: str) -> Sequence[str]:
    events = _said if side == _CLIENT else _told
    return [_key(side, kind) for kind in events(extension=name == "page")]


def _key(side: str, kind: str) -> str:
    return f"{side}.{kind.replace(':', '.')}"


def _message(side: str, kind: str, payload: Schema) -> Schema:
    by = "A client" if side == _CLIENT else "The server"
    return {"name": kind, "title": f"{by} says {kind}", "payload": payload}


def _said(*, extension: bool) -> dict[str, Schema]:
    """What a client says: the payload of each kind of event."""
    return {
        kind: {
            "allOf": [
                {
                    "type": "object",
                    "properties": {"type": {"const": kind}},
                    "required": ["type"],
                },
                ref(struct.__name__),
            ]
        }
        for kind, struct in client_events(extension=extension).items()
    }


def _told(*, extension: bool) -> dict[str, Schema]:
    """What the server says."""
    structs = (*SOCKET_EVENTS, *PAGE_EVENTS) if extension else SOCKET_EVENTS
    return {str(struct.__struct_config__.tag): ref(struct.__name__) for struct in structs}


def _plain(value: object) -> object:
    """Without OpenAPI's discriminators, which AsyncAPI spells otherwise and nobody needs."""
    if isinstance(value, list):
        return [_plain(inner) for inner in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    return {
        key: _plain(inner) for key, inner in cast("Schema", value).items() if key != "discriminator"
    }
