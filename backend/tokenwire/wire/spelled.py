"""What the checks of tools.py let through, as the documents show it: tools, their choice and the
formats of a text, in the spelling of each dialect.

It refuses to check anything.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Struct

from tokenwire.wire.checked import JsonObject
from tokenwire.wire.schema import any_of, ref, shown_as
from tokenwire.wire.tools import (
    CHOICES,
    MAX_TOOLS,
    OFFERED,
    AllowedTools,
    CustomTool,
    FunctionTool,
    GrammarFormat,
    JsonSchemaFormat,
    Name,
    TextFormat,
)


class FlatTool(FunctionTool, kw_only=True, tag_field="type", tag="function"):
    """A function that the client runs, as the Responses API spells it."""


class NestedTool(Struct, kw_only=True, tag_field="type", tag="function"):
    """A function that the client runs, as Chat Completions spell it."""

    function: FunctionTool


class FlatCustom(CustomTool, kw_only=True, tag_field="type", tag="custom"):
    """A tool that the client runs, and that is given a text."""


class FlatNamespace(Struct, kw_only=True, tag_field="type", tag="namespace"):
    """Functions and custom tools under one name."""

    name: Name
    description: str | None = None
    tools: list[Annotated[JsonObject, shown_as(any_of("FlatTool", "FlatCustom", "OtherTool"))]]


class OtherTool(Struct, kw_only=True):
    """A tool that this server can't offer: it is left out, where there are others."""

    type: Annotated[str, shown_as({"not": {"enum": [*OFFERED]}})]


class ChosenName(Struct, kw_only=True):
    name: Name


class Chosen(ChosenName, kw_only=True):
    namespace: Name | None = None


class FlatChoice(Chosen, kw_only=True, tag_field="type", tag="function"):
    """The one function that has to be called, as the Responses API spells it."""


class NestedChoice(Struct, kw_only=True, tag_field="type", tag="function"):
    """The one function that has to be called, as Chat Completions spell it."""

    function: ChosenName


class CustomChoice(Chosen, kw_only=True, tag_field="type", tag="custom"):
    """The one custom tool that has to be called."""


class FlatAllowed(AllowedTools, kw_only=True, tag_field="type", tag="allowed_tools"):
    """The tools that may be called, as the Responses API spells it."""


class NestedAllowed(Struct, kw_only=True, tag_field="type", tag="allowed_tools"):
    """The tools that may be called, as Chat Completions spell it."""

    allowed_tools: AllowedTools


class PlainFormat(Struct, kw_only=True):
    """Any text, or any JSON."""

    type: Literal["text", "json_object"]


class FlatFormat(JsonSchemaFormat, kw_only=True, tag_field="type", tag="json_schema"):
    """JSON that follows a schema, as the Responses API spells it."""


class NestedFormat(Struct, kw_only=True, tag_field="type", tag="json_schema"):
    """JSON that follows a schema, as Chat Completions spell it."""

    json_schema: JsonSchemaFormat


_FUNCTIONS: Final = ("FlatTool", "NestedTool")
_CLIENTS: Final = ("FlatTool", "FlatCustom", "FlatNamespace")
_CHOICES: Final = (FlatChoice, NestedChoice, CustomChoice, FlatAllowed, NestedAllowed)
SPELLINGS: Final = (
    *(FlatTool, NestedTool, FlatCustom, FlatNamespace, OtherTool, *_CHOICES),
    *(PlainFormat, FlatFormat, NestedFormat, TextFormat, GrammarFormat),
)
FunctionTools = Annotated[
    list[Annotated[JsonObject, shown_as(any_of(*_FUNCTIONS))]],
    shown_as({"maxItems": MAX_TOOLS}),
]
Tools = Annotated[
    list[Annotated[JsonObject, shown_as(any_of(*_CLIENTS, "NestedTool", "OtherTool"))]],
    shown_as({"maxItems": MAX_TOOLS}),
]
EchoedTools = list[Annotated[JsonObject, shown_as(any_of(*_CLIENTS))]]
ToolChoice = Annotated[
    object,
    shown_as({"anyOf": [{"enum": [*CHOICES, None]}, *(ref(kind.__name__) for kind in _CHOICES)]}),
]
Format = Annotated[JsonObject, shown_as(any_of("PlainFormat", "FlatFormat", "NestedFormat"))]
