"""Chat Completions: requests as creates, events as chunks that the official client reads."""

from __future__ import annotations

import json

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tokenwire.errors import InvalidRequest, TokenwireError, UnsupportedParameter
from tokenwire.wire.chat_completions import Chunks, completion, parse_chat
from tokenwire.wire.commands import Create
from tokenwire.wire.events import Event, Response, new_response, usage
from tokenwire.wire.narrator import Narrator


MESSAGES: list[object] = [{"role": "user", "content": "Hi"}]


def create_of(**fields: object) -> Create:
    """The one create of a chat request."""
    _, (create,) = parse_chat({"messages": MESSAGES, **fields})
    return create


def told(*deltas: str, ending: str = "completed") -> tuple[Response, list[Event]]:
    """A response and all its events."""
    create = create_of()
    response = new_response(
        create, response_id="resp_1", model="m", created_at=1_800_000_000, store=False
    )
    narrator = Narrator(response, "msg_1")
    events = [narrator.lifecycle("created"), narrator.lifecycle("in_progress")]
    for delta in deltas:
        events += narrator.text(delta)
    events += narrator.closing("completed" if ending == "completed" else "incomplete")
    response.status = ending  # pyright: ignore[reportAttributeAccessIssue]
    response.usage = usage(5, 3, 2)
    if ending == "failed":
        response.error = {"code": "engine_error", "message": "It died."}
    return response, [*events, narrator.lifecycle(ending)]


def chunked(*deltas: str, ending: str = "completed", include_usage: bool = False) -> list[str]:
    response, events = told(*deltas, ending=ending)
    chunks = Chunks(response, id="chatcmpl-1", index=0, include_usage=include_usage)
    made = [chunk.decode() for event in events for chunk in chunks.feed(event)]
    return [*made, *(chunk.decode() for chunk in chunks.usage([response]))]


def test_a_chat_request_is_a_create_that_is_not_stored() -> None:
    chat, (create,) = parse_chat(
        {"messages": MESSAGES, "model": "m", "max_tokens": 5, "temperature": 0.5, "stop": "x"}
    )

    assert not chat.include_usage
    assert (create.model, create.max_output_tokens, create.store) == ("m", 5, False)
    assert (create.temperature, create.stops) == (0.5, ("x",))
    assert create.items[0]["role"] == "user"


def test_a_chat_request_is_stored_when_it_says_so() -> None:
    create = create_of(store=True, metadata={"a": "b"})

    assert create.store is True
    assert create.metadata == {"a": "b"}


def test_the_newer_name_of_the_length_limit_wins() -> None:
    create = create_of(max_tokens=5, max_completion_tokens=7)

    assert create.max_output_tokens == 7


def test_fields_that_nobody_knows_are_tolerated() -> None:
    parse_chat({"messages": MESSAGES, "frobnicate": 1, "stream_options": {"new": 1}})


@pytest.mark.parametrize(
    "fields",
    [{"top_logprobs": 0}, {"logprobs": False, "top_logprobs": 0}, {"reasoning_effort": "max"}],
)
def test_what_asks_for_nothing_strange_is_taken(fields: dict[str, object]) -> None:
    create_of(**fields)


@pytest.mark.parametrize("content", [None, "", []])
def test_an_assistant_may_have_said_nothing(content: object) -> None:
    said: dict[str, object] = {"role": "assistant", "content": content}
    create = create_of(messages=[*MESSAGES, said, *MESSAGES])

    assert [item["role"] for item in create.items] == ["user", "assistant", "user"]


