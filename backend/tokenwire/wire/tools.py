"""What an answer may be made of, as a client asks for it: tools and their choice, a format of the
text, how much is thought. Checked and made canonical.

Both dialects in, the words of the Responses API out. Tools that only another server could run are
left out. It refuses to know which model can do it, and how the rest is offered to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, cast

import msgspec
from msgspec import Meta

from tokenwire.errors import InvalidRequest, UnsupportedParameter
from tokenwire.wire.checked import JsonObject, convert
from tokenwire.wire.offered import called, offered_name


if TYPE_CHECKING:
    from collections.abc import Sequence


MAX_TOOLS: Final = 128
CHOICES: Final = ("auto", "none", "required")
CALLABLE: Final = ("function", "custom")
OFFERED: Final = (*CALLABLE, "namespace")
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


class GrammarFormat(msgspec.Struct, kw_only=True, tag="grammar"):
    """A custom tool's input follows a grammar. The model is told; nothing holds it to it."""

    syntax: Literal["lark", "regex"]
    definition: str


class TextFormat(msgspec.Struct, kw_only=True, tag="text"):
    """A custom tool's input is any text."""


class CustomTool(msgspec.Struct, kw_only=True):
    """A tool that the client runs, and that is given text."""

    name: Name
    description: str | None = None
    format: GrammarFormat | TextFormat = msgspec.field(default_factory=TextFormat)


class NamespaceTool(msgspec.Struct, kw_only=True):
    """Functions and custom tools under one name."""

    name: Name
    description: str | None = None
    tools: list[JsonObject]


class AllowedTools(msgspec.Struct, kw_only=True):
    """A tool choice of type allowed_tools: a part of the tools."""

    mode: Literal["auto", "required"] = "auto"
    tools: list[JsonObject]


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
    """The tools that can be offered, as a response echoes them: functions, custom tools and
    namespaces of both. Raises InvalidRequest, or UnsupportedParameter where none can be.
    """
    if len(tools or ()) > MAX_TOOLS:
        raise InvalidRequest(f"There are more than {MAX_TOOLS} tools.", param=field)
    found: list[JsonObject] = []
    names: set[str] = set()
    for index, tool in enumerate(tools or ()):
        where = f"{field}[{index}]"
        made = _tool(tool, where)
        if made is None:
            continue
        for name in called([made]):
            if name in names:
                raise InvalidRequest(f"There are two tools {name!r}.", param=f"{where}.name")
            names.add(name)
        found.append(made)
    if tools and not names:
        kinds = ", ".join(repr(tool.get("type")) for tool in tools)
        raise UnsupportedParameter(
            f"Of the tools of type {kinds} none can be run here; only those that the client runs.",
            param=f"{field}[0].type",
        )
    return found


def check_functions(tools: Sequence[JsonObject] | None) -> None:
    """Raises UnsupportedParameter for tools that are no functions, where a dialect has no words for
    their calls.
    """
    for index, tool in enumerate(tools or ()):
        if tool.get("type") != "function":
            raise UnsupportedParameter(
                f"Tools of type {tool.get('type')!r} are not supported here; only functions.",
                param=f"tools[{index}].type",
            )


def parse_tool_choice(choice: object, tools: Sequence[JsonObject]) -> str | JsonObject:
    """`auto`, `none`, `required`, the tools that are allowed, or the one that has to be called.
    Raises InvalidRequest or UnsupportedParameter.
    """
    if choice is None:
        return "auto"
    if isinstance(choice, str):
        if choice not in CHOICES:
            raise _wrong(f"must be one of {', '.join(CHOICES)}, or name a tool")
        if choice == "required" and not tools:
            raise _wrong("is `required`, and there are no tools")
        return choice
    if not isinstance(choice, dict):
        raise _wrong("must be a string or an object")
    asked = cast("JsonObject", choice)
    kind = asked.get("type")
    if kind == "allowed_tools":
        return _allowed(asked, tools)
    if kind not in CALLABLE:
        raise UnsupportedParameter(
            f"A tool choice of type {kind!r} is not supported.", param="tool_choice.type"
        )
    chosen = _named(asked)
    if _offered(chosen) not in called(tools):
        raise _wrong(f"names {chosen['name']!r}, which is not among the tools")
    return chosen


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


def _tool(tool: JsonObject, where: str) -> JsonObject | None:
    """None for a tool that can't be offered."""
    kind = tool.get("type")
    if kind == "custom":
        return {"type": kind, **msgspec.to_builtins(convert(tool, CustomTool, where))}
    if kind == "namespace":
        space = convert(tool, NamespaceTool, where)
        inner = [(n, one) for n, one in enumerate(space.tools) if one.get("type") in CALLABLE]
        made = [_tool(one, f"{where}.tools[{n}]") for n, one in inner]
        space.tools = [one for one in made if one is not None]
        space.description = space.description or ""  # the SDKs want a string
        return {"type": kind, **msgspec.to_builtins(space)} if space.tools else None
    if kind != "function":
        return None
    nested = tool.get("function")
    where = where if nested is None else f"{where}.function"
    found = convert(tool if nested is None else nested, FunctionTool, where)
    return {"type": "function", **msgspec.to_builtins(found)}


def _allowed(asked: JsonObject, tools: Sequence[JsonObject]) -> JsonObject:
    """Chat completions have it one level deeper."""
    deeper = asked.get("allowed_tools")
    said = convert(asked if deeper is None else deeper, AllowedTools, "tool_choice")
    known = called(tools)
    kept = [_named(one) for one in said.tools if one.get("type") in CALLABLE]
    kept = [one for one in kept if _offered(one) in known]
    if not kept:
        raise _wrong("allows none of the tools that can be offered")
    return {"type": "allowed_tools", "mode": said.mode, "tools": kept}


def _named(choice: JsonObject) -> JsonObject:
    """A tool that a choice names, as a response echoes it."""
    deeper = choice.get(str(choice["type"]))
    said = cast("JsonObject", deeper) if isinstance(deeper, dict) else choice
    named: JsonObject = {"type": choice["type"], "name": said.get("name")}
    space = said.get("namespace")
    return named if space is None else named | {"namespace": space}


def _offered(named: JsonObject) -> str:
    return offered_name(named["name"], named.get("namespace"))


def _wrong(what: str) -> InvalidRequest:
    return InvalidRequest(f"`tool_choice` {what}.", param="tool_choice")
