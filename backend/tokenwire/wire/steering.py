"""Steering: what a user says while an answer runs, and the create that goes on with it.

Pure values. It refuses to know which answers run and on which connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, cast

import msgspec

from tokenwire.errors import InvalidRequest
from tokenwire.wire.items import Item, canonical_input
from tokenwire.wire.schema import ref, shown_as


if TYPE_CHECKING:
    from tokenwire.wire.commands import Create


_CALLS: Final = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
}


_SAID: Final = {"type": "array", "items": ref("InputMessage"), "minItems": 1}
SteerInput = Annotated[object, shown_as({"anyOf": [{"type": "string"}, _SAID]})]


class Steer(msgspec.Struct, kw_only=True):
    """`response.steer`: input for a response that runs. The response says which lane."""

    previous_response_id: str
    input: SteerInput = None

    def items(self) -> list[Item]:
        """The canonical input: messages of the user. Raises InvalidRequest or UnsupportedParameter
        that names the field.
        """
        items = canonical_input(self.input)
        for index, item in enumerate(items):
            if item.get("role") != "user":
                field = f"input[{index}]"
                raise InvalidRequest(f"`{field}` must be a message of the user.", param=field)
        return items


def required_input(output: list[Item]) -> list[Item]:
    """A stub for each result that the client owes: for the calls of an answer."""
    return [
        {"type": _CALLS[kind], "call_id": item["call_id"]}
        | ({"name": item["name"]} if kind == "function_call" else {})
        for item in output
        if (kind := str(item.get("type"))) in _CALLS
    ]


def successor(create: Create, response_id: str, items: list[Item]) -> Create:
    """The create that goes on from a response with its settings and a new input."""
    own = create.tokenwire
    return msgspec.structs.replace(
        create,
        input=cast("list[object]", items),
        previous_response_id=response_id,
        continue_final_message=None,
        tokenwire=own and msgspec.structs.replace(own, idempotency_key=None, continues=None),
    )
