"""The title of a conversation, as a model is asked for it, and what is left of its answer.

Pure functions over texts. They refuse to know who asks, and when; what is no title is None.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenwire.wire.messages import Message


TITLE_LENGTH: Final = 60
# Who says more than this on a line talks instead of giving a title.
_TALK: Final = 100
# So little that reading it holds up an answer for no more than a step of the engine.
_EXCERPT: Final = 400
_ASK: Final = (
    "Below is the beginning of a chat. Give it a title: three to six words that say what it is "
    "about, in the language of the chat. Write the title alone, on one line, without quotes."
)
_LABEL: Final = re.compile(r"(?:chat )?title\s*[:\uff1a]\s*", re.IGNORECASE)
# Marks of Markdown, and the quotes of many languages.
_AROUND: Final = (
    " \t*_#`'\"\u201c\u201d\u2018\u2019\u201e\xab\xbb\u2039\u203a\u300c\u300d\u300e\u300f"
)
# Markup, JSON, a call: a model's format has got into its words.
_MARKUP: Final = re.compile(r"[<>{}|\\]")
_SAME_WORD: Final = 3


def title_messages(question: str, answer: str) -> list[Message]:
    """What a model is asked, given how the conversation begins."""
    chat = f"User: {_excerpt(question)}\n\nAssistant: {_excerpt(answer)}"
    return [{"role": "user", "content": f"{_ASK}\n\n<chat>\n{chat}\n</chat>"}]


def has_title(text: str) -> bool:
    """Whether a title is there for sure, while more is being said."""
    *whole, last = text.split("\n")
    return any(_titles(whole)) or len(last) > _TALK


def title_of(text: str) -> str | None:
    """The title in what a model said, of 60 characters at most; None where there is none."""
    line = next(_titles(text.split("\n")), "")
    if len(line) > _TALK or _MARKUP.search(line) or _stammers(line):
        return None
    if not any(character.isalnum() for character in line) or line.casefold() in _ASK.casefold():
        return None
    return _cut(line)


def _titles(lines: list[str]) -> Iterator[str]:
    """The lines that say something, without what stands around a title."""
    for line in lines:
        plain = " ".join(_visible(line).split()).strip(_AROUND)
        plain = _LABEL.sub("", plain, count=1) if _LABEL.match(plain) else plain
        plain = plain.strip(_AROUND)
        # What ends so announces the title.
        if plain and plain[-1] not in ":\uff1a":
            yield plain if plain.endswith("...") else plain.removesuffix(".").rstrip(_AROUND + "。")


def _visible(text: str) -> str:
    return "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)


def _stammers(line: str) -> bool:
    words = Counter(line.casefold().split())
    return words.total() > _SAME_WORD and max(words.values()) >= max(_SAME_WORD, words.total() / 2)


def _excerpt(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _EXCERPT else words[:_EXCERPT] + "…"


def _cut(line: str) -> str:
    if len(line) <= TITLE_LENGTH:
        return line
    head, space, _ = line[:TITLE_LENGTH].rpartition(" ")
    return (head.rstrip(" ,;:-\u2013\u2014") if space else line[: TITLE_LENGTH - 1]) + "…"
