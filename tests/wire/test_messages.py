"""Items and messages: what an assistant thought, said and called stands in one message."""

from __future__ import annotations

from tokenwire.wire.items import canonical_input
from tokenwire.wire.messages import chat_messages, message_items


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
MESSAGES: list[object] = [
    {"role": "developer", "content": "Be kind."},
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": "I look.", "reasoning_content": "Hm.", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    {"role": "assistant", "content": "Sunny."},
    {"role": "user", "content": [{"type": "text", "text": "Thanks"}]},
]


def test_messages_become_items_and_items_the_same_messages() -> None:
    items = message_items(MESSAGES)

    assert [item["type"] for item in items] == [
        *("message", "message", "reasoning", "message", "function_call"),
        *("function_call_output", "message", "message"),
    ]
    assert chat_messages(None, items) == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "reasoning": "Hm.", "content": "I look.", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "assistant", "content": "Sunny."},
        {"role": "user", "content": "Thanks"},
    ]


def test_calls_without_a_word_are_one_message() -> None:
    calls = [
        {"type": "function_call", "call_id": f"c{n}", "name": "f", "arguments": "{}"}
        for n in range(2)
    ]
    (message,) = chat_messages(None, canonical_input(calls))

    assert message["content"] == ""
    assert [call["id"] for call in message["tool_calls"]] == ["c0", "c1"]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]


def test_each_turn_of_an_assistant_is_a_message_of_its_own() -> None:
    says = {"role": "assistant", "content": "a"}
    thinks = {"type": "reasoning", "content": [{"text": "b"}]}
    calls = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    items = canonical_input([says, says, thinks, says, calls, says])

    told = [sorted(set(message) - {"role"}) for message in chat_messages(None, items)]
    assert told == [["content"], ["content"], ["content", "reasoning", "tool_calls"], ["content"]]


def test_a_thought_without_words_is_not_told() -> None:
    items = canonical_input([{"type": "reasoning"}, {"role": "assistant", "content": "a"}])

    assert chat_messages(None, items) == [{"role": "assistant", "content": "a"}]


def test_a_result_stands_beside_its_call_whatever_was_said_before_it_came() -> None:
    calls: list[object] = [
        {"type": "function_call", "call_id": f"c{n}", "name": "f", "arguments": "{}"}
        for n in range(2)
    ]
    results: list[object] = [
        {"type": "function_call_output", "call_id": f"c{n}", "output": str(n)} for n in range(2)
    ]
    said: object = {"role": "user", "content": "Hurry!"}
    messages = chat_messages(None, canonical_input([*calls, said, *results]))
    assert [(message["role"], message["content"]) for message in messages] == [
        *(("assistant", ""), ("tool", "0"), ("tool", "1"), ("user", "Hurry!")),
    ]
