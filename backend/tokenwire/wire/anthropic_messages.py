"""Anthropic Messages: its requests as creates.

A third spelling of the same language. Refuses to know what becomes of a create.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, cast

import msgspec
from msgspec import Meta

from tokenwire.errors import InvalidRequest, UnsupportedParameter
from tokenwire.wire.checked import JsonObject, convert
from tokenwire.wire.commands import (
    Create,
    Fraction,
    ShortText,
    Stops,
    TextFields,
    check_create,
)
from tokenwire.wire.items import Item, canonical_item, text_field
from tokenwire.wire.messages import check_called
from tokenwire.wire.schema import any_of, ref, shown_as
from tokenwire.wire.spelled import Format
from tokenwire.wire.tools import Effort, Name, ReasoningFields, parse_text_format


_encode = msgspec.json.Encoder().encode

THREAD: Final = "thread"
_ROLES: Final = ("user", "assistant", "system")


Texts = list[Annotated[JsonObject, shown_as(ref("TextBlock"))]]


class ToolChoice(msgspec.Struct, kw_only=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(msgspec.Struct, kw_only=True):
    type: Literal["enabled", "disabled", "adaptive"]


class OutputConfig(msgspec.Struct, kw_only=True):
    """`output_config`: how much is thought, and what the text has to look like."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: Format | None = None


class RequestMetadata(msgspec.Struct, kw_only=True):
    user_id: ShortText | None = None


class CountTokens(msgspec.Struct, kw_only=True):
    """`POST /v1/messages/count_tokens`: what a prompt is made of."""

    messages: Annotated[list[Annotated[JsonObject, shown_as(ref("Turn"))]], Meta(min_length=1)]
    model: str
    system: str | Texts | None = None
    tools: list[Annotated[JsonObject, shown_as(any_of("Tool", "OtherTool"))]] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    # Its name before `output_config`.
    output_format: Format | None = None


class MessagesCreate(CountTokens, kw_only=True):
    """`POST /v1/messages`: the standard body."""

    max_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    stream: bool | None = None
    stop_sequences: Stops | None = None
    temperature: Fraction | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    metadata: RequestMetadata | None = None
    thread: JsonObject | None = None


def parse_messages(body: JsonObject) -> tuple[MessagesCreate, Create]:
    """A request and the create that it means, which is not stored. Raises InvalidRequest or
    UnsupportedParameter that names the field.
    """
    asked = convert(body, MessagesCreate)
    if asked.thread is not None:
        raise UnsupportedParameter(
            "`thread`: conversations of this dialect are not kept; send all messages.",
            param=THREAD,
        )
    create = _create(asked)
    create.max_output_tokens = asked.max_tokens
    create.stop = asked.stop_sequences
    create.temperature, create.top_p = asked.temperature, asked.top_p
    create.top_k = asked.top_k or None
    create.user = asked.metadata.user_id if asked.metadata else None
    check_create(create)
    return asked, create


def parse_count(body: JsonObject) -> Create:
    """What has to be counted, as a create. Raises as `parse_messages`."""
    create = _create(convert(body, CountTokens))
    check_create(create)
    return create


def _create(asked: CountTokens) -> Create:
    items: list[Item] = []
    for index, message in enumerate(asked.messages):
        _add(items, message, f"messages[{index}]")
    if not items:
        raise InvalidRequest("`messages` say nothing that can be read.", param="messages")
    choice = asked.tool_choice
    # The answer goes on with what the client has begun for the assistant.
    begun = items[-1].get("role") == "assistant"
    effort = _effort(asked, begun=begun)
    format = asked.output_config.format if asked.output_config else None
    return Create(
        input=[*items],
        model=asked.model,
        instructions=_blocks_text(asked.system, "system") or None,
        store=False,
        tools=_tools(asked.tools or []),
        tool_choice=_choice(choice),
        parallel_tool_calls=not (choice and choice.disable_parallel_tool_use),
        reasoning=None if effort is None else ReasoningFields(effort=effort),
        text=TextFields(
            format=parse_text_format(format or asked.output_format, "output_config.format")
        ),
        continue_final_message=begun or None,
    )


def _effort(asked: CountTokens, *, begun: bool) -> Effort | None:
    """None leaves it to the model's template. What is begun stands after all thoughts."""
    if begun or (asked.thinking is not None and asked.thinking.type == "disabled"):
        return "none"
    effort = asked.output_config.effort if asked.output_config else None
    return effort or ("high" if asked.thinking is not None else None)


