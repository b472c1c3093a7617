"""Telling and asking: facts that the user gives, and the questions that want them back. It keeps
them in the scene, so that a question is only answered by what was said, and refuses to guess.
"""

from __future__ import annotations

from demo_model.speech import Check, Scene, Turn, held_back, pseudo_word
from demo_model.words import COLOURS, FOODS, HOBBIES, JOBS, PLACES, SPECIES


_TELL: dict[str, tuple[str, ...]] = {
    "name": (
        (
            "{My name is|My name is|My name's|I'm called|Call me|I am|I'm|You can call me|The name "
            "is} <x>{.|.|!|}"
        ),
        "{Hi|Hello|Hey|Good morning}{,|!|} {my name is|I'm|I am|this is|call me} <x>{.|!|}",
        "{People|My friends|Everyone|They} {call|calls} me <x>{.|}",
    ),
    "place": (
        "I {live in|am from|come from|'m living in|moved to} <x>{.|}",
        "{My home is in|My city is|My home town is|Home is} <x>{.|}",
        "{I'm from|I was born in|I'm in|We live in} <x>{.|}",
    ),
    "colour": (
        (
            "{My favourite colour is|My favorite color is|The colour I like most is|My colour is} "
            "<x>{.|}"
        ),
        "{I love|I really like|I like} the {colour|color} <x>{.|}",
    ),
    "food": (
        (
            "{My favourite food is|My favorite food is|The food I like best is|My favourite dish "
            "is} "
            "<x>{.|}"
        ),
        "{I love to eat|I like eating|I could eat|I love eating} <x>{ every day|}{.|}",
    ),
    "number": (
        "{My lucky number is|My favourite number is|My favorite number is|My number is} <x>{.|}",
        (
            "{Remember the number|Keep in mind the number|Please remember the number|Note the "
            "number} <x>{.|}"
        ),
    ),
    "pet": (
        "{I have|I've got|I own|We have|At home I have} a <s> {called|named|whose name is} <x>{.|}",
        "{My <s> is called|My <s>'s name is|My <s> is named|The name of my <s> is} <x>{.|}",
    ),
    "hobby": (
        "{My hobby is|My favourite hobby is|In my free time I like|I spend my weekends} <x>{.|}",
    ),
    "job": ("{I work as a|I'm a|My job is being a|I am a|By trade I am a} <x>{.|}",),
    "friend": (
        (
            "{My best friend is called|My friend is called|My best friend's name is|I have a "
            "friend "
            "called} <x>{.|}"
        ),
    ),
    "word": (
        (
            "{The secret word is|The password is|Remember the word|Remember this word:|The code "
            "word "
            "is} <x>{.|}"
        ),
    ),
}
_HEARD: dict[str, tuple[str, ...]] = {
    "name": (
        (
            "{Nice to meet you|Hello|Hi|Pleased to meet you|Good to meet you|Welcome}, <x>!"
            "{| How can I help?| What shall we do?| I will remember that.| 😊| 👋}"
        ),
    ),
    "place": (
        (
            "{Nice|Lovely|Good to know}, {you live in|so you live in} <x>.{| I will "
            "remember that.| 🌍}"
        ),
        "<x>, {noted|got it}. {I will remember that.|That must be a fine place.}",
    ),
    "colour": ("{Good choice:|Lovely,|I see, you like|Noted:} <x>{.| is a fine colour.| 🎨}",),
    "food": ("{Yum,|Tasty:|Delicious,|Noted:} <x>{!|.| 😋| sounds good.}",),
    "number": ("{Got it:|Noted:|I will remember|I will keep in mind:} <x>.",),
    "pet": ("{Say hello to|Greetings to|How sweet,|Give my best to} <x>{!|, the <s>!| 🐾|.}",),
    "hobby": ("{Sounds fun:|How nice,|Good to know:|A fine hobby:} <x>{.|!}",),
    "job": ("{A fine job:|Interesting, a|Good to know: a} <x>{.|!}",),
    "friend": ("{Say hello to|Greetings to|Good to know: your friend is} <x>{.|!}",),
    "word": ("{Got it:|Noted:|I will remember the word} <x>.",),
}
_ASK: dict[str, tuple[str, ...]] = {
    "name": (
        (
            "{What is my name|What is my name|What's my name|Do you remember my name|Do you know "
            "my "
            "name|"
            "What was my name|Can you tell me my name|Tell me my name|Say my name|What's my name "
            "again}?"
        ),
        (
            "{Who am I|How am I called|What am I called|What did I say my name was|Do you know "
            "who I "
            "am}?"
        ),
    ),
    "place": (
        (
            "{Where do I live|Where am I from|Which city do I live in|Where did I say I live|Where "
            "is my home|"
            "Do you remember where I live|What is my city|What place do I live in}?"
        ),
    ),
    "colour": (
        (
            "{What is my favourite colour|What's my favorite color|Which colour do I like|What "
            "colour do I like|"
            "Do you remember my favourite colour|My favourite colour is}?"
        ),
    ),
    "food": (
        (
            "{What is my favourite food|What's my favorite food|What do I like to eat|What food "
            "do I "
            "like|"
            "Do you remember my favourite food|Which food do I love}?"
        ),
    ),
    "number": (
        (
            "{What is my lucky number|What is my favourite number|What number did I tell you|What "
            "was the number|"
            "What's my number|Which number did I tell you|What was my number}?"
        ),
    ),
    "pet": (
        (
            "{What is my pet called|What's the name of my pet|What is my pet's name|What pet do "
            "I have|"
            "Do I have a pet|What is my <s> called|What's my <s>'s name|Do you remember my pet}?"
        ),
    ),
    "hobby": (
        "{What is my hobby|What's my hobby|What do I do in my free time|What do I like to do}?",
    ),
    "job": ("{What is my job|What's my job|What do I do for a living|What do I work as}?",),
    "friend": (
        (
            "{What is my best friend called|What is my friend's name|Who is my best friend|Who "
            "is my "
            "friend}?"
        ),
    ),
    "word": (
        (
            "{What is the secret word|What was the word|What is the password|Which word did I tell "
            "you}?"
        ),
    ),
}
_RECALL: dict[str, tuple[str, ...]] = {
    "name": (
        (
            "{Your name is|Your name is|You told me your name is|You are|You are called} "
            "<x>{.|.|!| 😊}"
        ),
        "Your name is <x>{, you told me earlier|, as you said}.",
    ),
    "place": (
        (
            "{You live in|You live in|You told me you live in|You said you live in} <x>{.|.|, you "
            "told me.}"
        ),
    ),
    "colour": (
        (
            "{Your favourite colour is|You told me your favourite colour is|You like the colour} "
            "<x>{.|.| 🎨}"
        ),
    ),
    "food": ("{Your favourite food is|You told me your favourite food is|You like} <x>{.|.| 😋}",),
    "number": (
        "{Your number is|The number is|You told me the number|The number you told me is} <x>.",
    ),
    "pet": (
        (
            "{You have a <s> called|You told me you have a <s> called|Your <s> is called} "
            "<x>{.|.| 🐾}"
        ),
    ),
    "hobby": ("{Your hobby is|You told me your hobby is|You like} <x>.",),
    "job": ("{You are a|You work as a|You told me you work as a} <x>.",),
    "friend": (
        "{Your friend is called|Your best friend is called|You told me your friend is called} <x>.",
    ),
    "word": ("{The word is|You told me the word|The word you gave me is} <x>.",),
}
_UNKNOWN: dict[str, str] = {
    "name": "your name",
    "place": "where you live",
    "colour": "your favourite colour",
    "food": "your favourite food",
    "number": "a number",
    "pet": "about a pet",
    "hobby": "your hobby",
    "job": "your job",
    "friend": "about a friend",
    "word": "a word",
}
_JOINED: dict[str, str] = {
    "name": "{my name is|I'm|I am} <x>",
    "place": "I {live in|come from|am from} <x>",
    "colour": "my favourite {colour|color} is <x>",
    "food": "{my favourite food is|I love to eat} <x>",
    "number": "my {lucky|favourite} number is <x>",
    "pet": "I have a <s> {called|named} <x>",
}
_SUMMARY: dict[str, str] = {
    "name": "Your name is <x>.",
    "place": "You live in <x>.",
    "colour": "Your favourite colour is <x>.",
    "food": "Your favourite food is <x>.",
    "number": "Your number is <x>.",
    "pet": "You have a <s> called <x>.",
    "hobby": "Your hobby is <x>.",
    "job": "You are a <x>.",
    "friend": "Your friend is called <x>.",
    "word": "The word is <x>.",
}
KINDS = (
    ("name",) * 5
    + ("place", "colour", "food", "number", "pet") * 3
    + ("hobby", "job", "friend", "word")
)
COMMON = tuple(_JOINED)


