"""JSON from outside, distrusted: an object, then a struct of known fields; or a refusal that names
the field.

msgspec does the checking. It refuses to know what the fields mean.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar, cast

import msgspec

from tokenwire.errors import InvalidJson, InvalidRequest


JsonObject = dict[str, object]

_FIELD: Final = re.compile(r" - at (?:`key` in )?`\$\.?(.*?)`\Z")
_REQUIRED: Final = re.compile(r"required field `(\w+)`")
_ONE_LINE_MAX: Final = 300

T = TypeVar("T", bound=msgspec.Struct)


def decode_object(text: str | bytes) -> JsonObject:
    """A JSON object. Raises InvalidJson."""
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidJson(f"This is not valid JSON: {_one_line(str(error))}") from error
    except RecursionError as error:
        raise InvalidJson("This JSON is nested too deeply.") from error
    if not isinstance(value, dict):
        raise InvalidJson("A message must be a JSON object.")
    return cast("JsonObject", value)


def convert(value: object, kind: type[T], where: str = "") -> T:
    """`value`, which stands at `where` in the request, as `kind`, every known field checked. Raises
    InvalidRequest that names the field.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message = _one_line(str(error))
        found = _FIELD.search(message)
        inner = (found.group(1) or None) if found else _quoted_field(message)
        param = ".".join(part for part in (where, inner) if part) or None
        plain = message[: found.start()] if found else message
        raise InvalidRequest(f"`{param}`: {plain}" if param else plain, param=param) from error


def _quoted_field(message: str) -> str | None:
    return found.group(1) if (found := _REQUIRED.search(message)) else None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_ONE_LINE_MAX]
