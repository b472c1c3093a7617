"""The input of a custom tool, taken out of the arguments that a model writes for it: JSON in, as it
comes, its first text out.

It refuses to know events, and what was told before.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import msgspec

from tokenwire.wire.offered import called


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tokenwire.engine.base import Call, Delta
    from tokenwire.wire.checked import JsonObject


_HEAD: Final = re.compile(r'\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*"')
# What may still become a head. A key is short.
_HEAD_PART: Final = re.compile(r'\s*(?:\{\s*(?:"(?:[^"\\]|\\.)*(?:\\|"\s*(?::\s*)?)?)?)?\Z')
_HEAD_MAX: Final = 256
_SAID: Final = re.compile(
    r'(?:[^"\\]|\\(?:[^u]|u[0-9a-fA-F]{4}|u(?=[0-9a-fA-F]{0,3}[^0-9a-fA-F])))*', re.DOTALL
)
_HIGH_HALF: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")


class Input:
    """One call's. Arguments that are no object with a text in the first place are it themselves."""

    def __init__(self) -> None:
        self._waiting = ""
        self._inside = False
        self._plain = False
        self._done = False

    def next(self, arguments: str) -> str:
        """The text in the next piece of the arguments."""
        if self._done:
            return ""
        self._waiting += arguments
        if not (self._inside or self._plain):
            self._look_for_head()
        if self._plain:
            said, self._waiting = self._waiting, ""
            return said
        return self._text() if self._inside else ""

    def _look_for_head(self) -> None:
        if (head := _HEAD.match(self._waiting)) is not None:
            self._inside = True
            self._waiting = self._waiting[head.end() :]
        elif len(self._waiting) > _HEAD_MAX or not _HEAD_PART.match(self._waiting):
            self._plain = True

    def _text(self) -> str:
        """What is whole of the text; an escape or a half of a character that waits for its rest is
        not.
        """
        match = _SAID.match(self._waiting)
        end = match.end() if match else 0
        self._done = self._waiting[end : end + 1] == '"'
        said = self._waiting[:end]
        if not self._done and (half := _HIGH_HALF.search(said)) is not None:
            end = half.start()
            said = said[:end]
        self._waiting = self._waiting[end:]
        try:
            text: str = json.loads(f'"{said}"', strict=False)
        except ValueError:  # no escape of JSON
            text = said
        return text.encode("utf-8", "replace").decode()


class Inputs:
    """Of one answer's calls. `names`: the functions that stand for custom tools."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._inputs: dict[int, Input | None] = {}

    def told(self, delta: Delta) -> Delta:
        """The same, the input in the place of a custom tool's arguments."""
        if not delta.calls:
            return delta
        return msgspec.structs.replace(delta, calls=tuple(map(self._told_call, delta.calls)))

    def _told_call(self, call: Call) -> Call:
        if call.index not in self._inputs:
            self._inputs[call.index] = Input() if call.name in self._names else None
        input = self._inputs[call.index]
        if input is None:
            return call
        return msgspec.structs.replace(call, arguments=input.next(call.arguments))


def inputs_of(tools: Iterable[JsonObject]) -> Inputs | None:
    """None where no tool is a custom one."""
    names = {name for name, tool in called(tools).items() if tool.custom}
    return Inputs(names) if names else None
