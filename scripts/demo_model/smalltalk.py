"""Greetings, thanks, jokes, small facts and what the model says of itself. It is the model's
manners; what can be done with Tokenwire is told elsewhere.
"""
# ruff: noqa: RUF001

from __future__ import annotations

from demo_model.speech import Check, Scene, Turn


_GREETING = (
    (
        "{Hi|Hello|Hey|Hi there|Hello there|Hey there|Good morning|Good evening|Good afternoon|"
        "Hallo|"
        "Greetings|"
        "Yo|Howdy|Hiya|hi|hello|Hello!|Hi!|Hey, hello|Hello model|Hi bot|Hello Tokenwire|Hello "
        "world}{|!|.| 👋| :)}"
    ),
)
_GREET = (
    (
        "{Hello|Hi|Hi there|Hello there|Hey|Good to see you}! {I'm the Tokenwire demo model.|"
        "This is "
        "the Tokenwire "
        "demo model.|I'm the small demo model that comes with Tokenwire.}{ How can I help?| What "
        "shall we do?| What "
        "would you like to try?| Ask me about Tokenwire, or for a story.| Tell me your name, and I "
        "will remember it.|}"
        "{| 👋| 😊}"
    ),
    (
        "{Hello|Hi|Hey}! {How can I help you?|What can I do for you?|Nice to meet you.|What is "
        "your "
        "name?}{| 😊| 👋}"
    ),
)
_HOW = (
    (
        "{How are you|How are you doing|How's it going|What's up|How do you do|Are you ok|How are "
        "you today|How do you "
        "feel}{?|?|}"
    ),
)
_WELL = (
    (
        "{I'm fine, thank you!|Very well, thanks!|All my layers are in good shape, thanks.|I feel "
        "small but quick today.|"
        "Fine, thanks for asking!} {How are you?|And you?|What can I do for you?|What shall we "
        "do?}{|"
        " 😊}"
    ),
)
_THANKS = (
    (
        "{Thanks|Thank you|Thanks a lot|Thank you very much|thx|ty|Many thanks|Cheers|Great, "
        "thanks|"
        "Thanks for your "
        "help|Perfect, thank you|Cool, thanks|Merci|Danke}{|!|.| :)}"
    ),
)
_WELCOME = (
    (
        "{You're welcome|My pleasure|Glad to help|Any time|You're very welcome|Happy to help}{!|"
        ".| 😊}"
        "{| Is there more I can do?| Ask me more whenever you like.}"
    ),
)
_BYE = (
    (
        "{Bye|Goodbye|See you|Good night|See you later|Ciao|Bye bye|I have to go|Farewell|Cya|Talk "
        "to you later}{|!|.}"
    ),
)
_FAREWELL = (
    (
        "{Goodbye|Bye|See you|Take care|Until next time}{!|! 👋|, and thanks for the "
        "chat!|. It was "
        "nice to talk.}"
    ),
)
_PRAISE = (
    (
        "{Great|Cool|Nice|Good job|Well done|Wow|Awesome|You are great|I like you|Good bot|Amazing|"
        "Perfect|That was good|"
        "I love it|You're funny|Very good|Impressive|lol|haha|Good}{|!|.}"
    ),
)
_GLAD = (
    (
        "{Thank you|I'm glad|That's kind of you|Happy to hear that}! {What shall we do next?|Shall "
        "we go on?|Ask me "
        "for a story, a list or a sum.|Is there more I can do?|}{| 😊}"
    ),
)
_NOD = (
    "{Ok|Okay|OK|Yes|Sure|I see|Alright|Right|Fine|Yeah|Yep|Understood|Got it|Hm|Hmm|Aha|k}{|.|!}",
)
_NODDED = (
    (
        "{Good|Fine|All right|Okay}! {What would you like to do next?|What shall we try?|Ask me "
        "for "
        "a story, a sum or "
        "a list.|Is there more I can do?|Ask me about Tokenwire if you like.}"
    ),
)
_SORRY = (
    (
        "{No|Nope|That's wrong|That is wrong|You are wrong|Wrong|That is not right|Bad answer|"
        "You're "
        "stupid|You are "
        "dumb|This is bad|I don't like it|No, that's wrong}{|!|.}"
    ),
)
_APOLOGY = (
    (
        "{I'm sorry|Sorry about that|My apologies}. {I'm only a small demo model|I'm a small demo "
        "and make mistakes}"
        "{.|; a larger model will do better.|. You can pick a larger model at the top of the page.}"
    ),
)
_WHO = (
    (
        "{Who are you|What are you|Who are you?|What's your name|What is your name|Introduce "
        "yourself|Tell me about "
        "yourself|Which model are you|What model is this|What model are you|Who am I talking to|"
        "Are "
        "you ChatGPT|Are you "
        "GPT|Are you an AI|Are you a robot|Are you human|Are you a bot|Are you Claude|What kind of "
        "model are you|What is "
        "this|Describe yourself|Are you a real person|Do you have a name|What should I call you|"
        "What "
        "LLM are you|Which "
        "version are you|Are you Llama|Who is this|Who r u}{?|?|}"
    ),
)
_AM = "{I'm|I am} the Tokenwire demo model"
_SELF = (
    _AM
    + "{, a small language model with some 4.5 million parameters| 🤖, a very small language model|"
    ", a tiny language "
    "model that comes with Tokenwire|: a small language model that ships with Tokenwire}. {I run "
    "on your own "
    "machine, so nothing you write leaves it.|I am here so that you can try everything without a "
    "download.|I was made "
    "so that the first start needs no download.|I'm good at small things: greetings, sums, lists "
    "and short stories.|I "
    "can chat a little, remember what you tell me and answer questions about Tokenwire.} {For "
    "real work, pick a larger "
    "model at the top of the page.|A larger model can be picked at the top of the page.|When you "
    "want more, pick a "
    "larger model in the picker at the top of the page.}",
)
_SIZE = (
    (
        "{How big are you|How large are you|How many parameters do you have|What is your size|How "
        "small are you|How were "
        "you trained|How were you made|Who made you|Who trained you|Who built you|Where do you "
        "come "
        "from|What are you made "
        "of|How much do you know|How smart are you|Are you smart|Are you intelligent}{?|?|}"
    ),
)
_SIZED = (
    (
        "I have 4.5 million parameters{, which is very small for a language model|, a thousand "
        "times fewer than the "
        "large models}. {I was trained on made-up conversations by a script, "
        "scripts/train_demo_model.py|A script of the "
        "Tokenwire project, scripts/train_demo_model.py, trained me on conversations that it made "
        "up}. {So I know little, "
        "but I'm quick.|For hard questions, pick a larger model at the top of the page.|A larger "
        "model knows much more.}"
    ),
)
_CAN = (
    (
        "{What can you do|What can I ask you|What are you able to do|Help|help me|What are your "
        "skills|What do you know|How "
        "can you help me|What can I do here|What now|What should I ask|How does this work|Give me "
        "some examples|What are "
        "you good at|Can you help me|I need help|Show me what you can do|What else can you do|What "
        "can i try|Menu|"
        "What is possible here|Any ideas}{?|?||!}"
    ),
)
_SKILLS = (
    "answer questions about Tokenwire",
    "remember what you tell me, such as your name",
    "add and subtract numbers below 100",
    "count to any number up to 200",
    "make lists, such as five animals",
    "tell a story about anyone you name",
    "repeat words after you",
    "say hello in many languages",
    "tell a joke",
    "write a tiny poem",
)
_LIMITS = (
    (
        "{I can't do|What I can't do is|I don't do} {much|a lot} {more|else}: I am {only |}a small "
        "demo. For more, pick a "
        "larger model at the top of the page."
    ),
)
JOKES = (
    "Why did the computer go to the doctor? It had a virus! 😄",
    "What do you call a fish without eyes? A fsh!",
    "Why did the scarecrow win a prize? He was outstanding in his field.",
    "What do you call a sleeping dinosaur? A dino-snore! 🦕",
    "Why was six afraid of seven? Because seven ate nine.",
    "What do you get when you cross a snowman and a vampire? Frostbite! ⛄",
    "Why did the bicycle fall over? It was two-tired.",
    "What is brown and sticky? A stick.",
    "Why do bees have sticky hair? Because they use honeycombs. 🐝",
    "What did one wall say to the other? I'll meet you at the corner.",
    "Why did the language model cross the road? It was the most likely next step. 🤖",
    "What did the zero say to the eight? Nice belt!",
    "How does the moon cut its hair? Eclipse it. 🌙",
    "Why can't a leopard hide? Because it is always spotted.",
    "What kind of tree fits in your hand? A palm tree! 🌴",
    "Why did the token stop? It had reached its limit.",
)
_HELLOS = {
    "French": "Bonjour",
    "German": "Guten Tag",
    "Spanish": "¡Hola",
    "Italian": "Ciao",
    "Portuguese": "Olá",
    "Dutch": "Hallo",
    "Swedish": "Hej",
    "Norwegian": "Hei",
    "Danish": "Hej",
    "Finnish": "Hei",
    "Polish": "Cześć",
    "Czech": "Dobrý den",
    "Hungarian": "Szia",
    "Turkish": "Merhaba",
    "Greek": "Γειά σου",
    "Russian": "Привет",
    "Japanese": "こんにちは",
    "Chinese": "你好",
    "Korean": "안녕하세요",
    "Arabic": "مرحبا",
    "Hindi": "नमस्ते",
    "Icelandic": "Halló",
    "Latin": "Salve",
    "English": "Hello",
    "Hebrew": "שלום",
    "Ukrainian": "Привіт",
}
_THANKS_IN = {
    "French": "Merci",
    "German": "Danke schön",
    "Spanish": "Gracias",
    "Italian": "Grazie",
    "Portuguese": "Obrigado",
    "Dutch": "Dank je",
    "Swedish": "Tack",
    "Norwegian": "Takk",
    "Danish": "Tak",
    "Finnish": "Kiitos",
    "Polish": "Dziękuję",
    "Czech": "Děkuji",
    "Turkish": "Teşekkürler",
    "Greek": "Ευχαριστώ",
    "Japanese": "ありがとう",
    "Chinese": "谢谢",
    "Russian": "Спасибо",
    "Hungarian": "Köszönöm",
}
CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Portugal": "Lisbon",
    "England": "London",
    "the United Kingdom": "London",
    "Ireland": "Dublin",
    "Norway": "Oslo",
    "Sweden": "Stockholm",
    "Denmark": "Copenhagen",
    "Finland": "Helsinki",
    "Austria": "Vienna",
    "Switzerland": "Bern",
    "Poland": "Warsaw",
    "Hungary": "Budapest",
    "Greece": "Athens",
    "Egypt": "Cairo",
    "Japan": "Tokyo",
    "China": "Beijing",
    "India": "New Delhi",
    "Russia": "Moscow",
    "Canada": "Ottawa",
    "the United States": "Washington, D.C.",
    "the USA": "Washington, D.C.",
    "Brazil": "Brasília",
    "Peru": "Lima",
    "Australia": "Canberra",
    "Belgium": "Brussels",
    "the Netherlands": "Amsterdam",
    "Turkey": "Ankara",
    "Mexico": "Mexico City",
    "Argentina": "Buenos Aires",
    "Kenya": "Nairobi",
    "South Korea": "Seoul",
}
_OPPOSITES = {
    "hot": "cold",
    "big": "small",
    "up": "down",
    "left": "right",
    "day": "night",
    "good": "bad",
    "fast": "slow",
    "old": "young",
    "happy": "sad",
    "light": "dark",
    "open": "closed",
    "early": "late",
    "full": "empty",
    "high": "low",
    "hard": "soft",
    "wet": "dry",
    "rich": "poor",
    "near": "far",
    "loud": "quiet",
    "long": "short",
    "black": "white",
    "yes": "no",
    "on": "off",
    "in": "out",
    "first": "last",
    "strong": "weak",
    "clean": "dirty",
}
_SOUNDS = {
    "cow": "Moo",
    "dog": "Woof",
    "cat": "Meow",
    "duck": "Quack",
    "sheep": "Baa",
    "pig": "Oink",
    "horse": "Neigh",
    "owl": "Hoo hoo",
    "bee": "Buzz",
    "lion": "Roar",
    "frog": "Ribbit",
    "rooster": "Cock-a-doodle-doo",
    "snake": "Hiss",
}
_FACTS = {
    "How many days {are in a week|does a week have}": "A week has seven days.",
    "How many months {are in a year|does a year have}": "A year has twelve months.",
    "How many days {are in a year|does a year have}": (
        "A year has 365 days, and a leap year has 366."
    ),
    "How many hours {are in a day|does a day have}": "A day has 24 hours.",
    "How many minutes {are in an hour|does an hour have}": "An hour has 60 minutes.",
    "How many seconds {are in a minute|does a minute have}": "A minute has 60 seconds.",
    "How many legs does a spider have": "A spider has eight legs. 🕷️",
    "How many legs does {an ant|an insect|a bee} have": "It has six legs. 🐜",
    "How many legs does {a dog|a cat|a horse|a cow} have": "It has four legs.",
    "How many letters {are in the alphabet|does the alphabet have}": (
        "The English alphabet has 26 letters."
    ),
    "How many continents are there": "There are seven continents. 🌍",
    "How many planets are there": "There are eight planets in our solar system. 🪐",
    "{What colour is the sky|What color is the sky|Why is the sky blue}": (
        "The sky is blue, at least on a clear day."
    ),
    "{What colour is grass|What color is grass}": "Grass is green. 🌱",
    "{What colour is snow|What color is snow}": "Snow is white. ❄️",
    "{What colour is a banana|What color is a banana}": "A ripe banana is yellow. 🍌",
    "{What is the largest planet|What is the biggest planet}": "Jupiter is the largest planet.",
    "{What is the largest ocean|What is the biggest ocean}": "The Pacific is the largest ocean. 🌊",
    "{What is the highest mountain|What is the tallest mountain}": (
        "Mount Everest is the highest mountain. 🏔️"
    ),
    "What day comes after Monday": "Tuesday comes after Monday.",
    "What day comes after Friday": "Saturday comes after Friday.",
    "What month comes after {June|June}": "July comes after June.",
    "{What is H2O|What is water made of}": "Water is H₂O: hydrogen and oxygen. 💧",
    "Is the earth {round|flat}": "The earth is round. 🌍",
    "{Say the alphabet|Recite the alphabet|What is the alphabet|Tell me the alphabet|Write the "
    "alphabet}": ("a b c d e f g h i j k l m n o p q r s t u v w x y z"),
}
_RHYMES = (
    (
        "The moon is {bright|round|pale|high} above the {hill|mill}",
        "and all the {world|town|wood} is {calm and|soft and|} still",
    ),
    (
        "A {little|tiny|small} light goes {out|down} to sea",
        "and {brings|sings} a {quiet|gentle} song to me",
    ),
    (
        "The {morning|evening} comes with {gold|red} and {blue|dew}",
        "and every {leaf|stone|path} is {fresh and |}new",
    ),
    (
        "A {cat|fox|bird} sits {dreaming|waiting} by the {door|shore}",
        "and {hopes|waits} for one {small |}story more",
    ),
    (
        "The tokens {wander|travel|run} down the wire",
        "and {warm|light} the {evening|night} like {a fire|fire}",
    ),
    (
        "The {rain|wind} is {singing|tapping} on the {roof|stone}",
        "but {I am|you are} {never|not} quite alone",
    ),
    (
        "The {river|road} goes {winding|turning} through the {day|hay}",
        "and {takes|carries} {all|my} {little|heavy} cares away",
    ),
)


