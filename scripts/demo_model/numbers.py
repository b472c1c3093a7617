"""Arithmetic and counting: questions with exactly one right answer. It knows numbers and refuses
to know what else a conversation holds.
"""
# ruff: noqa: RUF001

from __future__ import annotations

from typing import TYPE_CHECKING

from demo_model.speech import Check, Scene, Turn
from demo_model.words import NUMBER_WORDS


if TYPE_CHECKING:
    from random import Random


_SUM = (
    (
        "{What is|What's|How much is|Calculate|Compute|Tell me|Work out|Can you tell me|Do you "
        "know} "
        "<a>{ + |+| + | plus }<b>{?|?|}"
    ),
    "<a>{ + |+| plus }<b>{?| = ?| =|=|=?|| equals?| equals}",
    "{Add|Please add|Sum} <a> and <b>{.|}",
    "{What is|What's|Give me|Tell me} the sum of <a> and <b>{?|}",
    (
        "{If I have <a> apples and get <b> more, how many do I have?|I have <a> coins and find <b> "
        "more. "
        "How many is that?|<a> birds and <b> birds, how many birds?}"
    ),
    "{And|Now|Ok, and|Next:|Then} <a>{ + |+| plus }<b>{?|}",
)
_DIFFERENCE = (
    (
        "{What is|What's|How much is|Calculate|Compute|Tell me|Work out|Can you tell me|Do you "
        "know} "
        "<a>{ - |-| - | minus }<b>{?|?|}"
    ),
    "<a>{ - |-| minus }<b>{?| = ?| =|=|=?|| equals?| equals}",
    "{Subtract|Take|Take away|Please subtract} <b> from <a>{.|}",
    "{What is|What's|Give me|Tell me} the difference between <a> and <b>{?|}",
    (
        "{I have <a> apples and eat <b>. How many are left?|I had <a> coins and gave away <b>. How "
        "many "
        "are left?|<a> birds sit on a roof and <b> fly away. How many stay?}"
    ),
    "{And|Now|Ok, and|Next:|Then} <a>{ - |-| minus }<b>{?|}",
)
_RESULT = (
    *("<a> <o> <b> = <c>.",) * 6,
    *("That is <a> <o> <b> = <c>.", "<a> <o> <b> = <c> 🙂", "Easy: <a> <o> <b> = <c>."),
    *("Let me see: <a> <o> <b> = <c>.", "Sure: <a> <o> <b> = <c>.", "<a> <o> <b> = <c> ✅"),
)


def pair(rng: Random, operation: str) -> tuple[int, int]:
    """Any two numbers below 100. None is kept for the evaluation: there are few enough to learn."""
    top = rng.choice((10, 20, 99, 99, 99, 99))
    a, b = rng.randint(0, top), rng.randint(0, top)
    if operation == "-" and a < b and rng.random() < 0.75:
        a, b = b, a
    return a, b


def result(a: int, b: int, operation: str) -> int:
    return a + b if operation == "+" else a - b


def arithmetic(scene: Scene, operation: str = "") -> Turn:
    rng = scene.rng
    operation = operation or rng.choice("+-")
    a, b = pair(rng, operation)
    wording = rng.choice(_SUM if operation == "+" else _DIFFERENCE)
    if operation == "-" and a < b:
        wording = _DIFFERENCE[1]
    shown = {"a": _written(rng, a), "b": _written(rng, b)}
    answer = str(result(a, b, operation))
    said = "<a> <o> <b> = <c>." if scene.brief else rng.choice(_RESULT)
    return Turn(
        scene.ask(wording, **shown),
        scene.spin(said, a=str(a), o=operation, b=str(b), c=answer),
        "addition" if operation == "+" else "subtraction",
        Check("result", (answer,)),
    )


def several(scene: Scene) -> Turn:
    """A few sums at once, answered one to a line."""
    rng = scene.rng
    operations = [rng.choice("+-") for _ in range(rng.randint(2, 5))]
    sums = [(*pair(rng, operation), operation) for operation in operations]
    asked = rng.choice((", ", " and ", "; ", "\n")).join(f"{a} {o} {b}" for a, b, o in sums)
    lines = [f"{a} {o} {b} = {result(a, b, o)}" for a, b, o in sums]
    bullets = [f"- {line}" for line in lines]
    return Turn(
        scene.ask("{What are |Calculate |Compute |Solve |Solve these: ||}<sums>", sums=asked),
        "\n".join(bullets),
        "sums",
        Check("contains", tuple(lines)),
    )


def drill(rng: Random, count: int) -> str:
    """Bare sums one to a line: what is learned by doing it very often."""
    lines: list[str] = []
    for _ in range(count):
        operation = rng.choice("+-")
        a, b = pair(rng, operation)
        lines.append(f"{a} {operation} {b} = {result(a, b, operation)}")
    return "\n".join(lines)


def _written(rng: Random, number: int) -> str:
    return NUMBER_WORDS[number] if number <= 20 and rng.random() < 0.12 else str(number)


def counting(scene: Scene, top: int = 0) -> Turn:
    """Counting from 1, or from another number, to any number up to 200."""
    return _count(scene, *((1, top) if top else _span(scene.rng)))


