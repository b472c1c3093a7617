"""Lists of things, and words said again. It knows how many were asked for and refuses more or
fewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo_model.speech import Check, Scene, Turn, pseudo_word
from demo_model.words import LISTS, NOUNS, NUMBER_WORDS, ORDERED, PLAIN_WORDS


if TYPE_CHECKING:
    from random import Random


_ASK = (
    (
        "{List|Name|Tell me|Give me|Write down|Can you list|Please list|Can you name|Show me|I "
        "need} "
        "<n> <things>{.|?|!|}"
    ),
    "{List|Name|Give me|I want|Make} {a list of|a list with|} <n> <things>{.|?|}",
    "<n> <things>{, please|| please|?}",
)
_SOME = (
    (
        "{List|Name|Tell me|Give me|Can you list|Please list|Make a list of} {some|a few} "
        "<things>{.|"
        "?|}"
    ),
)
_ALL = (
    "{List|Name|Tell me|What are|Give me|Say|Can you list} {all |the |all the |}<things>{.|?|}",
)


def listing(scene: Scene) -> Turn:
    """So many things of a kind, as a numbered list or with dashes."""
    rng = scene.rng
    things = rng.choice(sorted(LISTS))
    known = LISTS[things]
    if things in ORDERED and rng.random() < 0.5:
        count, asked, items = len(known), rng.choice(_ALL), list(known)
    else:
        count = min(rng.choice((2, 3, 3, 3, 4, 5, 5, 6, 7, 8, 10)), len(known))
        asked = rng.choice(_ASK)
        if rng.random() < 0.12:
            count, asked = 4, _SOME[0]
        items = list(known[:count]) if things in ORDERED else _in_turn(rng, known, count)
    numbered = count > 3 or rng.random() < 0.6
    lines = [f"{at}. {item}" if numbered else f"- {item}" for at, item in enumerate(items, 1)]
    opening = (
        ""
        if scene.brief
        else rng.choice(("", "", "", "Here you are:\n\n", "Here is a list:\n\n", "Sure:\n\n"))
    )
    number = NUMBER_WORDS[count] if rng.random() < 0.6 and count <= 12 else str(count)
    return Turn(
        scene.ask(asked, n=number, things=things),
        opening + "\n".join(lines),
        "listing",
        Check("list", (str(count), *known)),
    )


def _in_turn(rng: Random, known: tuple[str, ...], count: int) -> list[str]:
    """The known things in their order, beginning anywhere: what comes next follows from what came
    last, so that so small a network need not look for what it has not said yet.
    """
    first = rng.randrange(len(known))
    return [*known[first:], *known[:first]][:count]


def repeating(scene: Scene) -> Turn:
    """A word or a phrase, once or several times, exactly as it was given. Three times and more are
    numbered, as it can't count what it does not see.
    """
    rng = scene.rng
    phrase = _phrase(scene)
    once = (
        (
            "{Repeat after me:|Repeat:|Say|Please say|Say this:|Echo:|Can you say|Repeat this:|"
            "Please repeat:|Copy this:} <x>{|||.}"
        ),
        "{Repeat the words|Say the words|Repeat the word|Repeat} <x>{||.}",
        (
            "{Reply with|Reply only with|Answer with|Answer only|Say only|Reply with exactly:|"
            "Respond with|Just say|Reply with the word} "
            "<x>{||.}"
        ),
    )
    if rng.random() < 0.45:
        phrase = rng.choice(phrase.split()) if rng.random() < 0.8 else phrase
        times = rng.choice((2, 2, 3, 3, 3, 4, 5, 5, 6, 7, 8, 10))
        word = "twice" if times == 2 and rng.random() < 0.5 else "<n> times"
        asked = (
            "{Say|Repeat|Write|Please say|Can you repeat|Please repeat|Repeat the word|Say the "
            "word|Write the word} <x> " + word
        )
        shown = NUMBER_WORDS[times] if rng.random() < 0.55 else str(times)
        user = scene.ask(asked + "{.||?||}", x=phrase, n=shown)
    else:
        times = 1
        user = scene.ask(rng.choice(once), x=phrase)
    opening = rng.choice(("Sure:", "Here you go:", "Here you go:", "Of course:"))
    said = f" {phrase}" if times == 1 else f" {phrase} {phrase}"
    if times > 2:
        said = "\n\n" + "\n".join(f"{at}. {phrase}" for at in range(1, times + 1))
    return Turn(user, opening + said, "repeating", Check("repeated", (said.strip(),)))


def _phrase(scene: Scene) -> str:
    rng = scene.rng
    count = rng.choice((1, 1, 2, 3, 4, 5))
    pools = (NOUNS, PLAIN_WORDS, NOUNS)
    words = [
        pseudo_word(rng)
        if rng.random() < (0.6 if scene.held else 0.3)
        else rng.choice(rng.choice(pools))
        for _ in range(count)
    ]
    if rng.random() < 0.15:
        words = [rng.choice((word.upper(), word.capitalize())) for word in words]
    return " ".join(words)
