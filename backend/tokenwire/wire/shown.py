"""The shapes of items, as answers and events show them: what was said, thought and called.

For the documents alone, as answers.py. It refuses to know what an item is a part of.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from tokenwire.wire.checked import JsonObject


ItemStatus = Literal["in_progress", "completed", "incomplete"]


class Likely(Struct, kw_only=True):
    """A token that could have stood there."""

    token: str
    logprob: float
    bytes: list[int]


class Logprob(Likely, kw_only=True):
    """A token that was chosen, and the likeliest in its place."""

    top_logprobs: list[Likely]


class InputText(Struct, kw_only=True, tag_field="type", tag="input_text"):
    text: str


class OutputText(Struct, kw_only=True, tag_field="type", tag="output_text"):
    text: str
    annotations: list[JsonObject]
    logprobs: list[Logprob]


class ReasoningText(Struct, kw_only=True, tag_field="type", tag="reasoning_text"):
    text: str


class OutputMessage(Struct, kw_only=True, tag_field="type", tag="message"):
    """What the model said."""

    id: str
    status: ItemStatus
    role: Literal["assistant"]
    content: list[OutputText]
    phase: Literal["commentary", "final_answer"] | UnsetType = UNSET


class Reasoning(Struct, kw_only=True, tag_field="type", tag="reasoning"):
    """What the model thought."""

    id: str
    status: ItemStatus
    summary: list[JsonObject]
    content: list[ReasoningText]


class FunctionCall(Struct, kw_only=True, tag_field="type", tag="function_call"):
    """A call that the client has to make. `arguments` are JSON, as text."""

    id: str
    status: ItemStatus
    call_id: str
    name: str
    arguments: str
    namespace: str | UnsetType = UNSET


class CustomToolCall(Struct, kw_only=True, tag_field="type", tag="custom_tool_call"):
    """A call that the client has to make. `input` is the text that the tool is given."""

    id: str
    status: ItemStatus
    call_id: str
    name: str
    input: str
    namespace: str | UnsetType = UNSET


class ShellCall(Struct, kw_only=True, tag_field="type", tag="local_shell_call"):
    """A shell's call, as a client gave it."""

    id: str
    status: ItemStatus
    call_id: str
    action: object


class ListedMessage(Struct, kw_only=True, tag_field="type", tag="message"):
    """What someone said."""

    id: str
    status: ItemStatus
    role: Literal["user", "assistant", "system", "developer"]
    content: list[InputText | OutputText]
    phase: Literal["commentary", "final_answer"] | UnsetType = UNSET


class FunctionCallOutput(Struct, kw_only=True, tag_field="type", tag="function_call_output"):
    """What a function gave back."""

    id: str
    status: ItemStatus
    call_id: str
    output: str


class CustomToolCallOutput(FunctionCallOutput, kw_only=True, tag="custom_tool_call_output"):
    """What a custom tool gave back."""


class ShellCallOutput(FunctionCallOutput, kw_only=True, tag="local_shell_call_output"):
    """What a shell gave back."""


class Compaction(Struct, kw_only=True, tag_field="type", tag="compaction"):
    """What stands for all that was said before it."""

    id: str
    encrypted_content: str


OutputItem = OutputMessage | Reasoning | FunctionCall | CustomToolCall
_Calls = FunctionCall | CustomToolCall | ShellCall
_Outputs = FunctionCallOutput | CustomToolCallOutput | ShellCallOutput
ListedItem = ListedMessage | Reasoning | _Calls | _Outputs | Compaction
