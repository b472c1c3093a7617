"""Tools, thoughts, formats and likelihoods through the official Python SDK, the real engine and
vLLM's own parsers. The model is one that recites (support/reciter.py): what it says is known.
"""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest
from anthropic import Anthropic
from openai import BadRequestError, OpenAI
from openai.types.responses import Response

from support.reciter import AFTER, CALLS, SPOKEN, THOUGHT
from support.server import Server


pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
MODEL = "reciter"
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": SCHEMA,
}
TOOL: Any = {"type": "function", "strict": True, **WEATHER}
CHAT_TOOL: Any = {"type": "function", "function": WEATHER}
ASK: Any = {"model": MODEL, "input": "Weather?", "temperature": 0}
CHAT: Any = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Weather?"}],
    "temperature": 0,
}


@pytest.fixture(scope="module")
def client(reciter_server: Server) -> Generator[OpenAI, None, None]:
    """Of a server that has both models."""
    with OpenAI(base_url=f"{reciter_server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def kinds(answer: Response) -> list[str]:
    return [item.type for item in answer.output]


def thoughts(answer: Response) -> str:
    return "".join(
        part.text
        for item in answer.output
        if item.type == "reasoning"
        for part in item.content or []
    )


def calls(answer: Response) -> list[tuple[str, object]]:
    return [
        (item.name, json.loads(item.arguments))
        for item in answer.output
        if item.type == "function_call"
    ]


def test_an_answer_thinks_speaks_and_calls_and_goes_on_with_what_came_of_it(client: OpenAI) -> None:
    with client.responses.stream(**ASK, tools=[TOOL]) as stream:
        events = list(stream)
        answer = stream.get_final_response()
    assert kinds(answer) == ["reasoning", "message", "function_call", "function_call"]
    assert (thoughts(answer), answer.output_text, calls(answer)) == (THOUGHT, SPOKEN, CALLS)
    thought = "".join(e.delta for e in events if e.type == "response.reasoning_text.delta")
    assert thought == THOUGHT
    assert answer.usage is not None
    assert 0 < answer.usage.output_tokens_details.reasoning_tokens < answer.usage.output_tokens

    outputs: Any = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "sunny"}
        for item in answer.output
        if item.type == "function_call"
    ]
    after = client.responses.create(
        model=MODEL, previous_response_id=answer.id, input=outputs, tools=[TOOL], temperature=0
    )
    assert after.output_text == AFTER
    # Stored, and read again, it is the same; and so is its stream.
    stored = client.responses.retrieve(answer.id)
    assert kinds(stored) == kinds(answer)
    assert (thoughts(stored), stored.output_text, calls(stored)) == (THOUGHT, SPOKEN, CALLS)
    again = client.responses.retrieve(answer.id, stream=True)
    assert [e.type for e in again] == [e.type for e in events]


def test_what_came_of_a_call_that_nobody_made_is_refused(client: OpenAI) -> None:
    output: Any = [{"type": "function_call_output", "call_id": "call_x", "output": "sunny"}]
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model=MODEL, input=output)
    assert refused.value.param == "input[0].call_id"


def test_thinking_is_switched_off_where_the_template_has_a_switch(client: OpenAI) -> None:
    answer = client.responses.create(**ASK, reasoning={"effort": "none"}, max_output_tokens=6)
    assert (kinds(answer), answer.output_text) == (["message"], SPOKEN)
    switched: Any = {"chat_template_kwargs": {"enable_thinking": False}}
    answer = client.responses.create(**ASK, extra_body=switched, max_output_tokens=6)
    assert answer.output_text == SPOKEN


def test_one_call_at_a_time_where_it_was_asked_for(client: OpenAI) -> None:
    answer = client.responses.create(**ASK, tools=[TOOL], parallel_tool_calls=False)
    assert calls(answer) == CALLS[:1]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "get_weather"}])
