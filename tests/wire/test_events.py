"""Events: their order and numbers, the resource in them, what the official client makes of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response as SdkResponse
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tokenwire.wire.commands import parse_create
from tokenwire.wire.events import (
    TERMINAL,
    Event,
    Response,
    new_response,
    usage,
)
from tokenwire.wire.kept import kept_events, stored_event
from tokenwire.wire.narrator import Narrator


SDK_EVENT: TypeAdapter[object] = TypeAdapter(ResponseStreamEvent)
REQUIRED = {
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "incomplete_details",
    "model",
    "previous_response_id",
    "instructions",
    "output",
    "error",
    "tools",
    "tool_choice",
    "truncation",
    "parallel_tool_calls",
    "text",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "top_logprobs",
    "temperature",
    "reasoning",
    "usage",
    "max_output_tokens",
    "max_tool_calls",
    "store",
    "background",
    "service_tier",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
}
FUNCTION = {
    "type": "function",
    "name": "f",
    "description": None,
    "parameters": {"type": "object"},
    "strict": True,
}
HARD = 'quo"te \\ slash\n\t\x00\x1f </script> é 日本 👩‍👩‍👧 \u2028'


def response(**fields: object) -> Response:
    return new_response(
        parse_create({"input": "Hi", **fields}),
        response_id="resp_1",
        model="m",
        created_at=1_800_000_000,
        store=True,
    )


def narrator() -> Narrator:
    return Narrator(response(), "msg_1")


def whole_answer(told: Narrator, *deltas: str) -> list[Event]:
    """All events of a complete answer."""
    events = [told.lifecycle("created"), told.lifecycle("in_progress")]
    for delta in deltas:
        events += told.text(delta)
    events += told.closing("completed")
    told.response.status = "completed"
    told.response.completed_at = 1_800_000_001
    told.response.usage = usage(5, 3, 2)
    return [*events, told.lifecycle("completed")]


def bodies(events: list[Event]) -> list[dict[str, object]]:
    return [json.loads(event.json) for event in events]


def test_a_text_response_is_told_in_the_order_of_the_protocol() -> None:
    events = whole_answer(narrator(), "Hel", "lo")

    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_the_numbers_of_the_events_are_gapless_from_0() -> None:
    told = narrator()

    events = whole_answer(told, "a", "b", "c")

    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [body["sequence_number"] for body in bodies(events)] == list(range(len(events)))
    assert told.last_sequence_number == len(events) - 1


def test_each_event_names_its_type_in_its_json() -> None:
    events = whole_answer(narrator(), "a")

    assert [body["type"] for body in bodies(events)] == [event.type for event in events]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(min_size=1), min_size=1))
def test_whatever_the_text_is_the_json_says_it_exactly(deltas: list[str]) -> None:
    events = whole_answer(narrator(), *deltas)

    told = [
        str(body["delta"]) for body in bodies(events) if "delta" in str(body["type"]).split(".")[-1]
    ]
    done = next(body for body in bodies(events) if body["type"] == "response.output_text.done")
    assert told == deltas
    assert done["text"] == "".join(deltas)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(min_size=1), min_size=1))
def test_what_is_kept_of_events_makes_the_same_events_again(deltas: list[str]) -> None:
    events = whole_answer(narrator(), *deltas)

    for count in (len(events), len(events) - 1, 4, 1):
        assert kept_events([event.kept for event in events[:count]]) == events[:count]
        # As versions before this one kept them.
        assert kept_events([event.json for event in events[:count]]) == events[:count]


def test_little_is_kept_of_a_delta() -> None:
    event = narrator().text("word")[-1]

    assert len(event.kept) == len("word") + 1


def test_an_event_carries_its_delta_beside_its_json() -> None:
    event = narrator().text(HARD)[-1]

    assert event.delta == HARD
    assert json.loads(event.json)["delta"] == HARD


def test_a_stream_id_is_added_only_for_a_lane_that_has_one() -> None:
    for event in whole_answer(narrator(), HARD):
        plain = json.loads(event.on_lane(None))
        named = json.loads(event.on_lane("lane_1.a-b"))
        assert "stream_id" not in plain
        assert named == {**plain, "stream_id": "lane_1.a-b"}


def test_the_official_client_reads_every_event() -> None:
    told = narrator()
    events = [told.lifecycle("created"), told.lifecycle("queued", {"queue": {"position": 1}})]
    told = narrator()
    events += whole_answer(told, HARD, "b")
    for event in events:
        parsed = SDK_EVENT.validate_json(event.json, strict=False)
        assert getattr(parsed, "type", None) == event.type


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed", "cancelled"])
def test_the_official_client_reads_the_resource_at_every_end(status: str) -> None:
    told = narrator()
    whole_answer(told, "Hi")
    resource = told.response
    resource.status = status  # pyright: ignore[reportAttributeAccessIssue]
    if status == "failed":
        resource.error = {"code": "server_error", "message": "It failed."}
    if status == "incomplete":
        resource.incomplete_details = {"reason": "max_output_tokens"}

    parsed = SdkResponse.model_validate(resource.to_json())

    assert parsed.status == status
    assert parsed.output_text == "Hi"
    assert parsed.usage is not None
    assert parsed.usage.input_tokens_details.cached_tokens == 2
    assert parsed.usage.total_tokens == 8


def test_a_new_resource_has_every_field_that_the_schema_requires() -> None:
    resource = response().to_json()

    assert REQUIRED - set(resource) == set()
    assert isinstance(resource["created_at"], int)
    assert resource["status"] == "in_progress"
    assert resource["output"] == []


def test_the_resource_in_an_event_has_every_field_that_the_schema_requires() -> None:
    for event in whole_answer(narrator(), "Hi"):
        resource = json.loads(event.json).get("response")
        if resource is not None:
            assert REQUIRED - set(resource) == set()


def test_a_resource_echoes_what_was_asked() -> None:
    asked: dict[str, object] = {
        "instructions": "Be kind.",
        "max_output_tokens": 5,
        "metadata": {"a": "b"},
        "temperature": 0.5,
        "top_p": 0.9,
        "presence_penalty": 1.0,
        "frequency_penalty": -1.0,
        "truncation": "auto",
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "parallel_tool_calls": False,
        "max_tool_calls": 3,
        "background": True,
        "previous_response_id": "resp_0",
        "reasoning": {"effort": "low", "summary": None},
        "tools": [FUNCTION],
        "tool_choice": {"type": "function", "name": "f"},
        "top_logprobs": 3,
    }
    resource = response(**asked).to_json()

    assert {name: resource[name] for name in asked} == asked
    assert response(conversation="conv_1").conversation == {"id": "conv_1"}


def test_text_that_was_asked_for_without_a_format_is_echoed_with_one() -> None:
    assert response(text={"verbosity": "low"}).text == {
        "format": {"type": "text"},
        "verbosity": "low",
    }


def test_extra_fields_of_one_event_are_not_kept_for_the_next() -> None:
    told = narrator()

    queued = json.loads(told.lifecycle("queued", {"queue": {"position": 2, "length": 3}}).json)
    after = json.loads(told.lifecycle("in_progress").json)

    assert queued["response"]["tokenwire"] == {"queue": {"position": 2, "length": 3}}
    assert after["response"]["tokenwire"] == {}


def test_a_complete_answer_without_a_word_still_has_its_empty_message() -> None:
    told = narrator()
    events = whole_answer(told)

    assert [event.type for event in events][2:4] == [
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert told.response.output[0]["status"] == "completed"


def test_an_answer_that_was_cut_before_its_first_word_has_no_message() -> None:
    told = narrator()

    assert told.closing("incomplete") == []
    assert told.response.output == []


def test_an_answer_that_was_cut_keeps_what_was_said() -> None:
    told = narrator()
    told.text("Hel")
    events = told.closing("incomplete")

    assert [event.type for event in events] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
    ]
    assert told.response.output[0]["status"] == "incomplete"


def test_the_newest_event_can_be_taken_back_and_told_otherwise() -> None:
    told = narrator()
    created = told.lifecycle("created")
    told.undo(created)

    assert told.lifecycle("created").sequence_number == created.sequence_number


def test_an_event_that_is_not_the_newest_stays() -> None:
    told = narrator()
    first = told.lifecycle("created")
    told.lifecycle("in_progress")

    with pytest.raises(AssertionError):
        told.undo(first)


def test_an_event_that_was_stored_comes_back_as_it_was() -> None:
    events = whole_answer(narrator(), HARD, "b")

    assert [stored_event(event.json) for event in events] == events


def test_only_the_last_event_is_terminal() -> None:
    events = whole_answer(narrator(), "a")

    assert [event.is_terminal for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1].type in TERMINAL


def test_usage_adds_up() -> None:
    assert usage(5, 3, 2) == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 8,
    }
