"""A conversation made short, through the official SDK: one item stands for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, InternalServerError

from support.house import House, open_house
from support.scripted import MODEL, ScriptedEngine, say
from tokenwire.engine.base import Delta, Sampling


@asynccontextmanager
async def open_client(
    folder: Path, engine: ScriptedEngine | None = None
) -> AsyncGenerator[tuple[AsyncOpenAI, House], None]:
    async with (
        open_house(folder, engine) as house,
        AsyncOpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client, house


async def test_a_summary_stands_for_what_was_said_in_a_new_chain(tmp_path: Path) -> None:
    longest: list[int | None] = []

    def script(_: str, sampling: Sampling) -> list[Delta | Exception]:
        longest.append(sampling.max_tokens)
        return say("Ada", " is", " née", " Byron.")

    engine = ScriptedEngine(script)
    async with open_client(tmp_path, engine) as (client, house):
        first = await client.responses.create(model=MODEL, input="I am Ada.", instructions="Kind.")
        short = await client.responses.compact(
            model=MODEL, previous_response_id=first.id, instructions="Kind."
        )
        assert short.object == "response.compaction"
        assert [item.type for item in short.output] == ["compaction"]
        assert short.usage.output_tokens == 5
        # An eighth of the context: what follows it has to fit, too.
        assert longest[-1] == 125
        asked = house.engine.prompts[-1]
        assert [one["role"] for one in asked] == ["system", "user", "assistant", "user"]

        going_on: Any = [item.model_dump() for item in short.output]
        again = await client.responses.create(
            model=MODEL,
            input=[*going_on, {"role": "user", "content": "Who?"}],
            instructions="Kind.",
        )
        told = "Kind.\n\nSummary of the conversation so far:\nAda is née Byron."
        after: list[dict[str, object]] = [
            {"role": "system", "content": told},
            {"role": "user", "content": "Who?"},
        ]
        assert house.engine.prompts[-1] == after
        # What follows it is followed, and what it was made from is not stored.
        await client.responses.create(model=MODEL, input="And?", previous_response_id=again.id)
        roles = [one["role"] for one in house.engine.prompts[-1]]
        assert roles == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"input": "x"}, "model"),
        ({"model": MODEL}, "input"),
        ({"model": MODEL, "input": [{"type": "compaction"}]}, "input[0].encrypted_content"),
        (
            {"model": MODEL, "input": [{"type": "compaction", "encrypted_content": "?"}]},
            "input[0].encrypted_content",
        ),
        ({"model": MODEL, "input": "x", "previous_response_id": "resp_0"}, "previous_response_id"),
    ],
)
async def test_what_can_not_be_made_short_is_refused(
    tmp_path: Path, body: dict[str, object], field: str
) -> None:
    async with open_client(tmp_path) as (client, _):
        with pytest.raises(BadRequestError) as refused:
            await client.post("/responses/compact", cast_to=object, body=body)
    assert refused.value.param == field


async def test_a_model_that_says_nothing_makes_nothing_short(tmp_path: Path) -> None:
    silent = ScriptedEngine(lambda _text, _sampling: [Delta("", (0,), "stop")])
    async with open_client(tmp_path, silent) as (client, _):
        with pytest.raises(InternalServerError, match="no summary"):
            await client.responses.compact(model=MODEL, input="x")