def test_a_call_can_be_asked_for(client: OpenAI, choice: Any) -> None:
    answer = client.responses.create(
        **ASK, tools=[TOOL], tool_choice=choice, parallel_tool_calls=False, max_output_tokens=100
    )
    # What it has to say is held by a grammar, after its thoughts.
    assert kinds(answer) == ["reasoning", "function_call"]
    assert calls(answer)[0][1] in ({"city": "Paris"}, {"city": "Rome"})


def test_a_custom_tool_is_called_with_text_and_tools_of_other_servers_are_left_out(
    client: OpenAI,
) -> None:
    patch: Any = {"type": "custom", "name": "patch", "description": "Patches a file."}
    tools: Any = [patch, TOOL, {"type": "web_search"}]
    answer = client.responses.create(
        **ASK, tools=tools, tool_choice={"type": "custom", "name": "patch"}, max_output_tokens=60
    )
    assert kinds(answer) == ["reasoning", "custom_tool_call"]
    called = answer.output[1]
    assert called.type == "custom_tool_call"
    assert called.name == "patch"
    assert called.input
    assert "{" not in called.input
    assert [tool.type for tool in answer.tools] == ["custom", "function"]
    # What the model says by itself is the same as with the function alone.
    assert calls(client.responses.create(**ASK, tools=tools)) == CALLS


def test_no_call_where_none_is_wanted(client: OpenAI) -> None:
    answer = client.responses.create(**ASK, tools=[TOOL], tool_choice="none")
    assert kinds(answer) == ["reasoning", "message"]


def test_an_answer_follows_a_schema_after_its_thoughts(client: OpenAI) -> None:
    format: Any = {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}}
    answer = client.responses.create(**ASK, text=format, max_output_tokens=100)
    assert thoughts(answer) == THOUGHT
    assert json.loads(answer.output_text)["city"] in ("Paris", "Rome")


def test_the_demo_model_follows_a_schema_too(client: OpenAI) -> None:
    format: Any = {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}}
    answer = client.responses.create(model="tokenwire-demo", input="Rome or Paris?", text=format)
    assert json.loads(answer.output_text)["city"] in ("Paris", "Rome")


def test_a_model_that_can_not_call_says_so(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model="tokenwire-demo", input="Weather?", tools=[TOOL])
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "tools")


def test_how_likely_each_token_was(client: OpenAI) -> None:
    answer = client.responses.create(
        model="tokenwire-demo",
        input="Count to 5.",
        temperature=0,
        include=["message.output_text.logprobs"],
        top_logprobs=3,
    )
    (item,) = answer.output
    assert item.type == "message"
    part = item.content[0]
    assert part.type == "output_text"
    assert part.logprobs
    assert "".join(token.token for token in part.logprobs).startswith(answer.output_text)
    for token in part.logprobs:
        assert bytes(token.bytes).decode() == token.token
        assert len(token.top_logprobs) == 3
        assert token.logprob == max(each.logprob for each in token.top_logprobs) <= 0


