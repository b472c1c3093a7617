"""Short and long stories about whoever the user names. It knows how a tale goes, from a morning to
an evening, and leaves the names to the one who asks.
"""

from __future__ import annotations

from demo_model.speech import Check, Scene, Turn, pseudo_word
from demo_model.words import NOUNS


_OPEN = (
    (
        "{Once upon a time|Long ago|One {morning|evening|winter|summer}|Not so long ago|In a "
        "{quiet|"
        "busy|faraway} time} there "
        "{lived|was} <h>, who {lived|had a home} in {a small house|a crooked tower|a blue "
        "cottage|an "
        "old mill} {by the sea|at the "
        "edge of a forest|on a green hill|beside a slow river|under a great oak}."
    ),
    (
        "<h> lived {by the sea|in a village of seven houses|at the end of a long road|high up in "
        "the "
        "mountains|near an old "
        "bridge}, where {the wind never slept|everybody knew everybody|it smelled of bread and "
        "rain|"
        "the nights were full of "
        "stars|nothing ever happened}."
    ),
    (
        "{This is the story of|Here is the tale of} <h>, who {was never in a hurry|collected small "
        "stones|loved the smell of rain|"
        "could whistle like a bird|wanted to see the world|was afraid of nothing but thunder}."
    ),
)
_FRIEND = (
    (
        "<H>'s best friend was <c>, {and the two did everything together|who {laughed|talked|ate} "
        "more than anyone|though nobody "
        "knew why|and they met every day at noon}."
    ),
    (
        "One {day|morning|evening}, {at the market|on the way home|behind the garden wall|in the "
        "thick of the fog}, <h> met <c>."
    ),
    (
        "{Next door|Across the river|At the top of the hill} lived <c>, {who kept a secret|who was "
        "very shy|who had not smiled in "
        "years|whom nobody dared to visit}."
    ),
)
_TROUBLE = (
    (
        "{But one day|Then, one night|One cold morning|Suddenly} {the well ran dry|the moon did "
        "not "
        "rise|the bell of the village "
        "fell silent|a letter came without a sender|a strange light shone over the hills|all the "
        "clocks stopped}."
    ),
    (
        "{But one day|That very evening|Soon after} <h> found {a map|a golden key|a small locked "
        "box|"
        "a torn page|a silver feather} "
        "{under a stone|in an old coat|behind the stove|at the bottom of the well}."
    ),
    (
        "{But|Alas,} <c> had lost {a song|the way home|a shadow|a red scarf|the key to the "
        "garden}, "
        "and {nobody could help|the days "
        "grew grey|there was no time to lose}."
    ),
)
_GO = (
    (
        '"{We must do something|Let us go and see|I will find out|Come with me|We cannot stay '
        'here}," said <h>. "{I am ready|Then '
        'let us hurry|I will bring the lamp|But first, breakfast|I thought you would never ask}," '
        "said <c>."
    ),
    (
        "So <h> and <c> {packed some bread and cheese|took a lamp and a rope|put on their warmest "
        "coats} and {set out before dawn|"
        "walked until their feet hurt|followed the river|went where the path led}."
    ),
    (
        "<h> {did not think for long|took a deep breath|looked at the stars} and {set out|left} "
        "with "
        "<c> {at first light|the same "
        "night|without a word}."
    ),
)
_EPISODE = (
    (
        "They came to {a bridge|a gate|a cave|a field|a tower}, where {an old woman|a grey heron|a "
        "sleepy guard|a talking stone|a "
        "fox with one ear} asked for {a song|a riddle|the truth|a story|a kind word}. <h> {gave it "
        "gladly|thought of one at once|"
        "whispered it}, and they could pass."
    ),
    (
        "{In the forest|In the valley|Beyond the hills} it {rained|snowed|was dark|was so quiet "
        "that "
        "they heard their hearts}, and "
        "<c> {wanted to turn back|was afraid|found shelter under a fir|sang to keep warm}. "
        '"{Only a '
        "little further|We are nearly "
        'there|Give me your hand|I am here}," said <h>.'
    ),
    (
        "{On the second day|Toward noon|After many miles} they met {a merchant|a boy with a kite|"
        "three geese|a baker|a lost sailor} "
        "who {showed them a short cut|shared some soup|warned them of the swamp|gave them a blue "
        'stone}. "{You will need it|Take '
        'care|Do not look back}," {said the stranger|he said|came the answer}.'
    ),
    (
        "<c> {stumbled|stopped} and {found|saw} {a door in the rock|small footprints|a bell in the "
        'grass|a boat without oars}. "{Do '
        'you see that|Look|This was not here before}?" {whispered|asked} <c>. <h> {nodded|smiled|'
        "went closer}."
    ),
    (
        "At night they {lay under the stars|sat by a small fire|slept in the hay}, and <h> told of "
        "{the sea|home|a dream|old times}. "
        "<c> {listened|fell asleep at once|counted the stars|said nothing for a long time}."
    ),
    (
        "{Then the storm came|Then the ground shook|A shadow fell over them}. <h> {held on to <c>|"
        "did not run|lit the lamp}, and {as "
        "quickly as it had come, it was gone|together they were stronger|the danger passed}."
    ),
    (
        "They {crossed|came to} {a lake|a river|a meadow} {as wide as the sky|full of white birds|"
        "that hummed softly}. {It took all "
        "afternoon|There was no boat, so they built one|<c> knew the way}, and <h> {never "
        "complained|"
        "laughed out loud|sang}."
    ),
)
_TURN = (
    (
        "{At last|In the end|Finally} they {found what they were looking for|stood before {a great "
        "door|a tiny house|the oldest tree}}: "
        "{a light no bigger than a seed|a sleeping giant|a room full of clocks|a spring of clear "
        "water|a song that nobody had sung "
        "for years}."
    ),
    (
        "{At last|Then} <h> {understood|saw it}: {the answer had been there all along|it was not "
        "strength that was needed, but "
        "patience|someone had only been lonely|it only took a friendly word}."
    ),
    (
        "{And then|At that moment} <c> {did something brave|began to sing|opened the box|told the "
        "truth at last}, and {everything "
        "changed|the light came back|the ice began to melt|the whole valley listened}."
    ),
)
_END = (
    (
        "{From that day on|Ever since|Since then} <h> and <c> {meet there every year|have been the "
        "best of friends|tell the story to "
        "anyone who asks|share everything, even the last piece of cake|are never alone}."
    ),
    (
        "{They came home in the evening|When they came home|Back home} {there was soup on the "
        "table|"
        "everyone was waiting|the lamps "
        "were lit}, and <h> {slept until noon|told <c> that it had been the best of days|hung the "
        "key above the door}. "
        "{The end.|And that was that.|✨|}"
    ),
    (
        "And {if you listen well|when the wind is right}, you can still hear <h> and <c> {laughing|"
        "singing|talking about it}. "
        "{The end.|🌙|✨|}"
    ),
)
_ASK = (
    (
        "{Tell|Tell|Write|Can you tell|Please tell|Make up|Read|I want you to tell} {me |me |us |"
        "}a{|"
        " short| little| nice| funny| "
        "bedtime|| short} {story|story|tale} {about|about|with|of} <who>{.|?|!|, please|}"
    ),
    (
        "{A|I want a|I'd like a|Do you know a|Give me a|Now a} {story|tale|short story} {about|"
        "with} "
        "<who>{.|?|!||}"
    ),
)
_BARE = (
    (
        "{Tell|Tell|Write|Can you tell|Please tell|Make up} {me |me |us |}{a|a|a short|another|a "
        "little|a nice|a bedtime} "
        "{story|story|tale}{.|?|!|, please|}"
    ),
    (
        "{Story please|I want a story|A story|Do you know a story|Story time|Another story|One "
        "more "
        "story}{.|?|!|}"
    ),
)
_LONG = (
    (
        "{Tell|Write|Can you write|Please write|Make up|Can you tell} {me |me |us |}a {long|longer|"
        "very long|really long} "
        "{story|story|tale}{.|?|!||, please}"
    ),
    "{I want|Give me} a {long|longer|very long} {story|tale}{.|!|}",
    "{Write|Tell me|Please write} a {200|300|150|250}{-| }word {story|tale}{.|}",
    "{Write|Tell me} a {story|tale} {of|with} {200|300|150|250} words{.|}",
)
_LONG_ABOUT = (
    (
        "{Tell|Write|Can you write|Please write|Make up|Can you tell} {me |me |us |}a {long|longer|"
        "very long} {story|tale} "
        "{about|about|with} <who>{.|?|!||, please}"
    ),
)