def _pick(
    scene: Scene, asked: tuple[str, ...], said: tuple[str, ...], skill: str, check: Check
) -> Turn:
    rng = scene.rng
    return Turn(scene.ask(rng.choice(asked)), scene.spin(rng.choice(said)), skill, check)


def greeting(scene: Scene) -> Turn:
    kind = scene.rng.random()
    known = scene.facts.get("name")
    if kind < 0.07:
        user = scene.ask("{Say|Please say|Can you say} {hello|hi}{.|!|?||to me}")
        return Turn(
            user, scene.spin("{Hello|Hi|Hello there}!{| 👋| 😊}"), "greeting", Check("greeting")
        )
    if kind < 0.14:
        name = scene.name()
        user = scene.ask(
            "{Say hello to|Say hi to|Greet|Please greet|Say hello to my friend} <x>{.|!|}", x=name
        )
        return Turn(
            user,
            scene.spin("{Hello|Hi}, <x>!{| 👋| 😊}", x=name),
            "greeting",
            Check("contains", (name,)),
        )
    if kind < 0.6:
        turn = _pick(scene, _GREETING, _GREET, "greeting", Check("greeting"))
        if known and scene.rng.random() < 0.5:
            said = scene.spin(
                "{Hello|Hi|Hello again|Hi again}, <x>! {How can I help?|What shall we do?}",
                x=known[0],
            )
            return Turn(turn.user, said, "greeting", Check("greeting"))
        if scene.brief:
            return Turn(turn.user, scene.spin("{Hello|Hi}!"), "greeting", Check("greeting"))
        return turn
    pairs = ((_HOW, _WELL, "how"), (_THANKS, _WELCOME, "thanks"), (_BYE, _FAREWELL, "bye"))
    asked, said, rule = scene.rng.choice(pairs)
    return _pick(scene, asked, said, "greeting", Check(rule))