def _add(items: list[Item], message: JsonObject, where: str) -> None:
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        field = f"{where}.role"
        raise InvalidRequest(f"`{field}` must be one of {', '.join(_ROLES)}.", param=field)
    if isinstance(content, str):
        items.append(canonical_item({"role": role, "content": content}, where))
        return
    if not isinstance(content, list) or not content:
        field = f"{where}.content"
        raise InvalidRequest(f"`{field}` must be a string or a non-empty array.", param=field)
    for index, block in enumerate(cast("list[object]", content)):
        here = f"{where}.content[{index}]"
        if not isinstance(block, dict):
            raise InvalidRequest(f"`{here}` must be an object.", param=here)
        item = _block_item(str(role), cast("Item", block), here)
        if item is not None:
            items.append(item)
            if item["type"] == "function_call_output":
                check_called(items, f"{here}.tool_use_id")


def _block_item(role: str, block: Item, where: str) -> Item | None:
    match block.get("type"):
        case "text":
            text = text_field(block, "text", where)
            return canonical_item({"role": role, "content": text}, where)
        case "thinking":
            text = text_field(block, "thinking", where)
            return canonical_item({"type": "reasoning", "content": [{"text": text}]}, where)
        case "redacted_thinking":
            return None
        case "tool_use":
            call: Item = {"type": "function_call", "call_id": block.get("id")}
            call |= {"name": block.get("name"), "arguments": _encode(block.get("input")).decode()}
            return canonical_item(call, where)
        case "tool_result":
            call_id = text_field(block, "tool_use_id", where)
            output = _blocks_text(block.get("content"), f"{where}.content")
            item: Item = {"type": "function_call_output", "call_id": call_id, "output": output}
            return canonical_item(item, where)
        case kind:
            raise UnsupportedParameter(
                f"Content of type {kind!r} is not supported by this model: text only.",
                param=f"{where}.type",
            )


def _blocks_text(content: object, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise InvalidRequest(f"`{where}` must be a string or an array.", param=where)
    texts: list[str] = []
    for index, block in enumerate(cast("list[object]", content)):
        here = f"{where}[{index}]"
        if not isinstance(block, dict) or cast("Item", block).get("type") != "text":
            raise UnsupportedParameter(f"`{here}` must be a text block.", param=here)
        texts.append(text_field(cast("Item", block), "text", here))
    return "\n".join(texts)


def _tools(tools: list[JsonObject]) -> list[JsonObject]:
    """As functions. Those of their servers, and those whose schema only their models know, are left
    out, where any other is there.
    """
    made: list[JsonObject] = []
    for tool in tools:
        if tool.get("type") not in (None, "custom"):
            continue
        said = {name: tool.get(name) for name in ("name", "description", "strict")}
        made.append({"type": "function", **said, "parameters": tool.get("input_schema")})
    if tools and not made:
        raise UnsupportedParameter(
            f"Tools of type {tools[0].get('type')!r} are not supported; only the client's own.",
            param="tools[0].type",
        )
    return made


def _choice(choice: ToolChoice | None) -> object:
    match choice.type if choice else "auto":
        case "any":
            return "required"
        case "tool":
            return {"type": "function", "name": choice.name if choice else None}
        case kind:
            return kind


# What the checks above let through, as the documents show it.


class TextBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="text"):
    text: str


class ThinkingBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="thinking"):
    """What the model thought."""

    thinking: str


class RedactedBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="redacted_thinking"):
    """A thought that nobody here can read. It is left out."""


class ToolUseBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="tool_use"):
    """A call that the model made."""

    id: str
    name: str
    input: object = None


class ToolResultBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="tool_result"):
    """What a tool gave back."""

    tool_use_id: str
    content: str | Texts | None = None


_BLOCKS = (TextBlock, ThinkingBlock, RedactedBlock, ToolUseBlock, ToolResultBlock)
Block = Annotated[JsonObject, shown_as(any_of(*(kind.__name__ for kind in _BLOCKS)))]
Blocks = Annotated[list[Block], shown_as({"minItems": 1})]


class Turn(msgspec.Struct, kw_only=True):
    """What one of them said."""

    role: Literal["user", "assistant", "system"]
    content: str | Blocks


class Tool(msgspec.Struct, kw_only=True):
    """A tool that the client runs. `input_schema` is a JSON schema."""

    name: Name
    description: str | None = None
    input_schema: JsonObject | None = None
    strict: bool | None = None
    type: Literal["custom"] = "custom"


ANTHROPIC_INPUTS: Final = (*_BLOCKS, Turn, Tool)