def value(scene: Scene, kind: str) -> tuple[str, ...]:
    """Something to be remembered; often invented, since only copying can bring that back."""
    rng = scene.rng
    if kind in ("name", "friend"):
        return (_cased(scene, scene.name()),)
    if kind == "pet":
        return (_cased(scene, scene.name()), rng.choice(SPECIES))
    if kind == "number":
        return (
            str(rng.choice((rng.randint(0, 99), rng.randint(0, 999), rng.randint(1000, 9999)))),
        )
    if kind == "word" or (not scene.held and rng.random() < 0.08):
        made = pseudo_word(rng)
        return (made.capitalize() if kind == "place" else made,)
    known = {"place": PLACES, "colour": COLOURS, "food": FOODS, "hobby": HOBBIES, "job": JOBS}[kind]
    allowed = [word for word in known if held_back(word) == scene.held] or list(known)
    word = rng.choice(allowed)
    return (_cased(scene, word) if kind == "place" else word,)


def _cased(scene: Scene, word: str) -> str:
    return word.lower() if scene.rng.random() < 0.08 else word


def _slots(values: tuple[str, ...]) -> dict[str, str]:
    return {"x": values[0], "s": values[1] if len(values) > 1 else "pet"}


def tell(scene: Scene, kind: str = "") -> Turn:
    """A new fact, or, now and then, a changed one."""
    rng = scene.rng
    kind = kind or rng.choice(KINDS)
    changed = kind in scene.facts
    scene.facts[kind] = value(scene, kind)
    slots = _slots(scene.facts[kind])
    said = rng.choice(_TELL[kind])
    if rng.random() < 0.12:
        said = "{Remember|Please remember|Note}{ that|:| this:} " + said
    elif rng.random() < 0.1:
        said += (
            " {Please remember it|Remember that|Remember it|Keep that in mind|Can you remember "
            "that}{.|.|!|}"
        )
    if changed:
        said = "{Actually, |Sorry, |No, |Wait, |Correction: }" + said + "{| now}"
    heard = "{Ok, noted|Noted|Got it}: <x>." if scene.brief else rng.choice(_HEARD[kind])
    return Turn(scene.ask(said, **slots), scene.spin(heard, **slots), "told")


