"""The score: held-out conversations by skill, answered greedily and with the shipped sampling,
judged by rule. It asks the exported folder as any user of it would, and refuses to know how it was
trained.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, cast

from vllm import LLM, SamplingParams

from demo_model import fallback, guide, lists, memory, numbers, smalltalk, stories
from demo_model.corpus import weighted
from demo_model.export import SAMPLING
from demo_model.speech import Check, Scene, Turn


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_MARKS = ("<!-- scores -->", "<!-- end of scores -->")
_AT_ONCE = 64
_GREEDY = {"temperature": 0.0}
Chat = list[dict[str, str]]
_FACTS_ASKED = ("name", "name", "place", "colour", "pet", "food", "number")


@dataclass(frozen=True)
class Case:
    """What was said before, the last question, and how its answer is judged."""

    before: tuple[Turn, ...]
    last: Turn


def _only(skill: Callable[[Scene], Turn], kinds: tuple[str, ...] = ()) -> Callable[[Random], Case]:
    """A skill asked alone, or after a few other turns."""

    def make(rng: Random) -> Case:
        scene = Scene(rng, held=True)
        before = tuple(_other(scene) for _ in range(rng.choice((0, 0, 1, 2, 3))))
        while True:
            last = skill(scene)
            if not kinds or (last.check and last.check.kind in kinds):
                return Case(before, last)

    return make


def _other(scene: Scene) -> Turn:
    """A turn of another skill that changes no fact."""
    while True:
        facts = dict(scene.facts)
        turn = weighted(scene.rng, heavy=False)(scene)
        if scene.facts == facts and turn.skill not in ("told", "not told"):
            return turn
        scene.facts = facts


def _recall(nearest: int, farthest: int) -> Callable[[Random], Case]:
    def make(rng: Random) -> Case:
        scene = Scene(rng, held=True)
        kind = rng.choice(_FACTS_ASKED)
        told = [memory.tell(scene, kind)]
        others = rng.sample(sorted(set(_FACTS_ASKED) - {kind}), rng.choice((0, 1, 2)))
        told += [memory.tell(scene, other) for other in others]
        between = tuple(_other(scene) for _ in range(rng.randint(nearest, farthest)))
        return Case((*told, *between), memory.recall(scene, kind))

    return make


SKILLS: dict[str, Callable[[Random], Case]] = {
    "recall, 0 to 5 turns later": _recall(0, 5),
    "recall, 6 to 9 turns later": _recall(6, 9),
    "a fact that was not told": _only(memory.unknown),
    "addition": _only(lambda scene: numbers.arithmetic(scene, "+")),
    "subtraction": _only(lambda scene: numbers.arithmetic(scene, "-")),
    "counting": _only(numbers.counting),
    "listing": _only(lists.listing),
    "repeating": _only(lists.repeating),
    "greeting": _only(smalltalk.greeting),
    "identity": _only(smalltalk.identity),
    "questions about Tokenwire": _only(guide.question),
    "small facts": _only(smalltalk.small_fact, ("contains",)),
    "story names who was asked for": _only(lambda scene: stories.story(scene, long=False)),
    "long story of 150 words or more": _only(lambda scene: _long_story(scene)),
    "all else: says that it is a demo": _only(fallback.fallback),
}


def _long_story(scene: Scene) -> Turn:
    turn = stories.story(scene, long=True)
    expected = turn.check.expected if turn.check else ()
    return replace(turn, check=Check("long story", expected))


def passes(check: Check, answer: str) -> bool:
    """Whether an answer satisfies its rule."""
    return _RULES[check.kind](answer, check.expected)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"(?<!\d)-?\d+", text)]


def _counted(answer: str, expected: tuple[str, ...]) -> bool:
    first, last, step = (int(number) for number in expected)
    return _numbers(answer) == list(range(first, last + (1 if step > 0 else -1), step))


def _listed(answer: str, expected: tuple[str, ...]) -> bool:
    items = re.findall(r"^(?:-|\d+\.) (.+)$", answer, re.MULTILINE)
    return (
        len(items) == int(expected[0])
        and len(set(items)) == len(items)
        and set(items) <= set(expected)
    )


def _repeated(answer: str, expected: tuple[str, ...]) -> bool:
    return re.sub(r"^[A-Z][a-z ]+:\s+", "", answer) == expected[0]


def _has(*words: str) -> Callable[[str, tuple[str, ...]], bool]:
    return lambda answer, _: any(word in answer for word in words)


def _contains(answer: str, expected: tuple[str, ...]) -> bool:
    return all(part in answer for part in expected)


_RULES: dict[str, Callable[[str, tuple[str, ...]], bool]] = {
    "copied": lambda answer, expected: (
        re.search(rf"(?<!\w){re.escape(expected[0])}(?!\w)", answer) is not None
    ),
    "result": lambda answer, expected: _numbers(answer)[-1:] == [int(expected[0])],
    "numbers": _counted,
    "list": _listed,
    "repeated": _repeated,
    "contains": _contains,
    "story": lambda answer, expected: _contains(answer, expected) and len(answer.split()) > 40,
    "long story": lambda answer, expected: (
        _contains(answer, expected) and len(answer.split()) >= 150
    ),
    "demo": lambda answer, _: "demo" in answer and "the Tokenwire demo model" not in answer,
    "greeting": lambda answer, _: re.match(r"(Hello|Hi|Hey|Good)", answer) is not None,
    "how": _has("thank", "Fine", "fine", "well", "good shape", "small but quick"),
    "thanks": _has("welcome", "pleasure", "help", "Any time"),
    "bye": _has("bye", "Bye", "See you", "Take care", "next time"),
    "identity": _has("Tokenwire demo model"),
    "not told": _has("not told me", "haven't told me"),
    "any": lambda answer, _: bool(answer.strip()),
}


class Player:
    """The exported model behind its own chat template, in the engine that serves it."""

    def __init__(self, folder: Path) -> None:
        self.model = LLM(
            str(folder),
            dtype="bfloat16",
            enforce_eager=True,
            max_num_seqs=_AT_ONCE,
            max_num_batched_tokens=16_384,
            kv_cache_memory_bytes=1 << 30,
            seed=7,
        )

    def answers(self, chats: list[Chat], longest: int, *, sampled: bool) -> list[str]:
        how = {key: SAMPLING[key] for key in ("temperature", "top_p")} if sampled else _GREEDY
        params = SamplingParams(max_tokens=longest, **how)
        made = self.model.chat(cast("Any", chats), params, use_tqdm=False)
        return [each.outputs[0].text for each in made]


def chat(case: Case) -> Chat:
    messages: Chat = []
    for turn in case.before:
        messages.append({"role": "user", "content": turn.user})
        messages.append({"role": "assistant", "content": turn.answer})
    return [*messages, {"role": "user", "content": case.last.user}]


def score(player: Player, skill: str, count: int, *, sampled: bool) -> tuple[float, list[str]]:
    """The share of right answers in per cent, and what was said where they were wrong."""
    rng = Random(f"held out {skill}")
    cases = [SKILLS[skill](rng) for _ in range(count)]
    longest = 900 if skill == "counting" else 600 if "story" in skill else 260
    answers = player.answers([chat(case) for case in cases], longest, sampled=sampled)
    wrong = [
        f"{case.last.user!r} -> {answer!r} (wanted {case.last.check.expected[:2]})"
        for case, answer in zip(cases, answers, strict=True)
        if case.last.check and not passes(case.last.check, answer)
    ]
    return 100 * (1 - len(wrong) / count), wrong


def evaluate(folder: Path, count: int, only: str = "") -> None:
    """Scores every skill twice and puts the table into the model's README."""
    player = Player(folder)
    rows = ["| skill | cases | greedy | sampled |", "|---|---:|---:|---:|"]
    for skill in SKILLS:
        if only and only not in skill:
            continue
        greedy, wrong = score(player, skill, count, sampled=False)
        sampled, _ = score(player, skill, count, sampled=True)
        rows.append(f"| {skill} | {count} | {greedy:.1f} % | {sampled:.1f} % |")
        print(rows[-1], flush=True)
        for line in wrong[:4]:
            print("    ", line[:300], flush=True)
    if not only:
        _write_table(folder / "README.md", "\n".join(rows))


def _write_table(path: Path, table: str) -> None:
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(_MARKS[0], 1)
    after = rest.split(_MARKS[1], 1)[1]
    path.write_text(f"{before}{_MARKS[0]}\n\n{table}\n\n{_MARKS[1]}{after}", encoding="utf-8")