REFUSALS: list[tuple[dict[str, object], type[TokenwireError], str]] = [
    ({"messages": []}, InvalidRequest, "messages"),
    ({"messages": "Hi"}, InvalidRequest, "messages"),
    ({"messages": [{"role": "robot", "content": "x"}]}, InvalidRequest, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, InvalidRequest, "messages[0].content"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        UnsupportedParameter,
        "messages[0].content[0].type",
    ),
    ({"temperature": 3}, InvalidRequest, "temperature"),
    ({"max_tokens": 0}, InvalidRequest, "max_tokens"),
    ({"max_completion_tokens": "5"}, InvalidRequest, "max_completion_tokens"),
    ({"n": 0}, InvalidRequest, "n"),
    ({"n": 17}, InvalidRequest, "n"),
    ({"top_logprobs": 2}, InvalidRequest, "top_logprobs"),
    ({"tools": [{"type": "function", "function": {}}]}, InvalidRequest, "tools[0].function.name"),
    (
        {"tools": [{"type": "custom", "custom": {"name": "a"}}]},
        UnsupportedParameter,
        "tools[0].type",
    ),
    ({"response_format": {"type": "xml"}}, UnsupportedParameter, "response_format.type"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
        InvalidRequest,
        "response_format.json_schema.schema",
    ),
    ({"continue_final_message": True}, InvalidRequest, "continue_final_message"),
    (
        {"messages": [{"role": "tool", "content": "x"}]},
        InvalidRequest,
        "messages[0].tool_call_id",
    ),
    (
        {"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]},
        InvalidRequest,
        "messages[0].tool_call_id",
    ),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]},
        InvalidRequest,
        "messages[0].tool_calls[0].function",
    ),
    ({"stream_options": 5}, InvalidRequest, "stream_options"),
    ({"stop": [""]}, InvalidRequest, "stop"),
    ({"logit_bias": {"x": 1}}, InvalidRequest, "logit_bias"),
]


@pytest.mark.parametrize(("fields", "kind", "param"), REFUSALS)
def test_a_field_that_is_wrong_is_refused_by_its_name(
    fields: dict[str, object], kind: type[TokenwireError], param: str
) -> None:
    with pytest.raises(kind) as caught:
        parse_chat({"messages": MESSAGES, **fields})

    assert caught.value.param == param


def test_a_chat_request_needs_messages() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_chat({"model": "m"})

    assert caught.value.param == "messages"


def test_the_official_client_reads_every_chunk() -> None:
    chunks = [ChatCompletionChunk.model_validate_json(text) for text in chunked('He"l', "lo 👋")]

    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == 'He"llo 👋'
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "stop"]
    assert {chunk.id for chunk in chunks} == {"chatcmpl-1"}


def test_usage_comes_in_a_chunk_of_its_own_where_it_was_asked_for() -> None:
    bodies = [json.loads(text) for text in chunked("Hi", include_usage=True)]

    assert [body["usage"] for body in bodies[:-1]] == [None] * (len(bodies) - 1)
    last = ChatCompletionChunk.model_validate(bodies[-1])
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 8
    assert last.usage.prompt_tokens_details is not None
    assert last.usage.prompt_tokens_details.cached_tokens == 2


def test_usage_is_not_mentioned_where_it_was_not_asked_for() -> None:
    assert all("usage" not in json.loads(text) for text in chunked("Hi"))


def test_an_answer_that_was_cut_off_ends_for_its_length() -> None:
    last = ChatCompletionChunk.model_validate_json(chunked("Hi", ending="incomplete")[-1])

    assert last.choices[0].finish_reason == "length"


def test_a_failure_in_the_stream_is_an_error_object() -> None:
    last = json.loads(chunked("Hi", ending="failed")[-1])

    assert last == {
        "error": {
            "message": "It died.",
            "type": "server_error",
            "code": "engine_error",
            "param": None,
        }
    }


def test_the_official_client_reads_a_whole_completion() -> None:
    response, _ = told("Hel", "lo")

    parsed = ChatCompletion.model_validate(completion([response]))

    assert parsed.choices[0].message.content == "Hello"
    assert parsed.choices[0].finish_reason == "stop"
    assert parsed.usage is not None
    assert (parsed.usage.prompt_tokens, parsed.usage.completion_tokens) == (5, 3)
