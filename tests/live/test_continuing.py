"""A cut answer that is gone on with is the answer that nobody cut: the real engine, its death and
that of its server under it, thoughts, tools, formats.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.house import Json, error_of
from support.readers import Reader, assert_replayed, assert_whole, read
from support.reciter import CALLS
from support.server import Server, start_server
from support.waiting import until


pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
TOOL: Json = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CITY: Json = {
    "type": "json_schema",
    "name": "city",
    "schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


def ask(server: Server, **fields: Any) -> Json:
    answer = httpx.post(f"{server.url}/v1/responses", json=fields, trust_env=False, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def gone_on(server: Server, cut: Json, **fields: Any) -> Json:
    assert cut["status"] == "incomplete", cut
    return ask(server, tokenwire={"continues": cut["id"]}, **fields)


def said(answer: Json) -> list[tuple[object, object]]:
    """What each item says, whatever its ids are."""
    return [
        (item["type"], item.get("arguments") or item["content"][0]["text"])
        for item in answer["output"]
    ]


@pytest.mark.parametrize(
    "sampling",
    [
        {"temperature": 0},
        {"temperature": 1, "seed": 7},
        {
            "temperature": 0.9,
            "seed": 3,
            "repetition_penalty": 1.2,
            "presence_penalty": 0.8,
            "frequency_penalty": 0.4,
        },
        {"temperature": 1, "seed": 5, "stop": ["no such text at all", "qqqq"]},
    ],
    ids=["greedy", "seeded", "penalised", "stops"],
)
def test_a_cut_answer_gone_on_with_is_the_one_that_nobody_cut(
    server: Server, sampling: Json
) -> None:
    question = {"input": "Count from 1 to 150.", "ignore_eos": True, **sampling}
    whole = ask(server, **question, max_output_tokens=200)
    for at in (1, 50, 51, 133):
        cut = ask(server, **question, max_output_tokens=at)
        # What is not said is as it was; the bound is not.
        assert said(gone_on(server, cut, max_output_tokens=200 - at)) == said(whole)
    # In pieces of pieces, too.
    piece = ask(server, **question, max_output_tokens=50)
    for _ in range(3):
        piece = gone_on(server, piece, max_output_tokens=50)
    assert said(piece) == said(whole)
    assert piece["usage"] == whole["usage"] | {
        "input_tokens_details": piece["usage"]["input_tokens_details"]
    }


def test_a_cancelled_answer_is_gone_on_with_to_its_own_end(server: Server) -> None:
    question = {"input": "Count from 1 to 60.", "temperature": 0}
    whole = ask(server, **question)
    begun = ask(server, **question, background=True)
    url = f"{server.url}/v1/responses/{begun['id']}"
    with httpx.stream("GET", f"{url}?stream=true", trust_env=False) as stream:
        texts = (line for line in stream.iter_lines() if '"delta":' in line)
        for _ in range(5):
            next(texts)
    cancelled = httpx.post(f"{url}/cancel", trust_env=False).json()
    assert cancelled["status"] == "cancelled"
    new = ask(server, tokenwire={"continues": begun["id"]})
    assert (new["status"], said(new)) == ("completed", said(whole))
    refused = httpx.post(
        f"{server.url}/v1/responses",
        json={"tokenwire": {"continues": new["id"]}},
        trust_env=False,
    )
    assert error_of(refused) == (400, "response_not_continuable", "tokenwire.continues")


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"reasoning": {"effort": "none"}},
        {"text": {"format": CITY}},
        {"tools": [TOOL], "tool_choice": "none"},
    ],
    ids=["thoughts", "no thoughts", "schema", "no calls"],
)
def test_an_answer_is_gone_on_with_wherever_it_was_cut(reciter_server: Server, form: Json) -> None:
    question = {"input": "Weather?", "temperature": 0, **form}
    most = 16
    whole = ask(reciter_server, **question, max_output_tokens=most)
    for at in range(1, most):
        cut = ask(reciter_server, **question, max_output_tokens=at)
        if cut["status"] == "completed":
            break
        new = gone_on(reciter_server, cut, max_output_tokens=most - at)
        assert (new["status"], said(new)) == (whole["status"], said(whole)), at
        thought = any(kind == "reasoning" for kind, _ in said(new))
        assert isinstance(new["tokenwire"]["timing"]["reasoning_ms"], int) == thought


def test_an_answer_that_may_call_is_gone_on_with_until_it_calls(reciter_server: Server) -> None:
    question = {"input": "Weather?", "temperature": 0, "tools": [TOOL]}
    whole = ask(reciter_server, **question)
    assert [kind for kind, _ in said(whole)].count("function_call") == len(CALLS)
    gone_on_with, refused = 0, 0
    for at in range(1, whole["usage"]["output_tokens"]):
        cut = ask(reciter_server, **question, max_output_tokens=at)
        if any(item["type"] == "function_call" for item in cut["output"]):
            answer = httpx.post(
                f"{reciter_server.url}/v1/responses",
                json={"tokenwire": {"continues": cut["id"]}},
                trust_env=False,
            )
            assert error_of(answer) == (400, "response_not_continuable", "tokenwire.continues")
            refused += 1
        else:
            assert said(gone_on(reciter_server, cut)) == said(whole), at
            gone_on_with += 1
    assert gone_on_with > 5
    assert refused > 5


def test_a_forced_call_is_gone_on_with_from_its_thoughts(reciter_server: Server) -> None:
    question = {
        "input": "Weather?",
        "temperature": 0,
        "tools": [TOOL],
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }
    cut = ask(reciter_server, **question, max_output_tokens=4)
    new = gone_on(reciter_server, cut, max_output_tokens=100)
    assert [kind for kind, _ in said(new)] == ["reasoning", "function_call"]
    assert said(new)[0] == said(ask(reciter_server, **question, max_output_tokens=100))[0]


def test_it_survives_the_engine_and_the_server(tmp_path: Path) -> None:
    greedy = {"temperature": 0}
    server = start_server(tmp_path / "data")
    try:
        server.wait_ready()
        texts = [f"Count from 1 to {100 + 10 * index}." for index in range(8)]
        wholes = [ask(server, input=text, **greedy, max_output_tokens=250) for text in texts]
        cuts = [ask(server, input=text, **greedy, max_output_tokens=60) for text in texts]
        readers = [
            Reader(
                {
                    "tokenwire": {"continues": cut["id"], "idempotency_key": cut["id"]},
                    "max_output_tokens": 190,
                }
            )
            for cut in cuts
        ]
        lengths = [len(str(said(cut)[0][1])) for cut in cuts]

        async def main() -> None:
            reading = asyncio.create_task(read(server.url, readers))
            # Each has something of its own by then.
            await until(
                lambda: all(
                    len(reader.text) > length
                    for reader, length in zip(readers, lengths, strict=True)
                )
            )
            (engine,) = server.engines()
            os.kill(engine, signal.SIGKILL)
            grown = [len(reader.text) for reader in readers]
            await until(
                lambda: any(
                    len(reader.text) > length and not reader.done
                    for reader, length in zip(readers, grown, strict=True)
                )
            )
            server.kill()
            await reading

        asyncio.run(main())
        server = start_server(tmp_path / "data")
        server.wait_ready()
        asyncio.run(read(server.url, readers))
        assert_whole(readers)
        assert_replayed(server.url, readers)
        assert [said(reader.end) for reader in readers] == [said(whole) for whole in wholes]
        assert any("taken_up" in reader.end["tokenwire"] for reader in readers)
    finally:
        server.stop()
