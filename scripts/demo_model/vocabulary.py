"""The tokenizer and the chat template: how a conversation becomes token ids. It knows the marks
around each message and refuses to know what the messages are about.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from demo_model.speech import pseudo_word
from demo_model.words import COLOURS, FOODS, HOBBIES, JOBS, NAMES, PLACES, SPECIES


if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from demo_model.corpus import Conversation


START, PAD, END = "<|start|>", "<|pad|>", "<|end|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
UNCOUNTED = -100
# Enough of each for the merges of a whole word to come before those of common pieces.
_WHOLE = 4000

# Digits stand alone, and a comma or a sign between numbers is one token: so equal places of two
# numbers always look the same to the network, which is most of what it needs for sums.
_PIECES = (
    r", (?=[0-9])| [-+=] (?=[-0-9])|\p{N}|'(?:s|m|re|ve|ll|d|t)(?!\p{L})| ?[\p{L}\p{M}]+"
    r"| ?[^\s\p{L}\p{M}\p{N}]+|\s+"
)

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] in ['system', 'developer'] %}{{ '<|system|>' }}"
    "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>' }}"
    "{% else %}{{ '<|user|>' }}{% endif %}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% elif message['content'] %}{% for part in message['content'] %}"
    "{% if part['type'] in ['text', 'input_text', 'output_text'] %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{{ '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@dataclass(frozen=True)
class Lesson:
    """Token ids, and for each the next one where it counts, or -100 where it does not."""

    tokens: list[int]
    targets: list[int]
    skills: list[str]


def learn(conversations: Iterable[Conversation], size: int) -> Tokenizer:
    """A byte-level BPE. It never sees an emoji, so each stays four tokens: a stream of them then
    passes through half characters, and whoever shows the text has to cope.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=4,
        special_tokens=[PAD, START, END, *ROLES.values()],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = chain(_texts(conversations), _whole_words())
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def remembered() -> list[str]:
    """The words that people tell about themselves. Each is one token, so that bringing one back
    is to look at it once; a word in pieces takes a chain of looks that so small a network seldom
    gets right.
    """
    phrases = (*NAMES, *PLACES, *COLOURS, *FOODS, *SPECIES, *HOBBIES, *JOBS)
    return sorted({word for phrase in phrases for word in phrase.split()})


def _whole_words() -> Iterable[str]:
    for word in remembered():
        yield f" {word}" * _WHOLE
        yield f"\n{word}" * (_WHOLE // 4)
    for name in NAMES:
        yield f" {name.lower()}" * (_WHOLE // 2)


def _texts(conversations: Iterable[Conversation]) -> Iterable[str]:
    for conversation in conversations:
        for turn in conversation.turns:
            for text in (conversation.system, turn.user, turn.answer):
                yield "".join(letter for letter in text if ord(letter) < 0x10000)


def lesson(tokenizer: Tokenizer, conversation: Conversation) -> Lesson:
    """A conversation as the template renders it; only what the assistant says counts."""
    pieces: list[tuple[str, str]] = [("", START)]
    if conversation.system:
        pieces.append(("", f"{ROLES['system']}{conversation.system}{END}"))
    for turn in conversation.turns:
        pieces.append(("", f"{ROLES['user']}{turn.user}{END}{ROLES['assistant']}"))
        pieces.append((turn.skill, f"{turn.answer}{END}"))
    encoded = tokenizer.encode_batch([text for _, text in pieces], add_special_tokens=False)
    ids: list[int] = []
    skills: list[str] = []
    for (skill, _), part in zip(pieces, encoded, strict=True):
        ids += part.ids
        skills += [skill] * len(part.ids)
    targets = [token if skill else UNCOUNTED for token, skill in zip(ids, skills, strict=True)]
    return Lesson(ids[:-1], targets[1:], skills[1:])


def drill_lesson(tokenizer: Tokenizer, text: str) -> Lesson:
    """Bare sums, of which only the results count."""
    equals = tokenizer.token_to_id("\u0120=\u0120")
    newline = tokenizer.token_to_id("\u010a")
    ids = [tokenizer.token_to_id(START), tokenizer.token_to_id(ROLES["assistant"])]
    ids += tokenizer.encode(text + "\n", add_special_tokens=False).ids
    targets: list[int] = []
    counts = False
    for token in ids:
        targets.append(token if counts else UNCOUNTED)
        counts = token == equals or (counts and token != newline)
    return Lesson(ids[:-1], targets[1:], ["drill"] * (len(ids) - 1))


def echo_lesson(tokenizer: Tokenizer, rng: Random) -> Lesson:
    """Words that come again: what follows counts where it was seen before. A network that has
    learned this can bring back a name that no conversation taught it. Three forms: one list said
    twice; pairs, asked for in another order; single words, which go on as they did.
    """
    words = [f" {_echoed(rng)}" for _ in range(rng.randint(4, 16))]
    pieces = [part.ids for part in tokenizer.encode_batch(words, add_special_tokens=False)]
    form = rng.randrange(3)
    if form == 0:
        said = [(piece, 0) for piece in pieces] + [(piece, len(piece)) for piece in pieces]
    elif form == 1:
        pairs = list(zip(pieces[::2], pieces[1::2], strict=False))
        said = [(part, 0) for pair in pairs for part in pair]
        for key, kept in rng.choices(pairs, k=2 * len(pairs)):
            said += [(key, 0), (kept, len(kept))]
    else:
        said = [(piece, 0) for piece in pieces[:8]]
        said += [(piece, len(piece) - 1) for piece in rng.choices(pieces[:8], k=16)]
    ids = [tokenizer.token_to_id(START), tokenizer.token_to_id(ROLES["assistant"])]
    targets = [UNCOUNTED, UNCOUNTED]
    for piece, counted in said:
        ids += piece
        first = len(piece) - counted
        targets += [UNCOUNTED] * first + piece[first:]
    return Lesson(
        ids[:-1], targets[1:], [("echo", "echo pairs", "echo rest")[form]] * (len(ids) - 1)
    )


def _echoed(rng: Random) -> str:
    if rng.random() < 0.5:
        word = rng.choice(_REMEMBERED)
        return word.lower() if rng.random() < 0.25 else word
    word = pseudo_word(rng, rng.choice((1, 2, 2, 3)))
    return word.capitalize() if rng.random() < 0.5 else word


_REMEMBERED = remembered()