def story(scene: Scene, *, long: bool | None = None) -> Turn:
    rng = scene.rng
    is_long = rng.random() < 0.18 if long is None else long
    hero, friend, who = _cast(scene)
    given = rng.random() < 0.7
    asked = (_LONG_ABOUT if given else _LONG) if is_long else (_ASK if given else _BARE)
    if not given:
        hero = scene.known_name()
        friend = rng.choice((scene.known_name(), _article(rng.choice(NOUNS))))

    scene.cast = (hero, friend)
    expected = tuple(_bare(one) for one in (hero, friend) if one in who.split(" and "))
    return Turn(
        scene.ask(rng.choice(asked), who=who),
        _tale(scene, hero, friend, is_long=is_long),
        "long story" if is_long else "story",
        Check("story", expected if given else ()),
    )


def more(scene: Scene) -> Turn:
    """How the last story goes on."""
    hero, friend = scene.cast
    known = {hero, friend}
    lines = [*scene.rng.sample(_EPISODE, scene.rng.choice((1, 2, 2))), scene.rng.choice(_END)]
    return Turn(
        scene.ask(
            "{Go on|Continue|And then|What happened next|What happened then|Then what|Please "
            "continue|More|Tell me more}{?|.|}"
        ),
        " ".join(_line(scene, line, hero, friend, known) for line in lines).strip(),
        "story",
        Check("contains", (_bare(hero),)),
    )


