"""Responses items: what a client may send as `input`, made canonical, and as the messages of a
chat template.

Pure functions over JSON values. This file refuses to know where an item is stored, which model
reads it and what its id will be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from tokenwire.errors import InvalidRequest, UnsupportedParameter


if TYPE_CHECKING:
    from collections.abc import Iterable


Item = dict[str, object]

ROLES: Final = ("user", "assistant", "system", "developer")
_TEXT_PARTS: Final = {
    "input_text": "text",
    "output_text": "text",
    "text": "text",
    "refusal": "refusal",
}
_UNREAD_ITEMS: Final = ("reasoning",)


def canonical_input(value: object, field: str = "input") -> list[Item]:
    """The items of a request's `field`, each a message with a status and a list of content parts,
    no id yet.

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
        item = _canonical_item(cast("Item", entry), where)
        if item is not None:
            items.append(item)
    if not items:
        raise InvalidRequest(f"`{field}` has no message.", param=field)
    return items


def chat_messages(instructions: str | None, items: Iterable[Item]) -> list[dict[str, object]]:
    """The messages (role, content) that a chat template takes. `developer` is said as `system`."""
    messages: list[dict[str, object]] = []
    if instructions:
        messages.append({"role": "system", "content": instructions})
    for item in items:
        role = str(item["role"])
        messages.append(
            {"role": "system" if role == "developer" else role, "content": item_text(item)}
        )
    return messages


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


def output_message(item_id: str, text: str, status: str) -> Item:
    """An assistant message as it stands in a response's `output`."""
    return {
        "id": item_id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [output_text(text)],
    }


def output_text(text: str) -> Item:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _canonical_item(entry: Item, where: str) -> Item | None:
    kind = entry.get("type", "message")
    if kind in _UNREAD_ITEMS:
        return None
    if kind != "message":
        raise UnsupportedParameter(
            f"Items of type {kind!r} are not supported; send messages.", param=f"{where}.type"
        )
    role = entry.get("role")
    if role not in ROLES:
        raise InvalidRequest(
            f"`{where}.role` must be one of {', '.join(ROLES)}.", param=f"{where}.role"
        )
    parts = _canonical_parts(str(role), entry.get("content"), f"{where}.content")
    return _message(str(role), parts, entry.get("phase"))


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
