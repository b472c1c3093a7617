"""Markdown as a model writes it (paragraphs, lists, code, tables, formulas), cut into tokens as a
model's tokenizer would: what the scripted engine says where the page is measured. The same seed
makes the same text. It refuses to know who says it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable


_TEXT = """
the of and to in a is that for it as was with be by on not he this are or his from at which but
have an had they you were their one all we can has there been if more when will would who so no
stream token model server engine cache answer socket frame layer memory queue latency throughput
scheduler attention weight vector matrix context prompt number history page browser protocol event
buffer measure reader writer position message conversation request response parallel
"""
WORDS = _TEXT.split()
_TOKEN = re.compile(r" ?[A-Za-z]{1,7}|\n+| ?\d{1,3}| +|.", re.DOTALL)
_CODE = (
    "for index in range({n}):",
    "    total += weights[index] * {w}",
    "def {w}_{v}(values: list[float]) -> float:",
    "    return sum(values) / max(1, len(values))",
    "if {w} is None and len({v}) > {n}:",
    '    raise ValueError(f"no {w} for {{{v}!r}}")',
    '{w} = {{"{v}": {n}, "kept": True}}  # {w} {v}',
    "",
)
_FORMULAS = (
    r"\(x_{%d} = \frac{a + b}{2}\)",
    r"\(\sum_{i=1}^{%d} w_i\)",
    r"\(e^{-%d t}\)",
    r"\(\alpha_{%d} \le \beta\)",
)


def tokens_of(text: str) -> list[str]:
    return _TOKEN.findall(text)


class Writer:
    """Writes one text after the other from one seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def answer(self, tokens: int) -> list[str]:
        """At least so many tokens, to the end of a block."""
        made: list[str] = []
        while len(made) < tokens:
            made += tokens_of(self._block() + "\n\n")
        return made

    def question(self) -> str:
        return self._words(4, 40).capitalize() + "?"

    def _block(self) -> str:
        blocks: tuple[tuple[Callable[[], str], int], ...] = (
            (self._paragraph, 9),
            (self._heading, 2),
            (self._list, 3),
            (self._code, 2),
            (self._table, 1),
            (self._formula, 1),
            (self._quote, 1),
        )
        kinds, weights = zip(*blocks, strict=True)
        return self._dice.choices(kinds, weights)[0]()

    def _words(self, low: int, high: int) -> str:
        return " ".join(self._dice.choices(WORDS, k=self._dice.randint(low, high)))

    def _span(self) -> str:
        words = self._words(1, 12)
        match self._dice.randrange(14):
            case 0:
                return f"**{words}**"
            case 1:
                return f"*{words}*"
            case 2:
                return f"`{self._dice.choice(WORDS)}_{self._dice.choice(WORDS)}()`"
            case 3:
                return f"[{words}](https://example.org/{self._dice.randrange(1000)})"
            case 4:
                return self._dice.choice(_FORMULAS) % self._dice.randint(1, 9)
            case _:
                return words

    def _sentence(self) -> str:
        spans = " ".join(self._span() for _ in range(self._dice.randint(1, 3)))
        return spans[0].upper() + spans[1:] + "."

    def _paragraph(self) -> str:
        return " ".join(self._sentence() for _ in range(self._dice.randint(2, 6)))

    def _heading(self) -> str:
        return f"{'#' * self._dice.randint(2, 4)} {self._words(2, 6).capitalize()}"

    def _list(self) -> str:
        ordered = self._dice.random() < 0.4
        lines: list[str] = []
        for index in range(1, self._dice.randint(3, 9)):
            lines.append(f"{f'{index}.' if ordered else '-'} {self._sentence()}")
            if self._dice.random() < 0.2:
                lines += [f"   - {self._sentence()}" for _ in range(self._dice.randint(1, 3))]
        return "\n".join(lines)

    def _code(self) -> str:
        lines = self._dice.choices(_CODE, k=self._dice.randint(6, 24))
        choose = self._dice.choice
        code = (
            line.format(n=self._dice.randrange(100), w=choose(WORDS), v=choose(WORDS))
            for line in lines
        )
        return "```python\n" + "\n".join(code) + "\n```"

    def _table(self) -> str:
        wide = self._dice.randint(2, 5)
        rows = [[self._words(1, 4) for _ in range(wide)] for _ in range(self._dice.randint(4, 10))]
        rows.insert(1, ["---"] * wide)
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def _formula(self) -> str:
        power = self._dice.randint(2, 9)
        return rf"\[\int_0^1 x^{{{power}}}\,dx = \frac{{1}}{{{power + 1}}}\]"

    def _quote(self) -> str:
        return "> " + self._paragraph()
