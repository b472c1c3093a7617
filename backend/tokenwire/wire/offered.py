"""What a model is offered in the place of the tools that a client sent: functions, as templates and
parsers know nothing else; and what its calls of them are told as.

Pure functions over canonical tools. It refuses to know which model they are offered to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tokenwire.wire.checked import JsonObject
    from tokenwire.wire.items import Item


_encode = msgspec.json.Encoder().encode


class Called(NamedTuple):
    """The tool behind an offered function, as the client named it. `custom`: its input is text."""

    name: str
    namespace: str | None = None
    custom: bool = False


def offered_name(name: object, namespace: object = None) -> str:
    """How a model knows a tool: the names of two namespaces must not meet."""
    if not namespace:
        return str(name)
    return f"{namespace}{name}" if str(namespace).endswith("__") else f"{namespace}__{name}"


def each_tool(tools: Iterable[JsonObject]) -> Iterator[tuple[JsonObject, str | None]]:
    """All functions and custom tools, those of namespaces with the namespace."""
    for tool in tools:
        if tool["type"] == "namespace":
            inner = cast("list[JsonObject]", tool["tools"])
            yield from ((one, str(tool["name"])) for one in inner)
        else:
            yield tool, None


def called(tools: Iterable[JsonObject]) -> dict[str, Called]:
    """The tools by the names of the functions that stand for them."""
    return {
        offered_name(tool["name"], namespace): Called(
            str(tool["name"]), namespace, tool["type"] == "custom"
        )
        for tool, namespace in each_tool(tools)
    }


def offer(
    tools: Sequence[JsonObject], choice: str | JsonObject
) -> tuple[tuple[JsonObject, ...], str | JsonObject]:
    """The functions that stand for the tools, and the choice among them."""
    functions = [_function(tool, namespace) for tool, namespace in each_tool(tools)]
    if isinstance(choice, str):
        return tuple(functions), choice
    if choice["type"] == "allowed_tools":
        allowed = [_chosen(one) for one in cast("list[JsonObject]", choice["tools"])]
        kept = [function for function in functions if function["name"] in allowed]
        return tuple(kept), str(choice["mode"])
    return tuple(functions), {"type": "function", "name": _chosen(choice)}


def as_function_call(item: Item) -> JsonObject:
    """A call as the model wrote it: the function's name and its arguments."""
    match item["type"]:
        case "custom_tool_call":
            arguments = _encode({"input": item["input"]}).decode()
        case "local_shell_call":
            return {"name": "local_shell", "arguments": _encode(item["action"]).decode()}
        case _:
            arguments = item["arguments"]
    return {"name": offered_name(item["name"], item.get("namespace")), "arguments": arguments}


def _chosen(choice: JsonObject) -> str:
    return offered_name(choice["name"], choice.get("namespace"))


def _function(tool: JsonObject, namespace: str | None) -> JsonObject:
    name = offered_name(tool["name"], namespace)
    if tool["type"] == "function":
        return tool | {"name": name}
    described = str(tool.get("description") or "")
    format = cast("JsonObject", tool.get("format") or {})
    if format.get("type") == "grammar":
        told = f"The input follows this {format['syntax']} grammar:\n{format['definition']}"
        described = f"{described}\n\n{told}".strip()
    return {
        "type": "function",
        "name": name,
        "description": described or None,
        "parameters": {
            "type": "object",
            "properties": {"input": {"type": "string"}},
            "required": ["input"],
            "additionalProperties": False,
        },
        # A long text full of quotes and lines is where a small model forgets to escape.
        "strict": True,
    }
