"""Responses items: what a client may send as `input`, made canonical, and what answers are made of.

Pure functions over JSON values. This file refuses to know where an item is stored, which model
reads it and what its id will be.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final, cast

from tokenwire.errors import InvalidRequest, UnsupportedParameter


if TYPE_CHECKING:
    from collections.abc import Sequence


Item = dict[str, object]

ROLES: Final = ("user", "assistant", "system", "developer")
_TEXT_PARTS: Final = {
    "input_text": "text",
    "output_text": "text",
    "text": "text",
    "refusal": "refusal",
}
# What a model called, and what came of it. A shell's calls are not made here, but read.
CALLS: Final = ("function_call", "custom_tool_call", "local_shell_call")
OUTPUTS: Final = tuple(f"{kind}_output" for kind in CALLS)
PHASES: Final = (None, "commentary", "final_answer")


def canonical_input(value: object, field: str = "input") -> list[Item]:
    """The items of a request's `field`: messages with a list of content parts, calls of tools and
    their outputs, reasoning; each with a status, no id yet.

    Raises InvalidRequest or UnsupportedParameter, naming the field.
    """
    if isinstance(value, str):
        return [_message("user", [_part("user", value)])]
    if not isinstance(value, list) or not value:
        raise InvalidRequest(f"`{field}` must be a non-empty array.", param=field)
    items: list[Item] = []
    for index, entry in enumerate(cast("list[object]", value)):
        where = f"{field}[{index}]"
        if not isinstance(entry, dict):
            raise InvalidRequest(f"`{where}` must be an object.", param=where)
        items.append(canonical_item(cast("Item", entry), where))
    return items


def item_text(item: Item) -> str:
    """All text of a message item."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in cast("list[Item]", content or []):
        text = part.get(_TEXT_PARTS.get(str(part.get("type")), "text"))
        if isinstance(text, str):
            texts.append(text)
    return "".join(texts)


def output_message(item_id: str, text: str, status: str, logprobs: Sequence[Item] = ()) -> Item:
    """An assistant message as it stands in a response's `output`."""
    return {
        "id": item_id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [output_text(text, logprobs)],
    }


def output_text(text: str, logprobs: Sequence[Item] = ()) -> Item:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": list(logprobs)}


def reasoning_item(item_id: str, text: str, status: str) -> Item:
    """What the model thought, as it stands in a response's `output`."""
    return {
        "id": item_id,
        "type": "reasoning",
        "status": status,
        "summary": list[Item](),
        "content": [reasoning_text(text)],
    }


def reasoning_text(text: str) -> Item:
    return {"type": "reasoning_text", "text": text}


def tool_call(kind: str, said: str, **named: object) -> Item:
    """A call that the client has to make, as it stands in a response's `output`: of a function with
    arguments, or of a custom tool with an input. `named`: its other fields, None for what it lacks.
    """
    fields = {name: value for name, value in named.items() if value is not None}
    return {"type": kind, **fields, "input" if kind == "custom_tool_call" else "arguments": said}


def compaction_item(item_id: str, summary: str) -> Item:
    """What stands for a conversation that was made short. Its content is opaque to a client, but no
    secret: the same server reads it again.
    """
    content = base64.urlsafe_b64encode(summary.encode()).decode()
    return {"id": item_id, "type": "compaction", "encrypted_content": content}


def summary_of(item: Item, where: str = "input") -> str:
    """What a compaction item says. Raises InvalidRequest for one that is not of this server."""
    content = item.get("encrypted_content")
    try:
        return base64.b64decode(str(content).encode(), b"-_", validate=True).decode()
    except ValueError as error:
        field = f"{where}.encrypted_content"
        raise InvalidRequest(f"`{field}` is not of this server.", param=field) from error


