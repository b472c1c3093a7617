"""Commands: what a client may say, and the field that each refusal names."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from tokenwire.errors import (
    InvalidJson,
    InvalidRequest,
    InvalidStreamId,
    TokenwireError,
    UnknownEventType,
    UnsupportedParameter,
)
from tokenwire.wire.checked import MOST_DEPTH, decode_object
from tokenwire.wire.commands import (
    Attach,
    Cancel,
    Create,
    Detach,
    Ignored,
    Ping,
    Refused,
    parse_create,
    parse_frame,
    read_refused,
)


def frame(**fields: object) -> str:
    return json.dumps(fields)


def create(**fields: object) -> Create:
    return parse_create({"input": "Hi", **fields})


F: dict[str, object] = {"type": "function", "name": "f"}


REFUSED_FIELDS: list[tuple[dict[str, object], type[TokenwireError], str]] = [
    ({"input": 5}, InvalidRequest, "input"),
    ({"input": None}, InvalidRequest, "input"),
    ({"input": []}, InvalidRequest, "input"),
    ({"model": 5}, InvalidRequest, "model"),
    ({"instructions": ["x"]}, InvalidRequest, "instructions"),
    ({"previous_response_id": 5}, InvalidRequest, "previous_response_id"),
    ({"conversation": 5}, InvalidRequest, "conversation"),
    ({"conversation": {}}, InvalidRequest, "conversation"),
    ({"conversation": {"id": 5}}, InvalidRequest, "conversation.id"),
    ({"store": "yes"}, InvalidRequest, "store"),
    ({"stream": 1}, InvalidRequest, "stream"),
    ({"background": "no"}, InvalidRequest, "background"),
    ({"background": True, "store": False}, InvalidRequest, "background"),
    ({"stream_id": ""}, InvalidStreamId, "stream_id"),
    ({"stream_id": "a b"}, InvalidStreamId, "stream_id"),
    ({"stream_id": "a\n"}, InvalidStreamId, "stream_id"),
    ({"stream_id": "x" * 257}, InvalidStreamId, "stream_id"),
    ({"stream_id": 5}, InvalidStreamId, "stream_id"),
    ({"temperature": -0.1}, InvalidRequest, "temperature"),
    ({"temperature": 2.1}, InvalidRequest, "temperature"),
    ({"temperature": True}, InvalidRequest, "temperature"),
    ({"temperature": "1"}, InvalidRequest, "temperature"),
    ({"top_p": 0}, InvalidRequest, "top_p"),
    ({"top_p": 1.1}, InvalidRequest, "top_p"),
    ({"top_k": -2}, InvalidRequest, "top_k"),
    ({"top_k": 1.5}, InvalidRequest, "top_k"),
    ({"min_p": 1.1}, InvalidRequest, "min_p"),
    ({"seed": 2**63}, InvalidRequest, "seed"),
    ({"stop": ["x"] * 17}, InvalidRequest, "stop"),
    ({"stop": ["x", 5]}, InvalidRequest, "stop[1]"),
    ({"stop": ""}, InvalidRequest, "stop"),
    ({"stop": ["x", ""]}, InvalidRequest, "stop"),
    ({"stop": "x" * 513}, InvalidRequest, "stop"),
    ({"stop_token_ids": [-1]}, InvalidRequest, "stop_token_ids[0]"),
    ({"ignore_eos": "no"}, InvalidRequest, "ignore_eos"),
    ({"min_tokens": -1}, InvalidRequest, "min_tokens"),
    ({"min_tokens": 6, "max_output_tokens": 5}, InvalidRequest, "min_tokens"),
    ({"repetition_penalty": 0}, InvalidRequest, "repetition_penalty"),
    ({"presence_penalty": 2.5}, InvalidRequest, "presence_penalty"),
    ({"frequency_penalty": -2.5}, InvalidRequest, "frequency_penalty"),
    ({"logit_bias": {"x": 1}}, InvalidRequest, "logit_bias"),
    ({"logit_bias": {"²": 1}}, InvalidRequest, "logit_bias"),
    ({"logit_bias": {"-5": 1}}, InvalidRequest, "logit_bias"),
    ({"logit_bias": {"9" * 5000: 1}}, InvalidRequest, "logit_bias"),
    ({"logit_bias": {"5": 101}}, InvalidRequest, "logit_bias[...]"),
    ({"skip_special_tokens": 1}, InvalidRequest, "skip_special_tokens"),
    ({"priority": 2**31}, InvalidRequest, "priority"),
    ({"max_output_tokens": 0}, InvalidRequest, "max_output_tokens"),
    ({"max_output_tokens": 2**31}, InvalidRequest, "max_output_tokens"),
    ({"metadata": {"a": 1}}, InvalidRequest, "metadata[...]"),
    ({"metadata": {"k" * 65: "v"}}, InvalidRequest, "metadata"),
    ({"metadata": {"k": "v" * 513}}, InvalidRequest, "metadata[...]"),
    ({"metadata": {str(n): "" for n in range(17)}}, InvalidRequest, "metadata"),
    ({"truncation": "some"}, InvalidRequest, "truncation"),
    ({"top_logprobs": 21}, InvalidRequest, "top_logprobs"),
    ({"text": "json"}, InvalidRequest, "text"),
    ({"reasoning": "much"}, InvalidRequest, "reasoning"),
    ({"tools": [1]}, InvalidRequest, "tools[0]"),
    ({"user": "u" * 513}, InvalidRequest, "user"),
    ({"tokenwire": []}, InvalidRequest, "tokenwire"),
    ({"tokenwire": {"idempotency_key": ""}}, InvalidRequest, "tokenwire.idempotency_key"),
    ({"tokenwire": {"idempotency_key": "k" * 257}}, InvalidRequest, "tokenwire.idempotency_key"),
    ({"tools": [{"type": "web_search"}]}, UnsupportedParameter, "tools[0].type"),
    ({"tools": [{"type": "function"}]}, InvalidRequest, "tools[0].name"),
    ({"tools": [{"type": "function", "name": "a b"}]}, InvalidRequest, "tools[0].name"),
    ({"tools": [F, F]}, InvalidRequest, "tools[1].name"),
    ({"tools": [F | {"name": f"f{n}"} for n in range(129)]}, InvalidRequest, "tools"),
    ({"tools": [F | {"parameters": 1}]}, InvalidRequest, "tools[0].parameters"),
    ({"tools": [F], "tool_choice": "sometimes"}, InvalidRequest, "tool_choice"),
    ({"tool_choice": "required"}, InvalidRequest, "tool_choice"),
    ({"tools": [F], "tool_choice": 5}, InvalidRequest, "tool_choice"),
    ({"tools": [F], "tool_choice": F | {"name": "g"}}, InvalidRequest, "tool_choice"),
    ({"tool_choice": {"type": "mcp"}}, UnsupportedParameter, "tool_choice.type"),
    ({"text": {"format": {"type": "json_schema"}}}, InvalidRequest, "text.format.schema"),
    ({"text": {"format": "json"}}, InvalidRequest, "text.format"),
    ({"text": {"format": {"type": "xml"}}}, UnsupportedParameter, "text.format.type"),
    ({"reasoning": {"effort": "some"}}, InvalidRequest, "reasoning.effort"),
    ({"chat_template_kwargs": {"tools": 1}}, InvalidRequest, "chat_template_kwargs.tools"),
    ({"chat_template_kwargs": {"a": []}}, InvalidRequest, "chat_template_kwargs[...]"),
]


@pytest.mark.parametrize(("fields", "kind", "param"), REFUSED_FIELDS)
def test_a_field_that_is_wrong_is_refused_by_its_name(
    fields: dict[str, object], kind: type[TokenwireError], param: str
) -> None:
    with pytest.raises(kind) as caught:
        create(**fields)

    assert caught.value.param == param
    assert caught.value.ending.status == 400


def test_a_create_needs_an_input() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_create({"model": "m"})

    assert caught.value.param == "input"


@pytest.mark.parametrize(
    "fields",
    [
        {"generate": False},
        {"generate": False, "input": []},
        {"prompt_cache_options": {"prewarm": True}},
        {"previous_response_id": "resp_1"},
        {"previous_response_id": "resp_1", "input": []},
    ],
)
def test_where_there_is_something_to_read_without_it_an_input_may_be_left_out(
    fields: dict[str, object],
) -> None:
    made = parse_create(fields)

    assert made.items == []
    assert (made.generate is False) == ("previous_response_id" not in fields)


def test_an_empty_text_is_an_input() -> None:
    assert len(parse_create({"generate": False, "input": ""}).items) == 1


def test_prewarming_goes_before_generate() -> None:
    made = create(generate=True, prompt_cache_options={"prewarm": True, "mode": "new"})

    assert made.generate is False


def test_fields_that_nobody_knows_are_tolerated() -> None:
    made = create(include=["x"], moderation={}, prompt_cache_retention="24h", tokenwire={"new": 1})

    assert made.parent_id is None


def test_every_field_that_is_null_means_that_it_was_left_out() -> None:
    names = [name for name in Create.__struct_fields__ if name != "input"]

    made = create(**dict.fromkeys(names))

    assert made.model is None
    assert made.stops == ()


def test_an_absent_parent_differs_from_an_explicit_null() -> None:
    assert create().previous_response_id is UNSET
    assert create(previous_response_id=None).previous_response_id is None
    assert create(previous_response_id="resp_1").previous_response_id == "resp_1"


@pytest.mark.parametrize("parent", [None, ""])
def test_a_parent_that_is_null_or_empty_names_none(parent: str | None) -> None:
    assert create(previous_response_id=parent).parent_id is None


@pytest.mark.parametrize("conversation", ["conv_1", {"id": "conv_1"}])
def test_a_conversation_is_named_as_a_string_or_as_an_object(conversation: object) -> None:
    assert create(conversation=conversation).conversation_id == "conv_1"


@pytest.mark.parametrize(("stop", "stops"), [("a", ("a",)), (["a", "b"], ("a", "b")), ([], ())])
def test_stop_is_one_string_or_several(stop: object, stops: tuple[str, ...]) -> None:
    assert create(stop=stop).stops == stops


def test_the_idempotency_key_is_a_field_of_ours() -> None:
    assert create(tokenwire={"idempotency_key": "k"}).idempotency_key == "k"
    assert create(tokenwire={}).idempotency_key is None


def test_the_input_of_a_create_is_canonical() -> None:
    assert create().items == [
        {
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_text", "text": "Hi"}],
        }
    ]


@pytest.mark.parametrize("text", ["stop", "{", "", "nul", '{"a":NaN}', '"\\ud800"', '{"a":1}x'])
def test_a_frame_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidJson):
        parse_frame(text, extension=True)


@pytest.mark.parametrize("text", ["[]", "5", "null", '"response.create"'])
def test_a_frame_that_is_not_an_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidJson):
        parse_frame(text, extension=True)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_that_is_nested_too_deeply_is_refused(opening: str) -> None:
    with pytest.raises(InvalidJson):
        parse_frame(opening * 100_000, extension=True)


@pytest.mark.parametrize("text", ['{"a":[%s]}', '{"a":[{"type":{}},%s,1]}'])
def test_json_is_taken_as_long_as_it_is_not_nested_too_deeply(text: str) -> None:
    def nested(depth: int) -> str:
        return text % ("[" * depth + "]" * depth)

    assert decode_object(nested(MOST_DEPTH - 2))
    assert decode_object(nested(MOST_DEPTH - 2).encode())
    for depth in range(MOST_DEPTH - 1, 1000, 30):
        with pytest.raises(InvalidJson):
            decode_object(nested(depth))
        with pytest.raises(InvalidJson):
            decode_object(nested(depth).encode())


def test_json_of_many_brackets_need_not_be_deep() -> None:
    assert decode_object(f'{{"a": [{"[],{}," * 1000} 1], "b": "{"[" * 1000}"}}')


@pytest.mark.parametrize("kind", ["response.inject", "nonsense", None, 5, ["response.create"]])
def test_a_type_that_is_not_spoken_is_refused(kind: object) -> None:
    with pytest.raises(UnknownEventType) as caught:
        parse_frame(frame(type=kind), extension=True)

    assert caught.value.param == "type"


def test_a_type_of_megabytes_is_not_echoed_whole() -> None:
    with pytest.raises(UnknownEventType) as caught:
        parse_frame(frame(type="x" * 1_000_000), extension=True)

    assert len(caught.value.message) <= 1000


EXTENSIONS: list[tuple[dict[str, object], type[object]]] = [
    ({"type": "tokenwire:response.attach", "response_id": "resp_1"}, Attach),
    ({"type": "tokenwire:response.detach"}, Detach),
    ({"type": "tokenwire:ping", "t": 5}, Ping),
    ({"type": "tokenwire:pong"}, Ignored),
]


@pytest.mark.parametrize(("fields", "kind"), EXTENSIONS)
def test_our_own_events_are_spoken_only_where_they_were_negotiated(
    fields: dict[str, object], kind: type[object]
) -> None:
    assert isinstance(parse_frame(frame(**fields), extension=True), kind)
    with pytest.raises(UnknownEventType):
        parse_frame(frame(**fields), extension=False)


def test_the_standard_events_are_spoken_everywhere() -> None:
    for extension in (True, False):
        made = parse_frame(frame(type="response.create", input="Hi"), extension=extension)
        assert isinstance(made, Create)
        made = parse_frame(frame(type="response.cancel"), extension=extension)
        assert made == Cancel()
        made = parse_frame(frame(type="response.processed", response_id="r"), extension=extension)
        assert made == Ignored()


REFUSED_EVENTS: list[tuple[dict[str, object], type[TokenwireError], str]] = [
    ({"type": "response.cancel", "response_id": 5}, InvalidRequest, "response_id"),
    ({"type": "response.cancel", "stream_id": "ä"}, InvalidStreamId, "stream_id"),
    ({"type": "tokenwire:response.attach"}, InvalidRequest, "response_id"),
    (
        {"type": "tokenwire:response.attach", "response_id": "r", "starting_after": -2},
        InvalidRequest,
        "starting_after",
    ),
    (
        {"type": "tokenwire:response.attach", "response_id": "r", "stream_id": ""},
        InvalidStreamId,
        "stream_id",
    ),
    ({"type": "tokenwire:ping", "t": {}}, InvalidRequest, "t"),
    ({"type": "tokenwire:ping", "t": "x" * 513}, InvalidRequest, "t"),
]


@pytest.mark.parametrize(("fields", "kind", "param"), REFUSED_EVENTS)
def test_an_event_that_is_wrong_is_refused_by_the_name_of_its_field(
    fields: dict[str, object], kind: type[TokenwireError], param: str
) -> None:
    with pytest.raises(kind) as caught:
        parse_frame(frame(**fields), extension=True)

    assert caught.value.param == param


def test_an_attach_without_a_position_reads_from_the_beginning() -> None:
    made = parse_frame(
        frame(type="tokenwire:response.attach", response_id="resp_1"), extension=True
    )

    assert isinstance(made, Attach)
    assert made.starting_after == -1


def test_a_refused_frame_tells_its_lane_and_its_parent_where_they_are_usable() -> None:
    text = frame(type="response.create", stream_id="a b", previous_response_id="resp_1")

    assert read_refused(text) == Refused("a b", "resp_1")
    assert read_refused(frame(stream_id="x" * 1000)) == Refused()
    assert read_refused(frame(stream_id=5, previous_response_id="resp_1")) == Refused()
    assert read_refused("{") == Refused()


@settings(deadline=None, max_examples=200)
@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_whatever_a_client_sends_it_is_understood_or_refused(value: object) -> None:
    texts = [value if isinstance(value, str) else json.dumps(value)]
    texts += [frame(type="response.create", input=value), frame(type=value)]
    for text in texts:
        # Any other exception fails the test.
        with suppress(TokenwireError):
            parse_frame(text, extension=True)
