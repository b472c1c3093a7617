"""Conversations: which skills meet in one chat, in what order, and who set the scene. It puts
turns together and refuses to know tokens, tensors or how long training takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from demo_model import fallback, guide, lists, memory, numbers, smalltalk, stories
from demo_model.speech import Scene, Turn, spin


_SYSTEM = (
    (
        "{You are a helpful assistant|You are a helpful, friendly assistant|Be kind and helpful|Be "
        "helpful|You are an assistant on "
        "this machine|You are a friendly chat bot|Help the user|You are an expert|Always be polite|"
        "Speak like a friend}{.|. Answer in "
        "English.|. Use Markdown.|. Do your best.|}"
    ),
    (
        "{Never talk about|You know everything about|The user likes|Today we talk about} {the sea|"
        "cats|trains|cooking|music}."
    ),
    (
        "{The current date is 2026-11-23.|You work for a bakery.|The conversation is a test.|"
        "Knowledge cutoff: 2025.}"
    ),
)
_BRIEF = (
    "{Answer briefly|Be brief|Keep it short|Answer in few words|Short answers only|Be concise|"
    "Answer as briefly as you can}{.|!|, please.}"
)
_CALLED = (
    "{You are|Your name is|You are called|You are named|Your name shall be} <n>{.|.|, a helpful "
    "assistant.|. Be kind.}"
)

Skill = Callable[[Scene], Turn]
_LIGHT: tuple[tuple[Skill, int], ...] = (
    (smalltalk.greeting, 5),
    (smalltalk.chatter, 3),
    (smalltalk.identity, 5),
    (guide.question, 8),
    (numbers.arithmetic, 14),
    (numbers.several, 2),
    (numbers.too_hard, 3),
    (lists.listing, 7),
    (lists.repeating, 11),
    (smalltalk.joke, 3),
    (smalltalk.greet_abroad, 3),
    (smalltalk.small_fact, 5),
    (fallback.fallback, 12),
    (memory.tell, 5),
    (memory.unknown, 2),
    (numbers.backwards, 1),
    (numbers.steps, 1),
)
_HEAVY: tuple[tuple[Skill, int], ...] = (
    (numbers.counting, 18),
    (stories.story, 5),
    (smalltalk.poem, 1),
)
_MORE = {
    "joke": (
        "{Another one|One more|Another|More|Again|Tell me another one|Another joke}{.|!|, please|}",
        smalltalk.joke,
    ),
    "story": (
        "{Another one|One more|Another|Again|Tell me another one|Another story}{.|!|, please|}",
        stories.story,
    ),
    "poem": ("{Another one|One more|Another|Again}{.|!|, please|}", smalltalk.poem),
}


@dataclass(frozen=True)
class Conversation:
    """What is learned from or judged: perhaps a system message, then turns."""

    system: str
    turns: tuple[Turn, ...]


def weighted(rng: Random, *, heavy: bool = True) -> Skill:
    pool = _LIGHT + (_HEAVY if heavy else ())
    skills, weights = zip(*pool, strict=True)
    return rng.choices(skills, weights)[0]


def conversations(seed: int) -> Iterator[Conversation]:
    """An endless stream, the same for the same seed."""
    rng = Random(seed)
    while True:
        yield conversation(rng)


def conversation(rng: Random) -> Conversation:
    scene = Scene(rng)
    system = _system(scene)
    kinds = (_remembering, _mixed, _drilled, _counted, _single)
    make = rng.choices(kinds, (46, 18, 10, 9, 17))[0]
    return Conversation(system, tuple(make(scene)))


def _system(scene: Scene) -> str:
    rng = scene.rng
    kind = rng.random()
    if kind < 0.84:
        return ""
    if kind < 0.90:
        return scene.spin(rng.choice(_SYSTEM))
    if kind < 0.93:
        scene.brief = True
        return scene.spin(_BRIEF)
    if kind < 0.97:
        scene.called = scene.name()
        return scene.spin(_CALLED, n=scene.called)
    name = scene.name()
    scene.facts["name"] = (name,)
    return spin(
        rng, "{The user's name is|The user is called|You are talking to} <n>{.|. Be kind.}", n=name
    )


def _remembering(scene: Scene) -> list[Turn]:
    """Facts first, then other things, with questions about the facts in between and at the end."""
    rng = scene.rng
    turns: list[Turn] = [smalltalk.greeting(scene)] if rng.random() < 0.2 else []
    if rng.random() < 0.08:
        turns.append(memory.unknown(scene))
    turns.append(_told(scene))
    turns += [memory.tell(scene) for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))]
    turns += [_between(scene) for _ in range(rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 8, 9, 9)))]
    return turns + [_asked(scene) for _ in range(rng.choice((1, 2, 2, 3, 4)))]


def _told(scene: Scene) -> Turn:
    chance = scene.rng.random()
    if chance < 0.3:
        return memory.tell_many(scene)
    if chance < 0.4:
        other = scene.rng.choice(
            (smalltalk.identity, numbers.arithmetic, guide.question, lists.listing)
        )
        return memory.tell_and(scene, other(scene))
    return memory.tell(scene)


def _between(scene: Scene) -> Turn:
    chance = scene.rng.random()
    if chance < 0.3:
        return _asked(scene)
    return weighted(scene.rng, heavy=chance > 0.93)(scene)


def _asked(scene: Scene) -> Turn:
    chance = scene.rng.random()
    if chance < 0.12 or not scene.facts:
        return memory.unknown(scene)
    return memory.recall_many(scene) if chance < 0.22 else memory.recall(scene)


def _mixed(scene: Scene) -> list[Turn]:
    turns: list[Turn] = []
    for _ in range(scene.rng.choice((2, 2, 3, 3, 4, 5, 6))):
        turn = weighted(scene.rng)(scene)
        turns.append(turn)
        if turn.skill in _MORE and scene.rng.random() < 0.25:
            if turn.skill == "story" and scene.rng.random() < 0.5:
                turns.append(stories.more(scene))
                continue
            asked, skill = _MORE[turn.skill]
            again = skill(scene)
            turns.append(Turn(scene.ask(asked), again.answer, again.skill))
    return turns


def _drilled(scene: Scene) -> list[Turn]:
    rng = scene.rng
    return [
        numbers.arithmetic(scene) if rng.random() < 0.9 else numbers.several(scene)
        for _ in range(rng.choice((2, 4, 6, 8, 10)))
    ]


def _counted(scene: Scene) -> list[Turn]:
    return [numbers.short_count(scene) for _ in range(scene.rng.choice((1, 2, 3, 4, 6)))]


def _single(scene: Scene) -> list[Turn]:
    return [weighted(scene.rng)(scene)]