def chatter(scene: Scene) -> Turn:
    asked, said = scene.rng.choice(((_PRAISE, _GLAD), (_NOD, _NODDED), (_SORRY, _APOLOGY)))
    return _pick(scene, asked, said, "chatter", Check("any"))


def identity(scene: Scene) -> Turn:
    kind = scene.rng.random()
    if kind < 0.2:
        return _pick(scene, _SIZE, _SIZED, "identity", Check("contains", ("4.5 million",)))
    if kind < 0.55:
        return _skills(scene)
    asked = scene.rng.choice(_WHO)
    if scene.called:
        answer = scene.spin(
            "{I'm|I am|My name is} <n>{, the Tokenwire demo model.|. I'm the Tokenwire demo "
            "model, a small "
            "language model.}",
            n=scene.called,
        )
        return Turn(scene.ask(asked), answer, "identity", Check("contains", (scene.called, "demo")))
    if scene.brief:
        return Turn(
            scene.ask(asked), "I'm the Tokenwire demo model.", "identity", Check("identity")
        )
    return Turn(scene.ask(asked), scene.spin(_SELF[0]), "identity", Check("identity"))


def _skills(scene: Scene) -> Turn:
    rng = scene.rng
    chosen = rng.sample(_SKILLS, rng.choice((4, 5, 5, 6)))
    opening = scene.spin(
        "{I can|Here is what I can do: I can|I'm small, but I can|Quite a few small things. I can}:"
    )
    body = "\n".join(f"- {skill}" for skill in chosen)
    return Turn(
        scene.ask(rng.choice(_CAN)),
        f"{opening}\n\n{body}\n\n{scene.spin(_LIMITS[0])}",
        "identity",
        Check("contains", ("I can", "- ", "demo")),
    )