def canonical_item(entry: Item, where: str) -> Item:
    """One item, canonical; `where` it stands in the request. Raises InvalidRequest or
    UnsupportedParameter, naming the field.
    """
    match entry.get("type", "message"):
        case "message":
            return _canonical_message(entry, where)
        case "function_call" | "custom_tool_call":
            kind = str(entry["type"])
            fields: Item = {name: text_field(entry, name, where) for name in ("call_id", "name")}
            if entry.get("namespace") is not None:
                fields["namespace"] = text_field(entry, "namespace", where)
            said = text_field(entry, "input" if kind == "custom_tool_call" else "arguments", where)
            return tool_call(kind, said, status="completed", **fields)
        case "local_shell_call" as kind:
            call_id, action = text_field(entry, "call_id", where), entry.get("action")
            return {"type": kind, "status": "completed", "call_id": call_id, "action": action}
        case kind if kind in OUTPUTS:
            return _canonical_output(entry, where)
        case "reasoning":
            return _canonical_reasoning(entry, where)
        case "compaction":
            return _without_id(compaction_item("", summary_of(entry, where)))
        case kind:
            raise UnsupportedParameter(
                f"Items of type {kind!r} are not supported; send messages, calls of tools and "
                "their outputs, or reasoning.",
                param=f"{where}.type",
            )


def _canonical_output(entry: Item, where: str) -> Item:
    # What came of a shell's call names the call by its own id.
    named = "id" if entry["type"] == "local_shell_call_output" else "call_id"
    return {
        "type": entry["type"],
        "status": "completed",
        "call_id": text_field(entry, "call_id" if "call_id" in entry else named, where),
        "output": _output(entry.get("output"), f"{where}.output"),
    }


def _canonical_message(entry: Item, where: str) -> Item:
    role = entry.get("role")
    if role not in ROLES:
        raise InvalidRequest(
            f"`{where}.role` must be one of {', '.join(ROLES)}.", param=f"{where}.role"
        )
    phase = entry.get("phase")
    if phase not in PHASES:
        raise InvalidRequest(
            f"`{where}.phase` must be commentary or final_answer.", param=f"{where}.phase"
        )
    parts = _canonical_parts(str(role), entry.get("content"), f"{where}.content")
    return _message(str(role), parts, phase)


def _canonical_reasoning(entry: Item, where: str) -> Item:
    """Only a thought that is told in words can be read by a model."""
    texts: list[str] = []
    for field in ("content", "summary"):
        parts: object = entry.get(field) or []
        if not isinstance(parts, list):
            raise InvalidRequest(f"`{where}.{field}` must be an array.", param=f"{where}.{field}")
        if field == "summary" and texts:
            break
        for index, part in enumerate(cast("list[object]", parts)):
            here = f"{where}.{field}[{index}]"
            if not isinstance(part, dict):
                raise InvalidRequest(f"`{here}` must be an object.", param=here)
            texts.append(text_field(cast("Item", part), "text", here))
    return _without_id(reasoning_item("", "".join(texts), "completed"))


def _output(value: object, where: str) -> str:
    """What a function gave back: text, also where it came in parts."""
    if isinstance(value, str):
        return value
    return "".join(str(part["text"]) for part in _canonical_parts("user", value, where))


def text_field(entry: Item, field: str, where: str) -> str:
    """A text that must be there. Raises InvalidRequest."""
    value = entry.get(field)
    if not isinstance(value, str):
        raise InvalidRequest(f"`{where}.{field}` must be a string.", param=f"{where}.{field}")
    return value


def _without_id(item: Item) -> Item:
    del item["id"]
    return item


def _canonical_parts(role: str, content: object, where: str) -> list[Item]:
    if isinstance(content, str):
        return [_part(role, content)]
    if not isinstance(content, list) or not content:
        raise InvalidRequest(f"`{where}` must be a string or a non-empty array.", param=where)
    parts: list[Item] = []
    for index, part in enumerate(cast("list[object]", content)):
        here = f"{where}[{index}]"
        if not isinstance(part, dict):
            raise InvalidRequest(f"`{here}` must be an object.", param=here)
        entry = cast("Item", part)
        field = _TEXT_PARTS.get(str(entry.get("type")))
        if field is None:
            raise UnsupportedParameter(
                f"Content of type {entry.get('type')!r} is not supported by this model: text only.",
                param=f"{here}.type",
            )
        text = entry.get(field)
        if not isinstance(text, str):
            raise InvalidRequest(f"`{here}.{field}` must be a string.", param=f"{here}.{field}")
        parts.append(_part(role, text))
    return parts


def _part(role: str, text: str) -> Item:
    return output_text(text) if role == "assistant" else {"type": "input_text", "text": text}


def _message(role: str, content: list[Item], phase: object = None) -> Item:
    item: Item = {"type": "message", "status": "completed", "role": role, "content": content}
    if phase is not None:
        item["phase"] = phase
    return item