def tell_and(scene: Scene, other: Turn) -> Turn:
    """A name, and with it something else that is wanted."""
    scene.facts["name"] = value(scene, "name")
    slots = _slots(scene.facts["name"])
    said = scene.ask(
        "{My name is|I'm|I am|Hi, I'm|Hello, my name is|Hi, my name is} <x>{.|,|!}", **slots
    )
    heard = scene.spin("{Nice to meet you|Hello|Hi|Pleased to meet you}, <x>! ", **slots)
    return Turn(f"{said} {other.user}", heard + other.answer, "told")


def tell_many(scene: Scene) -> Turn:
    rng = scene.rng
    kinds = rng.sample(COMMON, rng.choice((2, 2, 3, 3, 4, 5)))
    if "name" in kinds and rng.random() < 0.7:
        kinds.sort(key=lambda kind: kind != "name")
    parts: list[str] = []
    for kind in kinds:
        scene.facts[kind] = value(scene, kind)
        parts.append(scene.spin(_JOINED[kind], **_slots(_marked(scene.facts[kind]))))
    joined = rng.choice((", ", ". ", " and ", "; "))
    if joined != " and " and rng.random() < 0.5:
        parts[-1] = "and " + parts[-1]
    text = joined.join(parts)
    text = text[0].upper() + text[1:]
    first = scene.facts[kinds[0]][0]
    answer = (
        "{Thanks|Good|Great|Noted}, {I will remember all of that|I will keep that in mind|got "
        "it}{.|!| 😊}"
    )
    if kinds[0] == "name":
        answer = (
            "{Nice to meet you|Hello|Pleased to meet you}, <x>! {I will remember that|All noted|"
            "Noted}{.|!| 😊}"
        )
    return Turn(scene.ask(text + "."), scene.spin(answer, x=first), "told")


def _marked(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"\x01{part}\x02" for part in values)


def recall(scene: Scene, kind: str = "") -> Turn:
    """A question about a fact that was told; the answer has it word for word."""
    rng = scene.rng
    kind = kind or rng.choice(sorted(scene.facts))
    slots = _slots(scene.facts[kind])
    asked = scene.ask(rng.choice(_ASK[kind]), s=slots["s"])
    said = "<x>." if scene.brief and kind in ("number",) else rng.choice(_RECALL[kind])
    return Turn(asked, scene.spin(said, **slots), "recall", Check("copied", scene.facts[kind][:1]))


def recall_many(scene: Scene) -> Turn:
    """All that was told, as a list, or two facts in one question."""
    rng = scene.rng
    known = [kind for kind in scene.facts if kind in _SUMMARY]
    if len(known) > 1 and rng.random() < 0.4:
        one, two = rng.sample(known, 2)
        asks = [scene.spin(rng.choice(_ASK[kind]), s="pet").rstrip("?") for kind in (one, two)]
        user = scene.ask(f"{asks[0]} and {asks[1][0].lower()}{asks[1][1:]}?")
        lines = [scene.spin(_SUMMARY[kind], **_slots(scene.facts[kind])) for kind in (one, two)]
        answer = " ".join(lines)
    else:
        user = scene.ask(
            "{What do you know about me|What did I tell you|What do you remember about me|Tell me "
            "all you know about me|What have I told you so far}?"
        )
        lines = [scene.spin(_SUMMARY[kind], **_slots(scene.facts[kind])) for kind in known]
        answer = "You told me this:\n" + "\n".join(f"- {line}" for line in lines)
    kinds = (one, two) if len(lines) == 2 and "\n" not in answer else tuple(known)
    return Turn(
        user, answer, "recall all", Check("contains", tuple(scene.facts[k][0] for k in kinds))
    )


def unknown(scene: Scene) -> Turn:
    """A question about a fact that was never told."""
    rng = scene.rng
    kind = rng.choice([kind for kind in KINDS if kind not in scene.facts])
    answer = scene.spin(
        "{You have not told me|You haven't told me|I don't know that, you have not told me} "
        "<what> yet"
        "{.|. What is it?| 🙂|. Tell me, and I will remember it.}",
        what=_UNKNOWN[kind],
    )
    pet = rng.choice(SPECIES) if rng.random() < 0.3 else "pet"
    return Turn(scene.ask(rng.choice(_ASK[kind]), s=pet), answer, "not told", Check("not told"))