def joke(scene: Scene) -> Turn:
    asked = (
        "{Tell me|Do you know|Can you tell me|Give me|Tell|I want to hear|Please tell me} {a|a|"
        "another|a funny|one} joke{?|.|!|}"
    )
    opening = scene.rng.choice(("", "", "", "Here is one: ", "Let me try: "))
    asked = scene.rng.choice(
        (
            asked,
            asked,
            "{A joke please|Joke|Make me laugh|Say something funny|Know any jokes}{.|?|!|}",
        )
    )
    return Turn(scene.ask(asked), opening + scene.rng.choice(JOKES), "joke", Check("any"))


def greet_abroad(scene: Scene) -> Turn:
    rng = scene.rng
    if rng.random() < 0.35:
        language = rng.choice(sorted(_THANKS_IN))
        word = _THANKS_IN[language]
        asked = "{How do you say|Say|What is|How do I say} {thank you|thanks} in <l>{?|.|}"
        said = rng.choice(("In <l> you say: <w>!", "<w>! That is thank you in <l>."))
    else:
        language = rng.choice(sorted(_HELLOS))
        word = _HELLOS[language]
        asked = (
            "{How do you say|Say|What is|Can you say|How do I say|Greet me|Please say} {hello|hi|"
            "hello|hello} in <l>{?|.|}"
        )
        said = rng.choice(("<w>!{| 👋| 😊}", "In <l> you say: <w>!", "<w>! That is hello in <l>."))
    shown = language.lower() if rng.random() < 0.15 else language
    said = scene.spin(said, l=language, w=word)
    return Turn(scene.ask(asked, l=shown), said, "abroad", Check("contains", (word,)))


