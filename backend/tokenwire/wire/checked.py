"""JSON from outside, distrusted: an object, then a struct of known fields; or a refusal that names
the field.

msgspec does the checking. It refuses to know what the fields mean.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar, cast

import msgspec

from tokenwire.errors import InvalidJson, InvalidRequest


if TYPE_CHECKING:
    from collections.abc import Iterable


JsonObject = dict[str, object]

_FIELD: Final = re.compile(r" - at (?:`key` in )?`\$\.?(.*?)`\Z")
_REQUIRED: Final = re.compile(r"required field `(\w+)`")
_UNKNOWN: Final = re.compile(r"unknown field `(.*?)`")
_ONE_LINE_MAX: Final = 300
# What is nested much deeper than this can be read, but not written again by all who have to.
MOST_DEPTH: Final = 128

T = TypeVar("T", bound=msgspec.Struct)


def decode_object(text: str | bytes) -> JsonObject:
    """A JSON object, nested at most `MOST_DEPTH` deep. Raises InvalidJson."""
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidJson(f"This is not valid JSON: {_one_line(str(error))}") from error
    except RecursionError as error:
        raise _too_deep() from error
    if not isinstance(value, dict):
        raise InvalidJson("A message must be a JSON object.")
    found = cast("JsonObject", value)
    if _brackets(text) > MOST_DEPTH and _is_deeper(found, MOST_DEPTH):
        raise _too_deep()
    return found


def convert(value: object, kind: type[T], where: str = "") -> T:
    """`value`, which stands at `where` in the request, as `kind`, every known field checked. Raises
    InvalidRequest that names the field.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message = _one_line(str(error))
        found = _FIELD.search(message)
        missing = None if found else _quoted_field(message)
        inner = (found.group(1) or None) if found else missing
        extra = name.group(1) if (name := _UNKNOWN.search(message)) else None
        param = ".".join(part for part in (where, inner, extra) if part) or None
        if missing is not None:
            raise InvalidRequest(f"`{param}` is required.", param=param) from error
        plain = message[: found.start()] if found else message
        raise InvalidRequest(f"`{param}`: {plain}" if param else plain, param=param) from error


def _brackets(text: str | bytes) -> int:
    """No JSON is nested deeper than it has brackets."""
    if isinstance(text, str):
        return text.count("[") + text.count("{")
    return text.count(b"[") + text.count(b"{")


def _is_deeper(value: object, most: int) -> bool:
    level: list[object] = [value]
    for _ in range(most):
        level = [inner for outer in level for inner in _inside(outer)]
    return any(isinstance(inner, dict | list) for inner in level)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("JsonObject", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()


def _too_deep() -> InvalidJson:
    return InvalidJson(f"This JSON is nested too deeply: at most {MOST_DEPTH} levels.")


def _quoted_field(message: str) -> str | None:
    return found.group(1) if (found := _REQUIRED.search(message)) else None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_ONE_LINE_MAX]
