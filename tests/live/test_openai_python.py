"""The official Python SDK against the real server, engine and demo model, unchanged."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseIncompleteEvent,
)

from support.server import Server


pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
MODEL = "tokenwire-demo"
COUNT = "Count to 20."
END = ("response.completed", "response.incomplete", "response.failed", "error")


@pytest.fixture
def client(server: Server) -> Generator[OpenAI, None, None]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture
def async_client(server: Server) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def test_create_answers(client: OpenAI) -> None:
    answer = client.responses.create(model=MODEL, input="Hello!")
    assert answer.status == "completed"
    assert answer.output_text
    assert answer.usage is not None
    assert answer.usage.output_tokens > 0
    assert client.responses.retrieve(answer.id).output_text == answer.output_text


def test_create_streams_and_accumulates(client: OpenAI) -> None:
    with client.responses.stream(model=MODEL, input=COUNT, temperature=0) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert len(deltas) > 1
    assert final.output_text == "".join(deltas)
    assert ", ".join(map(str, range(1, 21))) in final.output_text


def test_a_stream_is_taken_up_after_a_number(client: OpenAI) -> None:
    first = list(client.responses.create(model=MODEL, input=COUNT, temperature=0, stream=True))
    assert first[0].type == "response.created"
    response_id = first[0].response.id
    for after in (0, len(first) // 2, len(first) - 2):
        rest = list(client.responses.retrieve(response_id, stream=True, starting_after=after))
        assert [e.model_dump() for e in rest] == [e.model_dump() for e in first[after + 1 :]]
    with client.responses.stream(response_id=response_id, starting_after=2) as stream:
        assert stream.get_final_response().output_text


def test_three_lanes_answer_at_once_on_one_connection(client: OpenAI) -> None:
    finals: dict[str, Response] = {}
    order: list[str] = []
    with client.responses.connect() as connection:
        for lane in ("a", "b", "c"):
            connection.response.create(model=MODEL, input=COUNT, stream_id=lane, temperature=0)
        for event in connection:
            lane = str(event.stream_id)  # pyright: ignore[reportAttributeAccessIssue]
            if event.type == "response.output_text.delta":
                order.append(lane)
            if event.type in END:
                assert event.type == "response.completed"
                finals[lane] = event.response
                if len(finals) == 3:
                    break
    assert {response.output_text for response in finals.values()} == {finals["a"].output_text}
    first_end = min(max(i for i, x in enumerate(order) if x == lane) for lane in "abc")
    assert set(order[:first_end]) == {"a", "b", "c"}, "the lanes did not run side by side"


async def test_the_async_client_answers_over_http_and_socket(async_client: AsyncOpenAI) -> None:
    async with async_client as client:
        plain = await client.responses.create(model=MODEL, input="What is 2 + 3?", temperature=0)
        assert "5" in plain.output_text
        stream = await client.responses.create(model=MODEL, input="Hi", stream=True)
        assert [event.type async for event in stream][-1] == "response.completed"
        async with client.responses.connect() as connection:
            await connection.response.create(model=MODEL, input="Hi")
            async for event in connection:
                if event.type in END:
                    assert event.type == "response.completed"
                    break


async def test_async_lanes_through_the_session(async_client: AsyncOpenAI) -> None:
    async with async_client as client, client.responses.connect() as connection:
        for lane in ("x", "y", "z"):
            await connection.response.create(model=MODEL, input="Hello!", stream_id=lane)
        ended = set[str]()
        async for event in connection:
            if event.type in END:
                assert event.type == "response.completed"
                ended.add(str(event.stream_id))
                if len(ended) == 3:
                    break


SYSTEM = "You are a helpful assistant. Be kind and helpful, always be polite. Answer in English."


def test_a_name_is_remembered_over_http_and_the_second_turn_comes_from_the_cache(
    client: OpenAI,
) -> None:
    """The cache keeps whole blocks of 32 tokens; with the instructions the first turn has one."""
    first = client.responses.create(
        model=MODEL, instructions=SYSTEM, input="My name is Ada.", temperature=0
    )
    second = client.responses.create(
        model=MODEL,
        instructions=SYSTEM,
        input="What is my name?",
        previous_response_id=first.id,
        temperature=0,
    )
    assert "Ada" in second.output_text
    assert first.usage is not None
    assert second.usage is not None
    before = first.usage.input_tokens + first.usage.output_tokens
    cached = second.usage.input_tokens_details.cached_tokens
    assert cached > 0
    assert cached % 32 == 0
    assert cached <= before < second.usage.input_tokens


def test_a_name_is_remembered_over_sse(client: OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="My name is Ada.", temperature=0)
    stream = client.responses.create(
        model=MODEL,
        input="What is my name?",
        previous_response_id=first.id,
        temperature=0,
        stream=True,
    )
    text = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
    assert "Ada" in text


def test_a_name_is_remembered_over_the_socket(client: OpenAI) -> None:
    with client.responses.connect() as connection:
        previous: str | None = None
        texts: list[str] = []
        for text in ("My name is Ada.", "What is my name?"):
            connection.response.create(
                model=MODEL,
                input=text,
                temperature=0,
                store=False,
                previous_response_id=previous,
            )
            for event in connection:
                if event.type in END:
                    assert event.type == "response.completed"
                    previous = event.response.id
                    texts.append(event.response.output_text)
                    break
    assert "Ada" in texts[1]


def test_the_same_seed_gives_the_same_answer(client: OpenAI) -> None:
    def tell() -> str:
        return client.responses.create(
            model=MODEL, input="Tell me a story.", temperature=1, extra_body={"seed": 7}
        ).output_text

    assert tell() == tell()


def test_extra_sampling_fields_reach_the_engine(client: OpenAI) -> None:
    answer = client.responses.create(
        model=MODEL,
        input="Count to 20.",
        temperature=0,
        extra_body={"stop": [", 7"], "min_tokens": 2, "top_k": 5},
    )
    assert answer.output_text.rstrip().endswith("6")
    long = client.responses.create(
        model=MODEL, input="Hi", max_output_tokens=40, extra_body={"ignore_eos": True}
    )
    assert long.status == "incomplete"
    assert long.incomplete_details is not None
    assert long.incomplete_details.reason == "max_output_tokens"
    assert long.usage is not None
    assert long.usage.output_tokens == 40


def test_seeded_long_prompts_at_once_do_not_end_the_engine(server: Server) -> None:
    """vLLM 0.32 on CPU dies of a seeded request whose prefill is cut into chunks; ours must not."""
    engines = server.engines()
    words = " ".join(["word"] * 700)

    async def main() -> list[Response]:
        import asyncio

        url = f"{server.url}/v1"
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            return await asyncio.gather(
                *(
                    client.responses.create(
                        model=MODEL,
                        input=f"{n} {words}",
                        temperature=1,
                        max_output_tokens=5,
                        extra_body={"seed": n},
                    )
                    for n in range(16)
                )
            )

    import asyncio

    answers = asyncio.run(main())
    assert {answer.status for answer in answers} <= {"completed", "incomplete"}
    assert server.engines() == engines


def test_instructions_and_message_items_are_understood(client: OpenAI) -> None:
    answer = client.responses.create(
        model=MODEL,
        instructions="Answer briefly.",
        temperature=0,
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "My name is Zoë."}]},
            {"role": "assistant", "content": "Nice to meet you, Zoë!"},
            {"role": "user", "content": "What is my name?"},
        ],
    )
    assert "Zoë" in answer.output_text


def test_chat_completions_answer_and_stream(client: OpenAI) -> None:
    plain = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "What is 4 + 4?"}], temperature=0
    )
    assert "8" in (plain.choices[0].message.content or "")
    assert plain.choices[0].finish_reason == "stop"
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": COUNT}],
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert sum(bool(c.choices and c.choices[0].delta.content) for c in chunks) > 1
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 10


def test_what_an_answer_was_made_from_is_listed_and_its_tokens_counted(client: OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="Hello!", temperature=0)
    counted = client.responses.input_tokens.count(
        model=MODEL, input=COUNT, previous_response_id=first.id
    )
    answer = client.responses.create(
        model=MODEL, input=COUNT, previous_response_id=first.id, max_output_tokens=4
    )
    assert answer.usage is not None
    assert counted.input_tokens == answer.usage.input_tokens
    listed = client.responses.input_items.list(answer.id, order="asc", limit=2)
    items = [item.model_dump() for item in listed]
    assert [item["role"] for item in items] == ["user", "assistant", "user"]
    assert items[1]["content"][0]["text"] == first.output_text
    assert items[2]["content"][0]["text"] == COUNT


def test_a_conversation_is_given_what_its_first_turn_goes_on_from(client: OpenAI) -> None:
    conversation = client.conversations.create(
        items=[
            {"type": "message", "role": "user", "content": "My name is Ada."},
            {"type": "message", "role": "assistant", "content": "Nice to meet you, Ada!"},
        ]
    )
    answer = client.responses.create(
        model=MODEL, input="What is my name?", conversation=conversation.id, temperature=0
    )
    assert "Ada" in answer.output_text
    listed = client.conversations.items.list(conversation.id, limit=1, order="asc")
    assert [item.model_dump()["role"] for item in listed] == ["user", "assistant"] * 2
    client.conversations.delete(conversation.id)
    with pytest.raises(NotFoundError):
        client.conversations.retrieve(conversation.id)


def test_a_warm_up_leaves_its_prompt_in_the_cache(client: OpenAI) -> None:
    story = "Remember these words: " + " ".join(f"word{n}" for n in range(40))
    with client.responses.connect() as connection:
        connection.response.create(model=MODEL, input=story, generate=False)
        warmed = next(event for event in connection if event.type in END)
        assert isinstance(warmed, ResponseCompletedEvent)
        assert warmed.response.output == []
        parent = warmed.response
        connection.response.create(model=MODEL, input=COUNT, previous_response_id=parent.id)
        ended = next(event for event in connection if event.type in END)
    assert isinstance(ended, (ResponseCompletedEvent, ResponseIncompleteEvent))
    answer = ended.response
    assert parent.usage is not None
    assert answer.usage is not None
    assert answer.usage.input_tokens_details.cached_tokens >= parent.usage.input_tokens // 2


def test_refusals_are_the_sdks_own_exceptions(client: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        client.responses.create(model="no-such-model", input="x")
    with pytest.raises(BadRequestError) as beyond:
        client.responses.create(model=MODEL, input="word " * 5000)
    assert beyond.value.code == "context_length_exceeded"
    with pytest.raises(BadRequestError) as unknown:
        client.responses.create(model=MODEL, input="x", previous_response_id="resp_none")
    assert unknown.value.code == "previous_response_not_found"


def test_models_are_listed(client: OpenAI) -> None:
    assert client.models.list().data[0].id == MODEL


def test_a_response_is_cancelled_and_deleted(client: OpenAI) -> None:
    running = client.responses.create(
        model=MODEL, input="Count to 200.", background=True, extra_body={"ignore_eos": True}
    )
    ended = client.responses.cancel(running.id)
    assert ended.status == "cancelled"
    client.responses.delete(running.id)
    with pytest.raises(NotFoundError):
        client.responses.retrieve(running.id)


def test_a_steered_answer_is_gone_on_with_on_the_warm_prefix(client: OpenAI) -> None:
    story = "Remember these words: " + " ".join(f"word{n}" for n in range(40)) + ". " + COUNT
    id, ends, kinds = "", list[Response](), list[str]()
    with client.responses.connect() as connection:
        connection.response.create(model=MODEL, input=story, stream_id="a", temperature=0)
        for event in connection:
            kinds.append(event.type)
            if isinstance(event, ResponseCreatedEvent):
                id = event.response.id
            elif event.type == "response.output_text.delta" and kinds.count(event.type) == 1:
                connection.response.steer(previous_response_id=id, input="Hello!")
            elif isinstance(event, (ResponseCompletedEvent, ResponseIncompleteEvent)):
                ends.append(event.response)
                if len(ends) == 2:
                    break
    first, last = ends
    assert "response.steer.accepted" in kinds
    assert first.incomplete_details is not None
    assert str(first.incomplete_details.reason) == "steered"
    assert kinds[kinds.index("response.incomplete") + 1] == "response.created"
    assert last.previous_response_id == first.id
    assert (last.status, bool(last.output_text)) == ("completed", True)
    assert first.usage is not None
    assert last.usage is not None
    assert last.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens
    assert last.usage.input_tokens_details.cached_tokens >= first.usage.input_tokens // 2