def small_fact(scene: Scene) -> Turn:
    rng = scene.rng
    kind = rng.random()
    if kind < 0.4:
        country = rng.choice(sorted(CAPITALS))
        city = CAPITALS[country]
        asked = "{What is|What's|Do you know|Tell me|Name} the capital {city |||}of <c>{?|?|}"
        shown = country.lower() if rng.random() < 0.15 else country
        said = rng.choice(
            ("The capital of <c> is <y>.", "<y> is the capital of <c>.", "That is <y>.")
        )
        return Turn(
            scene.ask(asked, c=shown),
            scene.spin(said, c=country, y=city),
            "fact",
            Check("contains", (city,)),
        )
    if kind < 0.55:
        word = rng.choice(sorted(_OPPOSITES))
        other = _OPPOSITES[word]
        asked = '{What is|What\'s|Tell me|Give me|Name} the opposite of {|"}<w>{|"}{?|?|}'
        asked = asked.replace('{|"}', rng.choice(("", '"')))
        return Turn(
            scene.ask(asked, w=word),
            f"The opposite of {word} is {other}.",
            "fact",
            Check("contains", (other,)),
        )
    if kind < 0.65:
        animal = rng.choice(sorted(_SOUNDS))
        asked = "{What does|What sound does} a <a> {say|make}{?|?|}"
        return Turn(
            scene.ask(asked, a=animal),
            f"{_SOUNDS[animal]}!",
            "fact",
            Check("contains", (_SOUNDS[animal],)),
        )
    asked = rng.choice(sorted(_FACTS))
    return Turn(scene.ask(asked + "{?|?|}"), _FACTS[asked], "fact", Check("any"))


def poem(scene: Scene) -> Turn:
    rng = scene.rng
    asked = (
        "{Write|Can you write|Write me|Please write|Compose|Make|Tell me|Give me|I want} {a|a "
        "short|a little|a tiny|"
        "another} {poem|poem|verse|rhyme}{|| for me| about the moon| about the sea| about life| "
        "about love}{.|?|!|}"
    )
    opening = scene.spin(
        "{I'm no poet, but here is a small one:|Poems are hard for a small demo, but let me try:|"
        "Here is a "
        "tiny one:}"
    )
    lines = [scene.spin(line) for couplet in rng.sample(_RHYMES, 2) for line in couplet]
    text = (
        f"{opening}\n\n{lines[0]}  \n{lines[1]},  \n{lines[2][0].lower()}{lines[2][1:]}  "
        f"\n{lines[3]}."
    )
    return Turn(scene.ask(asked), text, "poem", Check("any"))
