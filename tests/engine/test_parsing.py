"""Answers of known families, as their models write them, through vLLM's own parsers: what is
thought, said and called, however it is cut, also when it is gone on with.

The texts are typed after the families' formats, the tokens are those of a tokenizer made here that
has the families' marks; no model of theirs is run.
"""

# ruff: noqa: RUF001 - the marks are the families' own
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tokenwire.engine.base import Capabilities, Delta, Form, Prompt, Resume
from tokenwire.engine.families import ParserNames, parser_names
from tokenwire.engine.parsing import Parsers
from tokenwire.errors import InvalidRequest, UnsupportedParameter


MARKS = [
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<|python_tag|>", "[TOOL_CALLS]"),
    *("[ARGS]", "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>"),
    *("<｜tool▁call▁end｜>", "<｜tool▁sep｜>"),
]
TOOL: dict[str, object] = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": None,
}
FORM = Form(tools=(TOOL,))
ONE = '{"city": "Paris"}'


class Family(NamedTuple):
    names: ParserNames
    text: str
    reasoning: str
    said: str
    calls: list[dict[str, str]]
    prompt: str = ""


PARIS = {"city": "Paris"}
FAMILIES = {
    "qwen3": Family(
        ParserNames("hermes", "qwen3"),
        "<think>\nHm, 日本.\n</think>\n\nI look.\n"
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>',
        "\nHm, 日本.\n",
        "\n\nI look.\n",
        [PARIS, {"city": "Rome"}],
    ),
    "qwen3 coder": Family(
        ParserNames("qwen3_xml", None),
        "I look.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n"
        "</function>\n</tool_call>",
        "",
        "I look.\n",
        [PARIS],
    ),
    "llama 3": Family(
        ParserNames("llama3_json", None),
        '{"name": "get_weather", "parameters": {"city": "Paris"}}',
        "",
        "",
        [PARIS],
    ),
    "deepseek r1": Family(
        ParserNames("deepseek_v3", "deepseek_r1"),
        "Hm.\n</think>\n\nI look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>"
        "get_weather\n```json\n" + ONE + "\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "Hm.\n",
        "\n\nI look.",
        [PARIS],
        "<think>",
    ),
    "deepseek v3.1": Family(
        ParserNames("deepseek_v31", None),
        "I look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>"
        + ONE
        + "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "",
        "I look.",
        [PARIS],
    ),
    "mistral": Family(
        ParserNames("mistral", None),
        "[TOOL_CALLS]get_weather[ARGS]" + ONE,
        "",
        "",
        [PARIS],
    ),
}
EACH = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def make_tokenizer(*marks: str) -> PreTrainedTokenizerFast:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bare = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bare.decoder = decoders.ByteLevel()
    bare.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in marks])
    return PreTrainedTokenizerFast(tokenizer_object=bare)


TOKENIZER, UNMARKED = make_tokenizer(*MARKS), make_tokenizer()


def parsers(names: ParserNames, *, sure: bool = True, tokenizer: Any = TOKENIZER) -> Parsers:
    hf = SimpleNamespace(model_type="any")
    config = SimpleNamespace(model="m", hf_config=hf, hf_text_config=hf, hf_overrides=None)
    whole: Any = SimpleNamespace(model_config=config)
    return Parsers(whole, tokenizer, names, sure=sure)


def ids_of(text: str) -> list[int]:
    return TOKENIZER.encode(text, add_special_tokens=False)


def steps(text: str, cuts: list[int] | None = None) -> list[Delta]:
    """The deltas of an answer: one for each token, or joined but for where it is cut."""
    deltas: list[Delta] = []
    waiting: list[int] = []
    for id in ids_of(text):
        waiting.append(id)
        piece = str(TOKENIZER.decode(waiting))
        whole = "\ufffd" not in piece
        deltas.append(Delta(piece if whole else "", (id,)))
        waiting = [] if whole else waiting
    if cuts is not None:
        edges = [0, *sorted({cut % len(deltas) for cut in cuts} - {0}), len(deltas)]
        deltas = [joined(deltas[a:b]) for a, b in pairwise(edges)]
    return [*deltas, Delta("", (), "stop")]


def joined(deltas: list[Delta]) -> Delta:
    text = "".join(delta.text for delta in deltas)
    return Delta(text, tuple(id for delta in deltas for id in delta.token_ids))


class Read(NamedTuple):
    reasoning: str
    said: str
    calls: list[tuple[str, dict[str, str]]]


def gathered(deltas: list[Delta]) -> Read:
    calls: dict[int, tuple[str, str]] = {}
    for call in (call for delta in deltas for call in delta.calls):
        name, arguments = calls.get(call.index, ("", ""))
        calls[call.index] = (name or call.name, arguments + call.arguments)
    return Read(
        "".join(delta.reasoning for delta in deltas),
        "".join(delta.text for delta in deltas),
        [(name, json.loads(arguments)) for name, arguments in calls.values()],
    )


def read(family: Family, deltas: list[Delta], resume: Resume | None = None) -> list[Delta]:
    found: list[Delta] = []
    prompt = Prompt(tuple(ids_of(family.prompt)), FORM)
    take = parsers(family.names).reader(prompt, resume, found.append)
    for delta in deltas:
        take(delta)
    return found


def expected(family: Family) -> Read:
    return Read(family.reasoning, family.said, [("get_weather", call) for call in family.calls])


def assert_read(found: Read, family: Family) -> None:
    # What space stands between the parts is the parser's own affair.
    wanted = expected(family)
    assert found.calls == wanted.calls
    assert found.said.strip() == wanted.said.strip()
    assert found.reasoning.strip() == wanted.reasoning.strip()


