"""What items say as text, and the titles made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.history.text import TITLE_LENGTH, item_text, provisional_title


if TYPE_CHECKING:
    from tokenwire.history.values import JsonObject


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"role": "user", "content": "plain"}, "plain"),
        ({"content": [{"type": "input_text", "text": "a"}, {"text": "b"}]}, "a\nb"),
        ({"content": [{"type": "input_image", "image_url": "x"}]}, None),
        ({"summary": [{"text": "thought"}], "content": [{"text": "long"}]}, "thought\nlong"),
        ({"type": "function_call", "arguments": '{"x":1}'}, '{"x":1}'),
        ({"type": "function_call_output", "output": "42"}, "42"),
        ({"content": None, "output": 7, "summary": ["x"]}, None),
        ({"content": "cut \ud83e"}, "cut ?"),
    ],
)
def test_an_item_says_its_text(item: JsonObject, text: str | None) -> None:
    assert item_text(item) == text


def said(*texts: str) -> list[JsonObject]:
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize(
    ("items", "title"),
    [
        ([], None),
        (said(" \n "), None),
        (said("", "second"), "second"),
        ([{"role": "system", "content": "no"}, *said("yes")], "yes"),
        (said("two\n  lines"), "two lines"),
        (said("a" * 70), "a" * 60),
        (said("a" * 60), "a" * 60),
        (said("a" * 60 + " b"), "a" * 60),
        (said("word " * 30), ("word " * 12).strip()),
        (said("```md file: notes.md\n# Notes\n```\n\nWhat is in it?"), "What is in it?"),
        (said("Look:\n````\n```\ncode\n```\n````\nWhat?"), "Look: What?"),
        (said("````x\nnever closed\n```"), "never closed"),
        (said("```md file: notes.md\n# Notes\n```"), "# Notes"),
        (said("```"), "```"),
    ],
)
def test_a_title_is_the_first_thing_the_user_said(
    items: list[JsonObject], title: str | None
) -> None:
    assert provisional_title(items) == title


@given(st.text())
def test_a_title_is_a_short_beginning_on_one_line(text: str) -> None:
    title = provisional_title(said(text))
    words = " ".join(text.split())
    assert (title is None) == (not words)
    assert title is None or len(title) <= TITLE_LENGTH
    assert title is None or "```" in text or words.startswith(title)