def _bare(name: str) -> str:
    return name.split(" ", 1)[1] if name.startswith(("a ", "an ", "the ")) else name


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _cast(scene: Scene) -> tuple[str, str, str]:
    """The hero, the companion, and how the user names them."""
    rng = scene.rng
    made = pseudo_word(rng) if rng.random() < 0.15 else rng.choice(NOUNS)
    hero = scene.name() if rng.random() < 0.75 else _article(made)
    friend = scene.name() if rng.random() < 0.4 else _article(rng.choice(NOUNS))
    chance = rng.random()
    if chance < 0.08:
        noun = rng.choice(NOUNS)
        return scene.known_name(), _article(noun), f"{noun}s"
    if chance < 0.14:
        friend = f"the {rng.choice(NOUNS)}"
        return scene.known_name(), friend, friend
    unnamed = scene.known_name() if rng.random() < 0.4 else _article(rng.choice(NOUNS))
    if chance < 0.18 and "name" in scene.facts:
        return scene.facts["name"][0], unnamed, "me"
    if chance < 0.4:
        return hero, unnamed, hero
    return hero, friend, f"{hero} and {friend}"


def _tale(scene: Scene, hero: str, friend: str, *, is_long: bool) -> str:
    rng = scene.rng
    middle = rng.sample(_EPISODE, 6 if is_long else rng.choice((1, 1, 2)))
    stages = [
        [rng.choice(_OPEN), rng.choice(_FRIEND)],
        [rng.choice(_TROUBLE), rng.choice(_GO)],
        *([part] for part in middle),
        [rng.choice(_TURN), rng.choice(_END)],
    ]
    if not is_long:
        stages = [stages[0] + stages[1], [part[0] for part in stages[2:-1]], stages[-1]]
    known: set[str] = set()
    paragraphs = [
        " ".join(_line(scene, line, hero, friend, known) for line in stage) for stage in stages
    ]
    return "\n\n".join(part.strip() for part in paragraphs)


def _line(scene: Scene, line: str, hero: str, friend: str, known: set[str]) -> str:
    """One line, with `a fox` at its first mention and `the fox` from then on."""
    spun = scene.spin(line)
    for mark, name in (("<H>", hero), ("<h>", hero), ("<c>", friend)):
        while mark in spun:
            before, after = spun.split(mark, 1)
            shown = name if name not in known else _definite(name)
            start = not before or before.endswith((". ", '" '))
            spun = before + (shown[0].upper() + shown[1:] if start else shown) + after
            known.add(name)
    return spun


def _definite(name: str) -> str:
    return f"the {_bare(name)}" if name.startswith(("a ", "an ", "the ")) else name
