"""Completions, through the official SDK: a text is gone on with, whole or streamed."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError

from support.house import open_house
from support.scripted import MODEL


async def test_a_text_is_gone_on_with_once_for_each_prompt_and_choice(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        AsyncOpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client,
    ):
        made = await client.completions.create(model=MODEL, prompt=["a b", "c"], n=2, echo=True)

        texts = [choice.text for choice in made.choices]
        assert texts == ["a bHello, world."] * 2 + ["cHello, world."] * 2
        assert [choice.index for choice in made.choices] == [0, 1, 2, 3]
        assert made.usage is not None
        # One token for each word and one more; each prompt counts once.
        assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (3 + 2, 4 * 5)
        assert len(house.engine.prompts) == 4


async def test_a_stream_says_the_same(tmp_path: Path) -> None:
    async with (
        open_house(tmp_path) as house,
        AsyncOpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client,
    ):
        stream = await client.completions.create(
            model=MODEL,
            prompt="a b ",
            echo=True,
            n=2,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]

    texts = {0: "", 1: ""}
    ends: dict[int, str] = {}
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        texts[choice.index] += choice.text
        if choice.finish_reason:
            ends[choice.index] = choice.finish_reason
    assert texts == {0: "a b Hello, world.", 1: "a b Hello, world."}
    assert ends == {0: "stop", 1: "stop"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 10


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": ["a"] * 9, "n": 2}, "prompt"),
        ({"n": 0}, "n"),
        ({"suffix": "x"}, "suffix"),
        ({"best_of": 3}, "best_of"),
        ({"logprobs": -1}, "logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
async def test_what_is_wrong_is_refused_by_its_name(
    tmp_path: Path, fields: dict[str, Any], field: str
) -> None:
    async with (
        open_house(tmp_path) as house,
        AsyncOpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client,
    ):
        asked: Any = {"model": MODEL, "prompt": "a", **fields}
        with pytest.raises(BadRequestError) as refused:
            await client.completions.create(**asked)
    assert refused.value.param == field
