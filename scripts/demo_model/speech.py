"""How sentences are made: alternatives in braces, slots in angle brackets, and the carelessness of
people who type. It knows how things are said and refuses to know what is being talked about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from demo_model.words import NAMES


if TYPE_CHECKING:
    from random import Random


_CHOICE = re.compile(r"\{([^{}]*)\}")
_SLOT = re.compile(r"<(\w+)>")
_KEPT = re.compile("(\x01[^\x02]*\x02)")
_ONSETS = (
    *(
        "b",
        "br",
        "c",
        "ch",
        "d",
        "dr",
        "f",
        "g",
        "gr",
        "h",
        "j",
        "k",
        "kl",
        "l",
        "m",
        "n",
        "p",
        "qu",
    ),
    *("r", "s", "sh", "st", "t", "th", "tr", "v", "w", "y", "z", "", "sn", "pl", "fl", "x"),
)
_HEARTS = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "ee", "oo", "é", "ö", "á", "ia")
_CODAS = ("", "", "", "", "n", "l", "r", "s", "m", "k", "x", "t", "ck", "nd", "rt", "sh", "ng")
_HELD_EVERY = 7


@dataclass(frozen=True)
class Check:
    """What a right answer must satisfy; `kind` names the rule, `expected` its operands."""

    kind: str
    expected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Turn:
    """A question, its answer, the skill it shows and how an answer is judged."""

    user: str
    answer: str
    skill: str
    check: Check | None = None


@dataclass
class Scene:
    """One conversation while it is being made: its chance, its mood and what was told in it."""

    rng: Random
    held: bool = False
    """Whether to draw from what training never shows."""
    facts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    called: str = ""
    brief: bool = False
    cast: tuple[str, str] = ("", "")
    """Who was in the last story."""
    carelessness: float = 0.35

    def name(self) -> str:
        if not self.held and self.rng.random() < 0.08:
            return self.invented()
        return self.rng.choice([n for n in NAMES if held_back(n) == self.held])

    def known_name(self) -> str:
        """A name for the model to think of: it can copy one that was made up, not make one up."""
        return self.rng.choice([n for n in NAMES if not held_back(n)])

    def invented(self) -> str:
        return pseudo_word(self.rng).capitalize()

    def spin(self, text: str, **slots: str) -> str:
        return spin(self.rng, text, **slots)

    def ask(self, text: str, **slots: str) -> str:
        """A user's message: spun, and typed with more or less care around the kept slots."""
        spun = spin(self.rng, text, **{key: f"\x01{value}\x02" for key, value in slots.items()})
        return careless(self.rng, spun, self.carelessness)


def held_back(word: str) -> bool:
    """Whether a word is kept for the evaluation; a sum of letters, so it never changes."""
    return sum(map(ord, word)) % _HELD_EVERY == 0


def spin(rng: Random, text: str, **slots: str) -> str:
    """Chooses one of each `{a|b}`, inside out, then fills each `<slot>`."""
    while found := _CHOICE.search(text):
        chosen = rng.choice(found.group(1).split("|"))
        text = text[: found.start()] + chosen + text[found.end() :]
    return _SLOT.sub(lambda slot: slots.get(slot.group(1), slot.group(0)), text)


def pseudo_word(rng: Random, syllables: int = 0) -> str:
    """A word that can be said and is in no dictionary, so that copying has to be learned."""
    count = syllables or rng.choice((2, 2, 2, 3))
    parts = (rng.choice(_ONSETS) + rng.choice(_HEARTS) + rng.choice(_CODAS) for _ in range(count))
    return "".join(parts)


def careless(rng: Random, text: str, chance: float) -> str:
    """Typing as people do it. What lies between the two marks is left as it is."""
    if rng.random() < chance:
        text = rng.choice((_lower, _lower, _unpunctuated, _bare, _mistyped, _lower_mistyped))(
            rng, text
        )
    return text.replace("\x01", "").replace("\x02", "")


def _outside(text: str, change: object) -> str:
    assert callable(change)
    parts = _KEPT.split(text)
    return "".join(part if part.startswith("\x01") else change(part) for part in parts)


def _lower(_: Random, text: str) -> str:
    return _outside(text, str.lower)


def _unpunctuated(_: Random, text: str) -> str:
    return text.rstrip(".!?")


def _bare(rng: Random, text: str) -> str:
    return _lower(rng, re.sub(r"[!?,']|\.(?!\d)", "", text))


def _mistyped(rng: Random, text: str) -> str:
    """One or two slips of the finger: a letter dropped, doubled or swapped with the next."""
    for _ in range(rng.choice((1, 1, 2))):
        text = _outside(text, lambda part: _slip(rng, part))
    return text


def _lower_mistyped(rng: Random, text: str) -> str:
    return _unpunctuated(rng, _lower(rng, _mistyped(rng, text)))


def _slip(rng: Random, part: str) -> str:
    if len(part) < 6:
        return part
    at = rng.randrange(1, len(part) - 2)
    if not part[at : at + 2].isalpha():
        return part
    slips = (
        part[:at] + part[at + 1 :],
        part[:at] + part[at] + part[at:],
        part[:at] + part[at + 1] + part[at] + part[at + 2 :],
    )
    return rng.choice(slips)
