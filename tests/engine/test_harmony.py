"""gpt-oss writes Harmony: channels of marked messages, which vLLM reads by their tokens alone.

The vocabulary is the true one, from a package that carries it; the texts are typed, and no model is
run.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai_harmony
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai_harmony import HarmonyEncoding, HarmonyEncodingName, load_harmony_encoding

from tokenwire.engine.base import Delta, Form, Prompt, Resume
from tokenwire.engine.families import ParserNames
from tokenwire.engine.parsing import Parsers


ROOT = Path(__file__).resolve().parents[2]
RANKS = "process.stdout.write(require('js-tiktoken/ranks/o200k_base').bpe_ranks)"
SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
TOOL: dict[str, object] = {"type": "function", "name": "get_weather", "parameters": {}}
THOUGHT = "<|channel|>analysis<|message|>Hm, 日本.<|end|><|start|>assistant"
LOOK = "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant"
CALL = '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city":"%s"}'
CALLED = f"{THOUGHT}{LOOK}{CALL % 'Paris'}<|call|>"
SPOKEN = f"{THOUGHT}<|channel|>final<|message|>It is 日本.<|return|>"


@pytest.fixture(scope="module")
def harmony(tmp_path_factory: pytest.TempPathFactory) -> Generator[HarmonyEncoding, None, None]:
    folder = tmp_path_factory.mktemp("vocabulary")
    made = subprocess.run(
        ["node", "-e", RANKS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tokens: dict[int, str] = {}
    for row in made.stdout.strip().splitlines():
        _, first, *some = row.split(" ")
        tokens |= dict(enumerate(some, int(first)))
    text = "".join(f"{token} {rank}\n" for rank, token in sorted(tokens.items()))
    assert hashlib.sha256(text.encode()).hexdigest() == SHA256
    assert base64.b64decode(tokens[0]) == b"!"
    (folder / "o200k_base.tiktoken").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_ENCODINGS_BASE", str(folder))
        yield load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)


class Tokens:
    """As much of a tokenizer as vLLM's parsers ask of one."""

    def __init__(self, harmony: HarmonyEncoding) -> None:
        self._harmony = harmony

    def encode(self, text: str, **_: object) -> list[int]:
        return self._harmony.encode(text, allowed_special="all")

    def decode(self, ids: list[int], **_: object) -> str:
        return self._harmony.decode(ids)

    def get_vocab(self) -> dict[str, int]:
        return {}


def parsers(harmony: HarmonyEncoding) -> Parsers:
    hf = SimpleNamespace(model_type="gpt_oss")
    config = SimpleNamespace(model="m", hf_config=hf, hf_text_config=hf, hf_overrides=None)
    whole: Any = SimpleNamespace(model_config=config)
    tokens: Any = Tokens(harmony)
    return Parsers(whole, tokens, ParserNames("openai", "openai_gptoss"), sure=True)


def read(
    harmony: HarmonyEncoding, text: str, cuts: list[int], *, tools: bool, resumed: int = 0
) -> tuple[str, str, list[tuple[str, str]], int]:
    """What an answer thinks, says and calls, and how many tokens it thought, with its tokens coming
    together but where it is cut.
    """
    ids = harmony.encode(text, allowed_special="all")
    ends = sorted({resumed, *(cut for cut in cuts if resumed < cut < len(ids)), len(ids)})
    taken: list[Delta] = []
    form = Form(tools=(TOOL,)) if tools else Form()
    prompt = Prompt((1, 2), form)
    resume = Resume(tuple(ids[:resumed])) if resumed else None
    take = parsers(harmony).reader(prompt, resume, taken.append)
    for start, end in pairwise(ends):
        finish = "stop" if end == len(ids) else None
        take(Delta(harmony.decode(ids[start:end]), tuple(ids[start:end]), finish))
    calls: dict[int, tuple[str, str]] = {}
    for call in (call for delta in taken for call in delta.calls):
        name, said = calls.get(call.index, ("", ""))
        calls[call.index] = (name or call.name, said + call.arguments)
    return (
        "".join(delta.reasoning for delta in taken),
        "".join(delta.text for delta in taken),
        list(calls.values()),
        taken[-1].reasoning_tokens,
    )


@pytest.mark.parametrize("tools", [True, False])
def test_what_is_thought_and_said_is_told_apart(harmony: HarmonyEncoding, *, tools: bool) -> None:
    every = list(range(100))
    thought = len(harmony.encode("Hm, 日本."))
    assert read(harmony, SPOKEN, every, tools=tools) == ("Hm, 日本.", "It is 日本.", [], thought)


def test_a_format_binds_the_last_channel_and_not_the_thoughts(harmony: HarmonyEncoding) -> None:
    schema: dict[str, object] = {"type": "object"}
    form = Form(text_format={"type": "json_schema", "name": "x", "schema": schema})
    bounds = parsers(harmony).constraints(form).structured_outputs
    assert bounds is not None
    assert bounds.json is None
    assert "<|channel|>final" in str(bounds.structural_tag)


def test_a_vocabulary_that_is_not_there_is_said_at_the_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(_: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(openai_harmony, "load_harmony_encoding", missing)
    nothing: Any = None
    with pytest.raises(RuntimeError, match="TIKTOKEN_ENCODINGS_BASE"):
        parsers(nothing)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cuts=st.lists(st.integers(1, 60), max_size=12), resumed=st.integers(0, 30))
def test_a_call_is_read_however_it_comes_and_wherever_it_is_gone_on_with(
    harmony: HarmonyEncoding, cuts: list[int], resumed: int
) -> None:
    reasoning, said, calls, _ = read(harmony, CALLED, cuts, tools=True, resumed=resumed)
    assert (reasoning, said) == ("Hm, 日本.", "I look.")
    assert calls == [("get_weather", '{"city":"Paris"}')]
