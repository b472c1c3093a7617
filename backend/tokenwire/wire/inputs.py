"""What the checks of items.py let through, as the documents show it: the items of a request.

It refuses to check anything.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Struct

from tokenwire.wire.checked import JsonObject
from tokenwire.wire.schema import any_of, shown_as


class TextPart(Struct, kw_only=True):
    """A part of a content: text. Refusals of old answers come back as they were."""

    type: Literal["input_text", "output_text", "text"]
    text: str


class RefusalPart(Struct, kw_only=True, tag_field="type", tag="refusal"):
    refusal: str


Part = Annotated[JsonObject, shown_as(any_of("TextPart", "RefusalPart"))]
Parts = Annotated[list[Part], shown_as({"minItems": 1})]


class InputMessage(Struct, kw_only=True):
    """What someone said."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | Parts
    type: Literal["message"] = "message"
    phase: Literal["commentary", "final_answer"] | None = None


class InputCall(Struct, kw_only=True, tag_field="type", tag="function_call"):
    """A call that the model made."""

    call_id: str
    name: str
    arguments: str
    namespace: str | None = None


class InputCustomCall(Struct, kw_only=True, tag_field="type", tag="custom_tool_call"):
    """A call of a custom tool that the model made."""

    call_id: str
    name: str
    input: str
    namespace: str | None = None


class InputShellCall(Struct, kw_only=True, tag_field="type", tag="local_shell_call"):
    """A call of a shell that a model made elsewhere."""

    call_id: str
    action: object = None


class InputCallOutput(Struct, kw_only=True, tag_field="type", tag="function_call_output"):
    """What a function gave back."""

    call_id: str
    output: str | Parts


class InputCustomOutput(InputCallOutput, kw_only=True, tag="custom_tool_call_output"):
    """What a custom tool gave back."""


class InputShellOutput(Struct, kw_only=True, tag_field="type", tag="local_shell_call_output"):
    """What a shell gave back, to the call with this id."""

    id: str
    output: str | Parts


class Thought(Struct, kw_only=True):
    text: str


class InputReasoning(Struct, kw_only=True, tag_field="type", tag="reasoning"):
    """What the model thought, in words."""

    content: list[Thought] | None = None
    summary: list[Thought] | None = None


class InputCompaction(Struct, kw_only=True, tag_field="type", tag="compaction"):
    """What stands for all that was said before it."""

    encrypted_content: str


_ITEMS: Final = (
    *(InputMessage, InputReasoning, InputCompaction),
    *(InputCall, InputCallOutput, InputCustomCall, InputCustomOutput),
    *(InputShellCall, InputShellOutput),
)
INPUTS: Final = (*_ITEMS, TextPart, RefusalPart)
InputItem = Annotated[object, shown_as(any_of(*(kind.__name__ for kind in _ITEMS)))]
InputItems = Annotated[list[InputItem], shown_as({"minItems": 1})]
