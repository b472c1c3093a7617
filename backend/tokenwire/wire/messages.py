"""Items as the messages of a chat template, and the messages of Chat Completions as items.

Both ways between a flat list of items and messages that carry their calls. It refuses to know
templates and models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, cast

from msgspec import Struct

from tokenwire.errors import InvalidRequest
from tokenwire.wire.inputs import Parts
from tokenwire.wire.items import (
    CALLS,
    OUTPUTS,
    Item,
    canonical_item,
    item_text,
    summary_of,
    text_field,
)
from tokenwire.wire.offered import as_function_call
from tokenwire.wire.schema import any_of, shown_as


if TYPE_CHECKING:
    from collections.abc import Iterable


Message = dict[str, object]


def chat_messages(instructions: str | None, items: Iterable[Item]) -> list[Message]:
    """The messages that a chat template takes: role and content; what an assistant thought
    (`reasoning`) and the calls it made (`tool_calls`) stand in its message. `developer` is said as
    `system`.
    """
    messages: list[Message] = []
    if instructions:
        messages.append({"role": "system", "content": instructions})
    turn: Message | None = None
    for item in items:
        kind = item.get("type")
        if kind == "compaction":
            turn, messages = None, [_with_summary(messages, summary_of(item))]
            continue
        if kind in OUTPUTS:
            turn = None
            output = {"tool_call_id": item["call_id"], "content": item["output"]}
            messages.insert(_beside_call(messages, item["call_id"]), {"role": "tool", **output})
            continue
        role = str(item.get("role", "assistant"))
        if role != "assistant":
            turn = None
            said = "system" if role == "developer" else role
            if said == "system" and [one["role"] for one in messages] == ["system"]:
                messages = [_joined(messages[0], item_text(item))]
            else:
                messages.append({"role": said, "content": item_text(item)})
            continue
        # A thought, the words after it and the calls after them are one message; a thought after
        # any of the others begins the next.
        if turn is None or (kind == "reasoning" and len(turn) > 1) or _said_before(turn, kind):
            turn = {"role": "assistant"}
            messages.append(turn)
        _add(turn, item)
    for message in messages:
        message.setdefault("content", "")
    return messages


def _beside_call(messages: list[Message], call_id: object) -> int:
    """Where the output of a call stands: what was said before it came, while the client ran the
    tool, comes after it, as templates want it.
    """
    for index in range(len(messages) - 1, -1, -1):
        calls = cast("list[Message]", messages[index].get("tool_calls") or [])
        if any(call["id"] == call_id for call in calls):
            place = index + 1
            while place < len(messages) and messages[place]["role"] == "tool":
                place += 1
            return place
    return len(messages)


def _with_summary(messages: list[Message], summary: str) -> Message:
    """The one message that is left where a summary stands for all that was said. Templates take a
    system message in the first place only.
    """
    systems = [str(one["content"]) for one in messages if one["role"] == "system"]
    told = f"Summary of the conversation so far:\n{summary}"
    return {"role": "system", "content": "\n\n".join([*systems[:1], told])}


def _joined(system: Message, text: str) -> Message:
    """Agents begin with several system messages; many templates take one, in the first place."""
    return {"role": "system", "content": f"{system['content']}\n\n{text}"}


def _said_before(turn: Message, kind: object) -> bool:
    return kind == "message" and ("content" in turn or "tool_calls" in turn)


def _add(turn: Message, item: Item) -> None:
    match item.get("type"):
        case "reasoning":
            if thought := item_text(item):
                turn["reasoning"] = thought
        case kind if kind in CALLS:
            calls = cast("list[Message]", turn.setdefault("tool_calls", list[Message]()))
            function = as_function_call(item)
            calls.append({"id": item["call_id"], "type": "function", "function": function})
        case _:
            turn["content"] = item_text(item)


def message_items(messages: list[object]) -> list[Item]:
    """The items that the messages of a chat completion mean. Raises InvalidRequest or
    UnsupportedParameter that names the field.
    """
    items: list[Item] = []
    for index, entry in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(entry, dict):
            raise InvalidRequest(f"`{where}` must be an object.", param=where)
        items += _items_of(cast("Item", entry), where)
        if items[-1]["type"] == "function_call_output":
            check_called(items, f"{where}.tool_call_id")
    if not items:
        raise InvalidRequest("`messages` must be a non-empty array.", param="messages")
    return items


def _items_of(message: Item, where: str) -> list[Item]:
    role, content = message.get("role"), message.get("content")
    if role == "tool":
        call_id = text_field(message, "tool_call_id", where)
        output: Item = {"type": "function_call_output", "call_id": call_id, "output": content}
        return [canonical_item(output, where)]
    if role != "assistant":
        return [canonical_item({"role": role, "content": content}, where)]
    items: list[Item] = []
    if isinstance(thought := message.get("reasoning_content"), str) and thought:
        items.append({"type": "reasoning", "content": [{"text": thought}]})
    calls: object = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise InvalidRequest(f"`{where}.tool_calls` must be an array.", param=f"{where}.tool_calls")
    if content or not calls:
        # Some clients send back an answer of nothing but thoughts without any content.
        items.append({"role": role, "content": content or ""})
    items += [
        _call(entry, f"{where}.tool_calls[{number}]")
        for number, entry in enumerate(cast("list[object]", calls))
    ]
    return [canonical_item(item, where) for item in items]


def check_called(items: list[Item], field: str) -> None:
    """That the last item is the output of a call that is among them. Raises InvalidRequest that
    names `field`.
    """
    call_id = items[-1]["call_id"]
    made = [item["call_id"] for item in items if item["type"] == "function_call"]
    if call_id not in made:
        raise InvalidRequest(f"`{field}`: there is no tool call {call_id!r}.", param=field)


def _call(entry: object, where: str) -> Item:
    call = cast("Item", entry) if isinstance(entry, dict) else {}
    function = call.get("function")
    if not isinstance(function, dict):
        raise InvalidRequest(f"`{where}.function` must be an object.", param=f"{where}.function")
    said = {
        name: text_field(cast("Item", function), name, f"{where}.function")
        for name in ("name", "arguments")
    }
    return {"type": "function_call", "call_id": text_field(call, "id", where), **said}


# What the checks above let through, as the documents show it.


class SaidMessage(Struct, kw_only=True):
    """What someone said."""

    role: Literal["user", "system", "developer"]
    content: str | Parts


class CalledFunction(Struct, kw_only=True):
    name: str
    arguments: str


class ToolCall(Struct, kw_only=True):
    """A call that the model made. `arguments` are JSON, as text."""

    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class AssistantMessage(Struct, kw_only=True, tag_field="role", tag="assistant"):
    """What the model said, thought and called; one of the first and the last is there."""

    content: str | Parts | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None


class ToolMessage(Struct, kw_only=True, tag_field="role", tag="tool"):
    """What a function gave back."""

    tool_call_id: str
    content: str | Parts


CHAT_INPUTS: Final = (SaidMessage, AssistantMessage, ToolMessage)
ChatInput = Annotated[object, shown_as(any_of(*(kind.__name__ for kind in CHAT_INPUTS)))]
ChatMessages = Annotated[list[ChatInput], shown_as({"minItems": 1})]