@EACH
def test_an_answer_of_each_family_is_read_token_by_token(family: Family) -> None:
    found = read(family, steps(family.text))
    assert_read(gathered(found), family)
    assert found[-1].finish == "stop"
    ids = [id for delta in found for id in delta.token_ids]
    assert ids == ids_of(family.text)
    assert bool(found[-1].reasoning_tokens) == bool(family.reasoning)


@EACH
@settings(deadline=None, max_examples=15)
@given(cuts=st.lists(st.integers(0, 300), max_size=40))
def test_however_it_is_cut(family: Family, cuts: list[int]) -> None:
    assert_read(gathered(read(family, steps(family.text, cuts))), family)


@EACH
def test_an_answer_that_is_gone_on_with_says_all_of_it_again(family: Family) -> None:
    deltas = steps(family.text)
    for cut in range(1, len(deltas) - 1, 7):
        before = deltas[:cut]
        text = "".join(delta.text for delta in before)
        resume = Resume(tuple(id for delta in before for id in delta.token_ids))
        first = Delta(text + deltas[cut].text, deltas[cut].token_ids)
        found = read(family, [first, *deltas[cut + 1 :]], resume)
        assert_read(gathered(found), family)
        assert found[0].token_ids == deltas[cut].token_ids


def test_without_parallel_calls_only_the_first_is_told() -> None:
    family = FAMILIES["qwen3"]
    found: list[Delta] = []
    form = Form(tools=(TOOL,), parallel_tool_calls=False)
    take = parsers(family.names).reader(Prompt((), form), None, found.append)
    for delta in steps(family.text):
        take(delta)
    assert [call for _, call in gathered(found).calls] == family.calls[:1]


def test_after_its_thoughts_an_answer_without_tools_is_text_that_no_parser_reads() -> None:
    found: list[Delta] = []
    take = parsers(ParserNames(None, "qwen3")).reader(Prompt(()), None, found.append)
    plain = Delta(" plain", (1,), None, None)
    for delta in (*steps("<think>a</think>b")[:-1], plain):
        take(delta)
    assert found[-1] is plain
    assert gathered(found) == Read("a", "b plain", [])


def test_where_nothing_is_to_be_read_nothing_is_in_the_way() -> None:
    def take(_: Delta) -> None: ...

    assert parsers(ParserNames()).reader(Prompt((1,)), None, take) is take
    assert parsers(ParserNames("hermes")).reader(Prompt((1,)), None, take) is take


def test_tools_that_a_model_can_not_call_are_refused() -> None:
    with pytest.raises(UnsupportedParameter) as refused:
        parsers(ParserNames()).check(FORM)
    assert refused.value.param == "tools"
    parsers(ParserNames()).check(Form(tools=(TOOL,), tool_choice="none"))


def test_a_parser_that_does_not_suit_is_as_none_unless_it_was_asked_for() -> None:
    names = ParserNames("deepseek_v31", "deepseek_r1")
    found = parsers(names, sure=False, tokenizer=UNMARKED)
    assert found.capabilities == Capabilities(tools=False, reasoning=False, structured_output=True)
    with pytest.raises(TypeError, match="cannot be used with the tokenizer"):
        parsers(names, tokenizer=UNMARKED)
    with pytest.raises(TypeError, match="no_such_parser"):
        parsers(ParserNames("no_such_parser"))


@pytest.mark.parametrize(
    ("format", "field"),
    [
        ({"type": "json_object"}, "json_object"),
        ({"type": "json_schema", "name": "a", "schema": {"type": "object"}}, "json"),
    ],
)
def test_a_format_binds_the_sampling(format: dict[str, object], field: str) -> None:
    outputs = parsers(ParserNames()).constraints(Form(text_format=format)).structured_outputs
    assert getattr(outputs, field)


def test_a_required_call_binds_the_sampling_and_keeps_its_marks() -> None:
    bounds = parsers(ParserNames("hermes")).constraints(Form(tools=(TOOL,), tool_choice="required"))
    assert bounds.structured_outputs is not None
    assert bounds.keeps_special_tokens


def test_tools_that_are_none_are_refused_in_words() -> None:
    odd: dict[str, object] = {**TOOL, "name": 5}
    with pytest.raises(InvalidRequest):
        parsers(ParserNames("hermes")).constraints(Form(tools=(odd,)))


TEMPLATES = {
    "{% if tools %}<tool_call>{'name'} \"name\" <think> enable_thinking": ("hermes", "qwen3"),
    "{% if tools %}<tool_call>\n<function=x>": ("qwen3_xml", None),
    "{% if tools %}[TOOL_CALLS]": ("mistral", None),
    "{% if tools %}<|python_tag|>": ("llama3_json", None),
    '{{ messages }} <tool_call> "name"': (None, None),
    "{% if tools %}<｜tool▁calls▁begin｜> ```json <think>\\n' }}": ("deepseek_v3", "deepseek_r1"),
    "": (None, None),
}


@pytest.mark.parametrize(("template", "names"), TEMPLATES.items())
def test_a_family_is_told_from_its_template(
    tmp_path: Path, template: str, names: tuple[str | None, str | None]
) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    assert parser_names(tmp_path) == names
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "chat_template.jinja").write_text(template)
    assert parser_names(tmp_path) == names


def test_a_family_is_told_from_its_type() -> None:
    assert parser_names(Path("/nowhere")) == (None, None)


def test_the_type_goes_before_the_template(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt_oss"}))
    (tmp_path / "chat_template.jinja").write_text("{% if tools %}<think>")
    assert parser_names(tmp_path) == ("openai", "openai_gptoss")
    (tmp_path / "config.json").write_text("[]")
    assert parser_names(tmp_path) == (None, "qwen3")
