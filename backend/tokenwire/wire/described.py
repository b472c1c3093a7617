"""All shapes of the wire as the components of a document: made from the structs, each field with
what it means.

It refuses to know routes and sockets, and makes no document.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Final, cast

import msgspec

from tokenwire.wire.answers import ANSWERS
from tokenwire.wire.anthropic_messages import ANTHROPIC_INPUTS, CountTokens, MessagesCreate
from tokenwire.wire.chat_completions import ChatCreate
from tokenwire.wire.chat_settings import ChatSettings
from tokenwire.wire.commands import ENOUGH, ConversationRef, Create, client_events
from tokenwire.wire.compaction import Compact
from tokenwire.wire.completions import CompletionCreate
from tokenwire.wire.dialects import DIALECTS
from tokenwire.wire.events import Response
from tokenwire.wire.inputs import INPUTS
from tokenwire.wire.meanings import MEANINGS
from tokenwire.wire.messages import CHAT_INPUTS
from tokenwire.wire.schema import REF, Schema
from tokenwire.wire.server_events import PAGE_EVENTS, SOCKET_EVENTS
from tokenwire.wire.spelled import SPELLINGS
from tokenwire.wire.states import STATES


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


CLIENT_EVENTS: Final = tuple(dict.fromkeys(client_events(extension=True).values()))
REQUESTS: Final = (
    *(*CLIENT_EVENTS, ConversationRef, ChatSettings, Compact),
    *(ChatCreate, CompletionCreate, MessagesCreate, CountTokens),
    *(*INPUTS, *SPELLINGS, *CHAT_INPUTS, *ANTHROPIC_INPUTS),
)
TOLD: Final = (*ANSWERS, *STATES, *DIALECTS, *SOCKET_EVENTS, *PAGE_EVENTS)
_ANY: Final = "x-any"


@cache
def wire_components() -> dict[str, Schema]:
    """The schema of each struct that goes over the wire, by its name."""
    made = components((*REQUESTS, *TOLD))
    made |= explained(components(REQUESTS))
    # What the structs leave open, as they also read what is kept.
    made[Create.__name__]["anyOf"] = [{"required": [name]} for name in ENOUGH]
    # It is always written whole.
    made[Response.__name__]["required"] = list(Response.__struct_fields__)
    return made


def components(kinds: Sequence[object]) -> dict[str, Schema]:
    """The schemas of these structs, and of all that they are made of."""
    _, found = _generated(kinds)
    return {name: cast("Schema", _tidy(schema)) for name, schema in sorted(found.items())}


def schema_of(kind: object) -> Schema:
    """The schema of a type, which names the components that it is made of."""
    (schema,), _ = _generated((kind,))
    return cast("Schema", _tidy(schema))


def explained(requests: dict[str, Schema]) -> dict[str, Schema]:
    """The same, each field with what it means."""
    for name, schema in requests.items():
        for field, inner in cast("dict[str, Schema]", schema.get("properties", {})).items():
            if meaning := MEANINGS.get(f"{name}.{field}", MEANINGS.get(field)):
                inner["description"] = meaning
    return requests


def references(value: object) -> Iterator[str]:
    """The names of the components that a document's part names, those of its parts too."""
    if isinstance(value, dict):
        for key, inner in cast("Schema", value).items():
            if key == "$ref" and isinstance(inner, str):
                yield inner.removeprefix(REF)
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from references(inner)


def needed(schemas: dict[str, Schema], parts: object) -> dict[str, Schema]:
    """Those of the schemas that a document's parts name, and those that they name in turn."""
    found: dict[str, Schema] = {}
    waiting = list(references(parts))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = schemas[name]
            waiting += references(schemas[name])
    return dict(sorted(found.items()))


def _generated(kinds: Sequence[object]) -> tuple[tuple[Schema, ...], dict[str, Schema]]:
    return msgspec.json.schema_components(
        kinds, schema_hook=lambda _: {_ANY: True}, ref_template=f"{REF}{{name}}"
    )


def _tidy(value: object) -> object:
    """What every reader of a document understands: no marks of ours, a reference by itself, texts
    without the line breaks of the source.
    """
    if isinstance(value, list):
        return [_tidy(inner) for inner in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    schema = cast("Schema", value)
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    tidy = {key: _tidy(inner) for key, inner in schema.items() if key not in (_ANY, "title")}
    if "properties" in schema:
        fields = cast("Schema", schema["properties"])
        tidy["properties"] = {name: _tidy(inner) for name, inner in fields.items()}
    if tidy.get("additionalProperties") == {}:
        del tidy["additionalProperties"]
    if tidy.get("default", True) is None:
        del tidy["default"]
    if tidy.get("required") == []:
        del tidy["required"]
    if isinstance(about := tidy.get("description"), str):
        tidy["description"] = " ".join(inspect.cleandoc(about).split())
    return tidy
