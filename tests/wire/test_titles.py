"""Titles: what a model is asked, and what of its answer is a title."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.wire.titles import TITLE_LENGTH, has_title, title_messages, title_of


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Penguins of the Antarctic", "Penguins of the Antarctic"),
        ('"Penguins of the Antarctic"', "Penguins of the Antarctic"),
        ("“Pinguine” in der Antarktis.", "Pinguine” in der Antarktis"),
        ("«Les manchots»", "Les manchots"),
        ("「南極のペンギン」", "南極のペンギン"),
        ("南極のペンギン。", "南極のペンギン"),
        ("**Penguins**", "Penguins"),
        ("# Penguins\n\nMore words.", "Penguins"),
        ("Title: Penguins", "Penguins"),
        ("**Chat title:** “Penguins”", "Penguins"),
        ("\n\n  Penguins \t of\u00a0ice  \n", "Penguins of ice"),
        ("Sure! Here is a title:\n\nPenguins", "Penguins"),
        ("What do penguins eat?", "What do penguins eat?"),
        ("To be continued...", "To be continued..."),
        ("Python\u2019s GIL, explained", "Python\u2019s GIL, explained"),
        ("Titles of songs", "Titles of songs"),
        ("a\u202eb\x00c", "a b c"),
        ("Ice " * 2, "Ice Ice"),
        ("Many words " + "x" * 40 + " and others", "Many words " + "x" * 40 + " and…"),
        ("x" * 80, "x" * 59 + "…"),
    ],
)
def test_what_is_a_title_is_made_plain(said: str, title: str) -> None:
    assert title_of(said) == title


@pytest.mark.parametrize(
    "said",
    [
        "",
        " \n\n ",
        "...",
        "- - -",
        '""',
        "Title:",
        "Here is a title for you:",
        "<tool_call>",
        '{"title": "Penguins"}',
        "<|end|>",
        "the the the the",
        "no no no no no no no",
        "word " * 25,
        "Write the title alone",
        "three to six words",
    ],
)
def test_what_is_none_is_left(said: str) -> None:
    assert title_of(said) is None


@given(st.text(max_size=300))
def test_whatever_is_said_a_title_is_one_short_line_of_visible_characters(said: str) -> None:
    title = title_of(said)
    if title is not None:
        assert 0 < len(title) <= TITLE_LENGTH
        assert title == " ".join(title.split())
        assert title.isprintable()
        assert any(character.isalnum() for character in title)


@given(st.text(max_size=200), st.text(max_size=200))
def test_nothing_that_comes_after_a_title_changes_it(said: str, more: str) -> None:
    if has_title(said):
        assert title_of(said + more) == title_of(said)


def test_a_title_is_there_when_its_line_is_over() -> None:
    assert not has_title("\n\nPenguins")
    assert has_title("\n\nPenguins\n")
    assert not has_title("Here is a title:\n")
    assert has_title("talk " * 21)


def test_a_model_reads_the_beginning_only() -> None:
    (message,) = title_messages("Why?\n\n" + "ice " * 9_000, "Because.")
    content = str(message["content"])
    assert message["role"] == "user"
    assert "User: Why? ice" in content
    assert "Assistant: Because." in content
    assert len(content) < 900
