"""The text of a custom tool, however its arguments are written and cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.engine.base import Call, Delta
from tokenwire.generation.inputs import Input, Inputs, inputs_of


def said(arguments: str, size: int) -> str:
    pieces = (arguments[at : at + size] for at in range(0, len(arguments), size))
    reading = Input()
    return "".join(map(reading.next, pieces))


TEXTS = st.text() | st.text(alphabet='\\"/u0d8{}:\n😀é', max_size=20)


@given(text=TEXTS, size=st.integers(1, 9), ascii=st.booleans(), indent=st.sampled_from([None, 2]))
def test_any_text_comes_out_as_it_was_meant(
    text: str, size: int, ascii: bool, indent: int | None
) -> None:
    arguments = json.dumps({"input": text}, ensure_ascii=ascii, indent=indent)

    assert said(arguments, size) == text.encode("utf-8", "replace").decode()


@given(arguments=st.text(alphabet='{}":\\u0d8 ainput,', max_size=40), size=st.integers(1, 9))
def test_whatever_a_model_writes_ends(arguments: str, size: int) -> None:
    assert len(said(arguments, size)) <= len(arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"patch": "a\\tb", "more": "c"}', "a\tb"),
        ('{"input": "a\nb"}', "a\nb"),
        ('{"input": "no \\x and no \\uzz escape"}', "no \\x and no \\uzz escape"),
        ('{"input": {"a": 1}}', '{"input": {"a": 1}}'),
        ("print(1)", "print(1)"),
        ('"bare"', '"bare"'),
        ("{" * 10, "{" * 10),
        ('{"input": "cut \\u00', "cut "),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_is_not_as_it_was_asked_for_is_made_the_best_of(
    arguments: str, text: str, size: int
) -> None:
    assert said(arguments, size) == text


def test_the_arguments_of_functions_are_left_as_they_are() -> None:
    inputs = Inputs(["patch"])
    first = Delta("", calls=(Call(0, '{"in', "a", "find"), Call(1, '{"in', "b", "patch")))
    second = Delta("x", calls=(Call(0, 'put":"y"}'), Call(1, 'put":"y"}')))

    assert [call.arguments for call in inputs.told(first).calls] == ['{"in', ""]
    assert [call.arguments for call in inputs.told(second).calls] == ['put":"y"}', "y"]
    assert inputs.told(Delta("x")) == Delta("x")


def test_without_a_custom_tool_nothing_is_looked_at() -> None:
    assert inputs_of([{"type": "function", "name": "find"}]) is None
