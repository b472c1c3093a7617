"""Items: what may be sent as input, its canonical form, and what a chat template reads of it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tokenwire.errors import InvalidRequest, TokenwireError, UnsupportedParameter
from tokenwire.wire.items import canonical_input, item_text, output_message
from tokenwire.wire.messages import chat_messages


def message(role: str, *parts: dict[str, object]) -> dict[str, object]:
    return {"type": "message", "status": "completed", "role": role, "content": [*parts]}


def test_a_string_is_one_message_of_the_user() -> None:
    text: dict[str, object] = {"type": "input_text", "text": "Hi"}

    assert canonical_input("Hi") == [message("user", text)]


def test_a_message_may_leave_out_its_type_and_give_its_content_as_a_string() -> None:
    items = canonical_input([{"role": "developer", "content": "Be kind."}])

    assert items == [message("developer", {"type": "input_text", "text": "Be kind."})]


def test_text_of_the_assistant_becomes_output_text_and_text_of_others_input_text() -> None:
    items = canonical_input(
        [
            {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
            {"role": "user", "content": [{"type": "text", "text": "b"}]},
        ]
    )

    assert [part["type"] for item in items for part in parts_of(item)] == [
        "output_text",
        "input_text",
    ]


def parts_of(item: dict[str, object]) -> list[dict[str, object]]:
    content = item["content"]
    assert isinstance(content, list)
    return content  # pyright: ignore[reportUnknownVariableType]


def test_a_refusal_is_read_as_text() -> None:
    items = canonical_input(
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]
    )

    assert item_text(items[0]) == "No."


def test_a_phase_of_the_assistant_is_kept() -> None:
    items = canonical_input([{"role": "assistant", "content": "x", "phase": "commentary"}])

    assert items[0]["phase"] == "commentary"


def test_an_id_that_a_client_sends_is_not_kept() -> None:
    assert "id" not in canonical_input([{"id": "msg_theirs", "role": "user", "content": "x"}])[0]


def test_a_thought_is_read_from_its_content_or_else_from_its_summary() -> None:
    thoughts = [
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "a"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "b"}]},
        {"type": "reasoning", "encrypted_content": "zzz"},
    ]

    assert [item_text(item) for item in canonical_input(thoughts)] == ["a", "b", ""]


def test_a_call_and_its_output_keep_what_a_model_reads() -> None:
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c"}
    parts = [{"type": "input_text", "text": "4"}, {"type": "input_text", "text": "2"}]

    assert canonical_input([call, output | {"output": parts}]) == [
        {
            "type": "function_call",
            "status": "completed",
            "call_id": "c",
            "name": "f",
            "arguments": "{}",
        },
        {"type": "function_call_output", "status": "completed", "call_id": "c", "output": "42"},
    ]


REFUSALS: list[tuple[object, type[TokenwireError], str]] = [
    ([], InvalidRequest, "input"),
    (5, InvalidRequest, "input"),
    ({"role": "user", "content": "x"}, InvalidRequest, "input"),
    ([{"type": "reasoning", "content": 5}], InvalidRequest, "input[0].content"),
    ([{"type": "reasoning", "summary": [5]}], InvalidRequest, "input[0].summary[0]"),
    ([{"type": "function_call", "call_id": "c"}], InvalidRequest, "input[0].name"),
    ([{"type": "item_reference", "id": "x"}], UnsupportedParameter, "input[0].type"),
    ([{"role": "user", "content": "x", "phase": "a"}], InvalidRequest, "input[0].phase"),
    ([{"role": "user", "content": "x"}, 5], InvalidRequest, "input[1]"),
    ([{"type": "function_call_output"}], InvalidRequest, "input[0].call_id"),
    ([{"type": ["message"]}], UnsupportedParameter, "input[0].type"),
    ([{"content": "x"}], InvalidRequest, "input[0].role"),
    ([{"role": "robot", "content": "x"}], InvalidRequest, "input[0].role"),
    ([{"role": ["user"], "content": "x"}], InvalidRequest, "input[0].role"),
    ([{"role": "user"}], InvalidRequest, "input[0].content"),
    ([{"role": "user", "content": []}], InvalidRequest, "input[0].content"),
    ([{"role": "user", "content": {}}], InvalidRequest, "input[0].content"),
    ([{"role": "user", "content": ["x"]}], InvalidRequest, "input[0].content[0]"),
    (
        [{"role": "user", "content": [{"type": "input_image"}]}],
        UnsupportedParameter,
        "input[0].content[0].type",
    ),
    (
        [{"role": "user", "content": [{"type": "input_text", "text": None}]}],
        InvalidRequest,
        "input[0].content[0].text",
    ),
    (
        [{"role": "assistant", "content": [{"type": "refusal"}]}],
        InvalidRequest,
        "input[0].content[0].refusal",
    ),
]


@pytest.mark.parametrize(("value", "kind", "param"), REFUSALS)
def test_what_is_wrong_in_the_input_is_refused_by_the_name_of_its_field(
    value: object, kind: type[TokenwireError], param: str
) -> None:
    with pytest.raises(kind) as caught:
        canonical_input(value)

    assert caught.value.param == param


def test_the_name_of_the_field_is_that_of_the_request() -> None:
    with pytest.raises(InvalidRequest) as caught:
        canonical_input([1], "messages")

    assert caught.value.param == "messages[0]"


def test_a_template_reads_the_instructions_first_and_developers_as_the_system() -> None:
    items = canonical_input(
        [{"role": "developer", "content": "Short."}, {"role": "user", "content": "Hi"}]
    )

    assert chat_messages("Be kind.", items) == [
        {"role": "system", "content": "Be kind.\n\nShort."},
        {"role": "user", "content": "Hi"},
    ]


def test_only_the_system_messages_of_the_beginning_are_joined() -> None:
    said = [("developer", "a"), ("system", "b"), ("user", "c"), ("developer", "d")]
    items = canonical_input([{"role": role, "content": text} for role, text in said])

    assert [(one["role"], one["content"]) for one in chat_messages(None, items)] == [
        ("system", "a\n\nb"),
        ("user", "c"),
        ("system", "d"),
    ]


def test_calls_of_custom_tools_namespaces_and_shells_are_read_as_calls_of_functions() -> None:
    custom = {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": 'a "b"'}
    spaced = {"type": "function_call", "call_id": "c2", "name": "find", "arguments": "{}"}
    shell = {"type": "local_shell_call", "call_id": "c3", "action": {"command": ["ls"]}}
    results = [
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
        {
            "type": "function_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "x"}],
        },
        {"type": "local_shell_call_output", "id": "c3", "output": "a.txt"},
    ]
    items = canonical_input([custom, spaced | {"namespace": "web"}, shell, *results])
    turn, *outputs = chat_messages(None, items)

    assert [call["function"] for call in cast("list[Any]", turn["tool_calls"])] == [
        {"name": "patch", "arguments": '{"input":"a \\"b\\""}'},
        {"name": "web__find", "arguments": "{}"},
        {"name": "local_shell", "arguments": '{"command":["ls"]}'},
    ]
    assert [(one["tool_call_id"], one["content"]) for one in outputs] == [
        ("c1", "done"),
        ("c2", "x"),
        ("c3", "a.txt"),
    ]
    assert items[0] == custom | {"status": "completed"}
    assert items[1]["namespace"] == "web"


def test_a_thought_of_another_server_that_nobody_can_read_is_none() -> None:
    thought: Any = {"type": "reasoning", "summary": [], "content": None}
    (item,) = canonical_input([thought | {"encrypted_content": "gAAA"}])

    assert item_text(item) == ""


def test_a_template_without_instructions_reads_the_items_alone() -> None:
    assert chat_messages(None, [output_message("msg_1", "Hi", "completed")]) == [
        {"role": "assistant", "content": "Hi"}
    ]


def test_the_text_of_an_item_is_that_of_all_its_parts() -> None:
    parts: list[dict[str, object]] = [
        {"type": "input_text", "text": "a"},
        {"type": "input_text", "text": "b"},
    ]

    assert item_text(message("user", *parts)) == "ab"
    assert item_text({"role": "user", "content": "plain"}) == "plain"
    assert item_text({"role": "user"}) == ""
