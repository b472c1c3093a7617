"""What a create that goes on with a cut answer may say, and what it takes from that."""

from __future__ import annotations

from typing import Any

import pytest

from tokenwire.errors import InvalidRequest
from tokenwire.wire.commands import Create, parse_create
from tokenwire.wire.continuing import merged


TOOL: dict[str, Any] = {"type": "function", "name": "find", "parameters": {"type": "object"}}
OLD: dict[str, Any] = {
    "input": "Hi",
    "instructions": "Be kind.",
    "temperature": 0.5,
    "stop": ["END"],
    "max_output_tokens": 5,
    "min_tokens": 4,
    "metadata": {"of": "the old one"},
    "tools": [TOOL],
    "tool_choice": "none",
    "text": {"format": {"type": "json_object"}},
    "reasoning": {"effort": "low"},
    "include": ["message.output_text.logprobs"],
    "truncation": "auto",
}


def going_on(**fields: Any) -> Create:
    own = fields.pop("tokenwire", {})
    return parse_create({"tokenwire": {"continues": "resp_1", **own}, **fields})


def both(resource: dict[str, object] | None = None, /, **fields: Any) -> Create:
    return merged(going_on(**fields), parse_create(OLD), resource or {}, least=2)


@pytest.mark.parametrize("input", [..., "", []])
def test_it_has_no_input_of_its_own(input: object) -> None:
    create = going_on() if input is ... else going_on(input=input)
    assert (create.items, create.continues) == ([], "resp_1")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": "More"}, "input"),
        ({"input": [{"role": "user", "content": "More"}]}, "input"),
        ({"generate": False}, "generate"),
        ({"prompt_cache_options": {"prewarm": True}}, "generate"),
        ({"tokenwire": {"continues": 1}}, "tokenwire.continues"),
        ({"tokenwire": {"continues": "x" * 513}}, "tokenwire.continues"),
    ],
)
def test_what_it_can_not_have_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        going_on(**fields)
    assert refused.value.param == param


def test_what_it_leaves_unsaid_is_that_of_the_older_one() -> None:
    old, made = parse_create(OLD), both()
    for name in OLD.keys() - {"input", "max_output_tokens", "min_tokens", "metadata"}:
        assert getattr(made, name) == getattr(old, name), name
    # Its own bound, and its own notes.
    assert (made.max_output_tokens, made.min_tokens, made.metadata) == (None, 2, None)


def test_what_it_says_goes_before_that() -> None:
    said: dict[str, Any] = {
        "instructions": "Be brief.",
        "temperature": 0.0,
        "stop": [],
        "min_tokens": 1,
        "max_output_tokens": 9,
        "truncation": "disabled",
        "metadata": {"of": "the new one"},
    }
    made = both(**said)
    assert {name: getattr(made, name) for name in said} == said


def test_it_stands_where_the_older_one_stands() -> None:
    resource: dict[str, object] = {
        "previous_response_id": "resp_0",
        "conversation": {"id": "conv_1"},
    }
    for fields in ({}, {"previous_response_id": "resp_0", "conversation": {"id": "conv_1"}}):
        made = both(resource, **fields)
        assert (made.parent_id, made.conversation_id) == ("resp_0", "conv_1")
    made = both({"previous_response_id": None, "conversation": None}, previous_response_id=None)
    assert (made.parent_id, made.conversation_id) == (None, None)


@pytest.mark.parametrize(
    ("resource", "fields", "param"),
    [
        ({}, {"previous_response_id": "resp_0"}, "previous_response_id"),
        (
            {"previous_response_id": "resp_0"},
            {"previous_response_id": None},
            "previous_response_id",
        ),
        ({}, {"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_2"}}, {"conversation": "conv_1"}, "conversation"),
        ({}, {"tools": []}, "tools"),
        ({}, {"tool_choice": "auto"}, "tool_choice"),
        ({}, {"text": {"format": {"type": "text"}}}, "text"),
        ({}, {"reasoning": {"effort": "high"}}, "reasoning"),
        ({}, {"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({}, {"continue_final_message": True}, "continue_final_message"),
        ({}, {"skip_special_tokens": False}, "skip_special_tokens"),
        ({}, {"chat_template_kwargs": {"a": 1}}, "chat_template_kwargs"),
        ({}, {"tokenwire": {"raw": True}}, "tokenwire.raw"),
    ],
)
def test_what_would_make_it_another_answer_is_refused_by_name(
    resource: dict[str, object], fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        both(resource, **fields)
    assert refused.value.param == param


def test_a_raw_prompt_stays_one() -> None:
    old = parse_create({"input": "Hi", "tokenwire": {"raw": True, "idempotency_key": "old"}})
    create = going_on(tokenwire={"idempotency_key": "new"})
    made = merged(create, old, {}, least=0)
    assert made.tokenwire is not None
    assert (made.tokenwire.raw, made.idempotency_key, made.continues) == (True, "new", "resp_1")