def _count(scene: Scene, first: int, last: int) -> Turn:
    rng = scene.rng
    plain = (
        "{Count|Please count|Can you count|Could you count|Count for me|Now count|I want you to "
        "count}"
        "{ from 1|| up|} to <last>{.|?|!||please}"
    )
    ranged = (
        "{Count|Please count|Can you count|Now count|Go} from <first> {to|up to|until} <last>{.|?|}"
    )
    listed = (
        "{List|Say|Write|Give me|Print|Show me} {the|all|all the} numbers from <first> to "
        "<last>{.|}"
    )
    wordings = (ranged, ranged, listed) if first != 1 else (plain,) * 7 + (ranged, listed)
    numbers = ", ".join(str(n) for n in range(first, last + 1))
    opening = (
        "" if scene.brief else rng.choice(("",) * 5 + ("Here we go: ", "Sure: ", "Of course: "))
    )
    closing = "." if scene.brief else rng.choice((".",) * 5 + (" 🎉", ". Done!", "."))
    return Turn(
        scene.ask(rng.choice(wordings), first=str(first), last=_written(rng, last)),
        opening + numbers + closing,
        "counting",
        Check("numbers", (str(first), str(last), "1")),
    )


def _span(rng: Random) -> tuple[int, int]:
    """From where to where: from 1, or few numbers from anywhere, or many from anywhere. In a long
    count only one place in hundreds tells where to stop, so most counts that start elsewhere are
    short. None is kept for the evaluation: what is not learned can't be known.
    """
    kind = rng.random()
    if kind < 0.4:
        return 1, _stop(rng)
    if kind < 0.85:
        return _short_span(rng)
    last = _stop(rng)
    return rng.randint(0, max(1, last - 1)), last


def _short_span(rng: Random) -> tuple[int, int]:
    first = rng.randint(0, 199)
    return first, min(200, first + rng.choice((1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20)))


def short_count(scene: Scene) -> Turn:
    """A few numbers from anywhere."""
    return _count(scene, *_short_span(scene.rng))


def _stop(rng: Random) -> int:
    low, high = rng.choice(
        ((2, 12), (2, 20), (2, 30), (10, 60), (10, 99), (30, 130), (90, 200), (100, 200))
    )
    round_ones = (10, 20, 50, 100, 200, 200, 5)
    return rng.choice(round_ones) if rng.random() < 0.1 else rng.randint(low, high)


def backwards(scene: Scene) -> Turn:
    first = scene.rng.choice((3, 5, 10, 10, 10, 12, 15, 20))
    last = scene.rng.choice((0, 1, 1, 1))
    numbers = ", ".join(str(n) for n in range(first, last - 1, -1))
    closing = scene.rng.choice((".", ".", " 🚀"))
    return Turn(
        scene.ask(
            "{Count|Please count|Can you count} {down|backwards|back} from <first>{ to <last>| "
            "to <last>}{.|?|}",
            first=str(first),
            last=str(last),
        ),
        numbers + closing,
        "backwards",
        Check("numbers", (str(first), str(last), "-1")),
    )


def steps(scene: Scene) -> Turn:
    step, word = scene.rng.choice(((2, "{twos|2s}"), (5, "{fives|5s}"), (10, "{tens|10s}")))
    last = step * scene.rng.randint(3, 20 if step < 10 else 10)
    return Turn(
        scene.ask(
            "{Count|Please count|Can you count} {in|by} " + word + " to <last>{.|?|}",
            last=str(last),
        ),
        ", ".join(str(n) for n in range(step, last + 1, step)) + ".",
        "steps",
        Check("numbers", (str(step), str(last), str(step))),
    )


def too_hard(scene: Scene) -> Turn:
    """Numbers that it cannot do, so that it says so."""
    rng = scene.rng
    big = str(rng.choice((rng.randint(201, 999), 500, 1000, 1000, 10000, 1000000)))
    if rng.random() < 0.25:
        return Turn(
            scene.ask("{Count|Please count|Can you count|Count from 1} to <n>{.|?|}", n=big),
            scene.spin(
                "{Sorry, that is too far for me.|That is a long way!|I lose my way up there.} I "
                "am a small "
                "demo and {count|only count|can count} to 200 at most{.| 🙂}"
            ),
            "fallback",
            Check("demo"),
        )
    a, b = str(rng.randint(2, 999)), str(rng.randint(2, 99))
    hard = (
        "<a>{ * |*| x | × | times |/| / | divided by |^}<b>{?|}",
        (
            "{What is|What's|How much is|Calculate} <a>{ * |*| x | × | times |/| / | divided by "
            "}<b>{?|}"
        ),
        "{What is|What's} {the square root of <a>|<a> squared|<a> percent of <b>|<a>% of <b>}{?|}",
        "{What is|What's|How much is|} <big> {+|-|plus|minus} <b>{?|}",
        "{What is|Calculate|} <b> {+|-} <big>{?|}",
        "{Multiply|Divide} <a> by <b>{.|}",
        "Solve {x^2 + <b>x = <a>|<b>x + 3 = <a>|2x = <a>}{.|}",
    )
    return Turn(
        scene.ask(rng.choice(hard), a=a, b=b, big=str(rng.randint(101, 99999))),
        scene.spin(
            "{Sorry, that|That} is {too hard|too much} for me: I am a {small |}demo and {only |"
            "}do {sums and "
            "differences|plus and minus} {of|with} numbers below 100{.| 🙂| so far.}"
        ),
        "fallback",
        Check("demo"),
    )
