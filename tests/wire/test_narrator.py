"""An answer of several items, told: thoughts, words and calls in the order of the protocol, and the
same again from what was kept of it.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response as SdkResponse
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tokenwire.wire.commands import parse_create
from tokenwire.wire.events import Event, new_response
from tokenwire.wire.kept import kept_events, snapshot, stored_event
from tokenwire.wire.narrator import Narrator, told_items


SDK_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
LIKELY: dict[str, object] = {
    "token": "a",
    "logprob": -0.5,
    "bytes": [97],
    "top_logprobs": list[object](),
}


def narrator(said: list[Event] | None = None) -> Narrator:
    create = parse_create({"input": "Hi"})
    response = new_response(create, response_id="resp_1", model="m", created_at=1, store=True)
    return Narrator(response, "msg_1", said or [])


def answer() -> tuple[Narrator, list[Event]]:
    """Thinks, speaks, calls two functions."""
    told = narrator()
    events = [told.lifecycle("created"), told.lifecycle("in_progress")]
    events += told.reasoning("Hm") + told.reasoning("m.")
    events += told.text("I look") + told.text("a", [LIKELY]) + told.text(".")
    events += told.call(0, "call_a", "find", '{"x":') + told.call(0, "", "", "1}")
    events += told.call(1, "call_b", "find", "")
    events += told.closing("completed")
    told.response.status = "completed"
    return told, [*events, told.lifecycle("completed")]


def test_where_a_thought_ends_it_is_told_how_long_it_took() -> None:
    told = narrator()
    told.reasoning("Hm")
    told.reasoning_ms = 8000
    done = [json.loads(event.json) for event in told.text("So")][2]
    assert done["type"] == "response.output_item.done"
    assert done["tokenwire"] == {"timing": {"reasoning_ms": 8000}}
    # Of a thought alone, and only where it is known.
    told.reasoning_ms = None
    later = [json.loads(event.json) for event in told.reasoning("Hm") + told.text("So")]
    assert [event for event in later if "tokenwire" in event] == []


def test_items_follow_one_another_each_closed_before_the_next() -> None:
    told, events = answer()

    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        *("output_item.added", "content_part.added"),
        *("reasoning_text.delta", "reasoning_text.delta", "reasoning_text.done"),
        *("content_part.done", "output_item.done"),
        *("output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta", "output_text.delta", "output_text.done"),
        *("content_part.done", "output_item.done"),
        "output_item.added",
        *("function_call_arguments.delta", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.done", "output_item.done"),
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [(item["type"], item["id"], item["status"]) for item in told.response.output]
    assert kinds == [
        ("reasoning", "rs_1_0", "completed"),
        ("message", "msg_1", "completed"),
        ("function_call", "fc_1_2", "completed"),
        ("function_call", "fc_1_3", "completed"),
    ]
    called = told.response.output[2]
    assert (called["name"], called["call_id"], called["arguments"]) == ("find", "call_a", '{"x":1}')


def test_the_official_client_gathers_the_same_items() -> None:
    told, events = answer()
    state: Any = ResponseStreamState(input_tools=[], text_format=omit)
    for event in events:
        parsed = SDK_EVENT.validate_json(event.json)
        assert parsed.type == event.type
        state.handle_event(parsed)

    whole = state._completed_response
    assert [item.type for item in whole.output] == [item["type"] for item in told.response.output]
    assert whole.output_text == "I looka."
    assert SdkResponse.model_validate(told.response.to_json()).output_text == "I looka."


def test_likelihoods_are_in_the_delta_and_in_the_message() -> None:
    told, events = answer()
    deltas = [json.loads(event.json) for event in events if event.delta]

    assert [delta["logprobs"] for delta in deltas] == [[], [LIKELY], []]
    (part,) = told.response.output[1]["content"]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
    assert part["logprobs"] == [LIKELY]


def test_what_was_kept_and_what_was_stored_come_back_byte_for_byte() -> None:
    _, events = answer()

    assert kept_events([event.kept for event in events]) == events
    assert [stored_event(event.json) for event in events] == events


@given(st.integers(0, 26))
def test_an_answer_goes_on_from_any_event_as_if_nothing_had_happened(cut: int) -> None:
    told, events = answer()
    again = narrator(events[:cut])

    assert told_items(events[:cut]) == again.items
    assert again.last_sequence_number == len(events[:cut]) - 1
    assert all(item in told.items for item in again.items if not item.open)


def test_calls_of_custom_tools_and_of_namespaces_are_told_as_what_they_are() -> None:
    patch = {"type": "custom", "name": "patch"}
    space = {"type": "namespace", "name": "web", "tools": [{"type": "function", "name": "find"}]}
    create = parse_create({"input": "Hi", "tools": [patch, space]})
    response = new_response(create, response_id="resp_1", model="m", created_at=1, store=True)
    told = Narrator(response, "msg_1")
    events = [told.lifecycle("created")]
    events += told.call(0, "call_a", "patch", "*** Be") + told.call(0, "", "", "gin")
    events += told.call(1, "call_b", "web__find", "{}") + told.call(2, "call_c", "unknown", "{}")
    begun = told_items(events)
    events += told.closing("completed")

    assert [event.type.removeprefix("response.") for event in events[1:6]] == [
        "output_item.added",
        *("custom_tool_call_input.delta", "custom_tool_call_input.delta"),
        *("custom_tool_call_input.done", "output_item.done"),
    ]
    custom, spaced, unknown = response.output
    assert custom == {
        "id": "ctc_1_0",
        "type": "custom_tool_call",
        "status": "completed",
        "call_id": "call_a",
        "name": "patch",
        "input": "*** Begin",
    }
    assert (spaced["type"], spaced["namespace"], spaced["name"]) == ("function_call", "web", "find")
    assert (unknown["name"], "namespace" in unknown) == ("unknown", False)
    for event in events:
        SDK_EVENT.validate_json(event.json, strict=False)
    # What was told can be read again, and gone on with.
    assert [one.item() for one in begun] == [custom, spaced, unknown | {"status": "in_progress"}]


def test_an_answer_that_is_cut_in_a_call_has_it_incomplete() -> None:
    told = narrator()
    told.text("So")
    told.call(0, "call_a", "find", '{"x"')
    told.closing("incomplete")

    statuses = [(item["type"], item["status"]) for item in told.response.output]
    assert statuses == [("message", "completed"), ("function_call", "incomplete")]
    assert told.response.output[1]["arguments"] == '{"x"'


def test_a_snapshot_joins_the_text_of_each_message_and_leaves_the_calls_where_they_are() -> None:
    told = narrator()
    events = [told.lifecycle("created"), *told.text("a"), told.lifecycle("in_progress")]
    events += [*told.text("b"), *told.call(0, "call_a", "find", "{}"), *told.text("c")]
    events += [*told.text("d"), told.lifecycle("in_progress")]
    joined = snapshot(events)

    assert [event.delta for event in joined if event.delta] == ["ab", "cd"]
    numbers = [event.sequence_number for event in joined]
    assert numbers == sorted(numbers)
    assert numbers[-1] == events[-1].sequence_number
    calls = "response.function_call_arguments.delta"
    assert [event.type for event in joined].count(calls) == 1
