"""What an answer may be made of, as a client asks for it: tools and their choice, a format of the
text, how much is thought. Checked and made canonical.

Both dialects in, the words of the Responses API out. It refuses to know which model can do it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, cast

import msgspec
from msgspec import Meta

from tokenwire.errors import InvalidRequest, UnsupportedParameter
from tokenwire.wire.checked import JsonObject, convert
from tokenwire.wire.schema import any_of, ref, shown_as


if TYPE_CHECKING:
    from collections.abc import Sequence


MAX_TOOLS: Final = 128
CHOICES: Final = ("auto", "none", "required")
FORMATS: Final = ("text", "json_object", "json_schema")

Name = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Scalar = bool | int | float | Annotated[str, Meta(max_length=512)] | None


class FunctionTool(msgspec.Struct, kw_only=True):
    """A function that the client runs. `parameters` is a JSON schema."""

    name: Name
    description: str | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None


class ReasoningFields(msgspec.Struct, kw_only=True):
    """`reasoning`: how much is thought before the answer."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed", "none"] | None = None


class JsonSchemaFormat(msgspec.Struct, kw_only=True):
    """A text format of type json_schema: the text is JSON, and follows the schema."""

    name: Name = "answer"
    description: str | None = None
    schema: JsonObject
    strict: bool | None = None


def parse_tools(tools: Sequence[JsonObject] | None, field: str = "tools") -> list[JsonObject]:
    """The function tools, as a response echoes them. Raises InvalidRequest or
    UnsupportedParameter.
    """
    if len(tools or ()) > MAX_TOOLS:
        raise InvalidRequest(f"There are more than {MAX_TOOLS} tools.", param=field)
    found = [_tool(tool, f"{field}[{index}]") for index, tool in enumerate(tools or ())]
    names = [str(tool["name"]) for tool in found]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise InvalidRequest(f"There are two tools {name!r}.", param=f"{field}[{index}].name")
    return found


def parse_tool_choice(choice: object, tools: Sequence[JsonObject]) -> str | JsonObject:
    """`auto`, `none`, `required`, or the one function that has to be called. Raises
    InvalidRequest or UnsupportedParameter.
    """
    if choice is None:
        return "auto"
    if isinstance(choice, str):
        if choice not in CHOICES:
            raise _wrong(f"must be one of {', '.join(CHOICES)}, or name a function")
        if choice == "required" and not tools:
            raise _wrong("is `required`, and there are no tools")
        return choice
    if not isinstance(choice, dict):
        raise _wrong("must be a string or an object")
    asked = cast("JsonObject", choice)
    if asked.get("type") != "function":
        raise UnsupportedParameter(
            f"A tool choice of type {asked.get('type')!r} is not supported.",
            param="tool_choice.type",
        )
    function = asked.get("function")
    name = cast("JsonObject", function).get("name") if isinstance(function, dict) else None
    name = asked.get("name", name)
    if name not in [tool["name"] for tool in tools]:
        raise _wrong(f"names {name!r}, which is not among the tools")
    return {"type": "function", "name": name}


def parse_text_format(format: object, field: str) -> JsonObject:
    """A text format, as a response echoes it; of type text by default. Raises InvalidRequest or
    UnsupportedParameter.
    """
    if format is None:
        return {"type": "text"}
    if not isinstance(format, dict):
        raise InvalidRequest(f"`{field}` must be an object.", param=field)
    asked = cast("JsonObject", format)
    kind = asked.get("type")
    if kind not in FORMATS:
        raise UnsupportedParameter(
            f"The format {kind!r} is not one of {', '.join(FORMATS)}.", param=f"{field}.type"
        )
    if kind != "json_schema":
        return {"type": kind}
    # Chat completions have what is said of the schema one level deeper.
    deeper = asked.get("json_schema")
    where = field if deeper is None else f"{field}.json_schema"
    said = asked if deeper is None else deeper
    schema = convert(said, JsonSchemaFormat, where)
    return {"type": kind, **msgspec.to_builtins(schema)}


def _tool(tool: JsonObject, where: str) -> JsonObject:
    kind = tool.get("type")
    if kind != "function":
        raise UnsupportedParameter(
            f"Tools of type {kind!r} are not supported; only functions, which the client runs.",
            param=f"{where}.type",
        )
    nested = tool.get("function")
    where = where if nested is None else f"{where}.function"
    found = convert(tool if nested is None else nested, FunctionTool, where)
    return {"type": "function", **msgspec.to_builtins(found)}


def _wrong(what: str) -> InvalidRequest:
    return InvalidRequest(f"`tool_choice` {what}.", param="tool_choice")


# What the checks above let through, as the documents show it.


class FlatTool(FunctionTool, kw_only=True, tag_field="type", tag="function"):
    """A function that the client runs, as the Responses API spells it."""


class NestedTool(msgspec.Struct, kw_only=True, tag_field="type", tag="function"):
    """A function that the client runs, as Chat Completions spell it."""

    function: FunctionTool


class ChosenName(msgspec.Struct, kw_only=True):
    name: Name


class FlatChoice(ChosenName, kw_only=True, tag_field="type", tag="function"):
    """The one function that has to be called, as the Responses API spells it."""


class NestedChoice(msgspec.Struct, kw_only=True, tag_field="type", tag="function"):
    """The one function that has to be called, as Chat Completions spell it."""

    function: ChosenName


class PlainFormat(msgspec.Struct, kw_only=True):
    """Any text, or any JSON."""

    type: Literal["text", "json_object"]


class FlatFormat(JsonSchemaFormat, kw_only=True, tag_field="type", tag="json_schema"):
    """JSON that follows a schema, as the Responses API spells it."""


class NestedFormat(msgspec.Struct, kw_only=True, tag_field="type", tag="json_schema"):
    """JSON that follows a schema, as Chat Completions spell it."""

    json_schema: JsonSchemaFormat


SPELLINGS: Final = (
    *(FlatTool, NestedTool, FlatChoice, NestedChoice),
    *(PlainFormat, FlatFormat, NestedFormat),
)
Tool = Annotated[JsonObject, shown_as(any_of("FlatTool", "NestedTool"))]
Tools = Annotated[list[Tool], shown_as({"maxItems": MAX_TOOLS})]
ToolChoice = Annotated[
    object,
    shown_as({"anyOf": [{"enum": [*CHOICES, None]}, ref("FlatChoice"), ref("NestedChoice")]}),
]
Format = Annotated[JsonObject, shown_as(any_of("PlainFormat", "FlatFormat", "NestedFormat"))]