def test_chat_completions_have_all_of_it(client: OpenAI) -> None:
    (choice,) = client.chat.completions.create(**CHAT, tools=[CHAT_TOOL]).choices
    said = choice.message
    assert choice.finish_reason == "tool_calls"
    assert (said.content, said.model_extra) == (SPOKEN, {"reasoning_content": THOUGHT})
    assert said.tool_calls is not None
    made = [call for call in said.tool_calls if call.type == "function"]
    assert [(c.function.name, json.loads(c.function.arguments)) for c in made] == CALLS

    after: Any = [
        *CHAT["messages"],
        said.model_dump(exclude_none=True),
        *({"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in made),
    ]
    (choice,) = client.chat.completions.create(
        model=MODEL, messages=after, tools=[CHAT_TOOL], temperature=0
    ).choices
    assert choice.message.content == AFTER


def test_chat_completions_stream_all_of_it_for_each_choice(client: OpenAI) -> None:
    said: dict[int, str] = {}
    called: dict[tuple[int, int], str] = {}
    ends: dict[int, str] = {}
    usage = None
    stream = client.chat.completions.create(
        **CHAT, tools=[CHAT_TOOL], n=2, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        usage = chunk.usage
        for choice in chunk.choices:
            index = choice.index
            said[index] = said.get(index, "") + (choice.delta.content or "")
            for call in choice.delta.tool_calls or []:
                assert call.function is not None
                place = (index, call.index)
                called[place] = called.get(place, "") + (call.function.arguments or "")
            if choice.finish_reason:
                ends[index] = choice.finish_reason
    assert said == {0: SPOKEN, 1: SPOKEN}
    assert {place: json.loads(text) for place, text in called.items()} == {
        (index, number): arguments
        for index in (0, 1)
        for number, (_, arguments) in enumerate(CALLS)
    }
    assert ends == {0: "tool_calls", 1: "tool_calls"}
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_chat_completions_follow_a_schema_and_tell_likelihoods(client: OpenAI) -> None:
    format: Any = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
    (choice,) = client.chat.completions.create(
        **CHAT, response_format=format, logprobs=True, top_logprobs=1, max_completion_tokens=100
    ).choices
    assert json.loads(choice.message.content or "")["city"] in ("Paris", "Rome")
    assert choice.logprobs is not None
    assert choice.logprobs.content
    assert len(choice.logprobs.content[0].top_logprobs) == 1


def test_a_text_is_gone_on_with_as_it_is(client: OpenAI) -> None:
    made = client.completions.create(
        model=MODEL, prompt=["<|report|>", "<|report|>It is"], temperature=0, echo=True, logprobs=1
    )
    assert [choice.text for choice in made.choices] == [f"<|report|>{AFTER}"] * 2
    assert {choice.finish_reason for choice in made.choices} == {"stop"}
    assert made.usage is not None
    assert made.usage.prompt_tokens == 1 + 2
    told = made.choices[0].logprobs
    assert told is not None
    assert told.tokens is not None
    assert "".join(told.tokens).startswith(AFTER)


def test_a_conversation_is_made_short_and_gone_on_with(client: OpenAI) -> None:
    short = client.responses.compact(model="tokenwire-demo", input="Count to 5.")
    item = short.output[0]
    assert item.type == "compaction"
    going_on: Any = [item.model_dump(), {"role": "user", "content": "Hello!"}]
    answer = client.responses.create(model="tokenwire-demo", input=going_on)
    assert answer.output_text


def test_anthropic_messages_have_it_too(client: OpenAI) -> None:
    tool: Any = {"name": "get_weather", "description": "The weather.", "input_schema": SCHEMA}
    url = str(client.base_url).removesuffix("/v1/")
    with Anthropic(base_url=url, api_key="none", max_retries=0) as anthropic:
        ask: Any = {
            "model": MODEL,
            "messages": CHAT["messages"],
            "max_tokens": 100,
            "tools": [tool],
            "extra_body": {"temperature": 0},
        }
        with anthropic.messages.stream(**ask) as stream:
            said = stream.get_final_message()
        called = [block for block in said.content if block.type == "tool_use"]
        assert [(block.name, block.input) for block in called] == CALLS
        assert [block.thinking for block in said.content if block.type == "thinking"] == [THOUGHT]
        results: Any = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "sunny"} for block in called
        ]
        turns: Any = [
            *CHAT["messages"],
            {"role": "assistant", "content": [block.model_dump() for block in said.content]},
            {"role": "user", "content": results},
        ]
        (block,) = anthropic.messages.create(**ask | {"messages": turns}).content
    assert block.type == "text"
    assert block.text == AFTER


def test_a_message_that_was_begun_is_gone_on_with(client: OpenAI) -> None:
    begun: Any = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "It is"},
    ]
    (choice,) = client.chat.completions.create(
        model=MODEL,
        messages=begun,
        temperature=0,
        extra_body={
            "continue_final_message": True,
            "chat_template_kwargs": {"enable_thinking": False},
        },
    ).choices
    assert "It is" + (choice.message.content or "") == AFTER
