"""Pieces of an answer: what is told in one event, joined; what was told before, cut off.

Pure functions over the engine's deltas. It refuses to know events and their numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenwire.engine.base import Call, Delta
from tokenwire.errors import ServerError


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.wire.narrator import Told


def size_of(delta: Delta) -> int:
    """Characters that it says."""
    calls = sum(len(call.arguments) for call in delta.calls)
    return len(delta.text) + len(delta.reasoning) + calls


def joined(deltas: Sequence[Delta]) -> list[Delta]:
    """The same, what belongs to one event in one delta. Only what they say, not their ids."""
    made: list[Delta] = []
    for delta in deltas:
        for piece in _pieces(delta):
            whole = _both(made[-1], piece) if made else None
            if whole is None:
                made.append(piece)
            else:
                made[-1] = whole
    return made


class Replayed:
    """What was `told` before the server ended, to be taken from what the engine says again. `sure`:
    that it says the same again.
    """

    def __init__(self, told: Sequence[Told], *, sure: bool = True) -> None:
        self._unproved = None if sure else (_said(told, "message"), _said(told, "reasoning"))
        self._text = _length(told, "message")
        self._reasoning = _length(told, "reasoning")
        self._calls = {item.call: len(item.text) for item in told if item.calls}

    def left_of(self, delta: Delta) -> Delta:
        """What is new of a delta; the last that was told may end in its midst. Raises ServerError
        where what was told is not what is said again.
        """
        if (told := self._unproved) is not None and (delta.token_ids or size_of(delta)):
            self._unproved = None
            if not (delta.text.startswith(told[0]) and delta.reasoning.startswith(told[1])):
                raise ServerError("The answer so far is not read as it was: ask again.")
        text, reasoning = delta.text[self._text :], delta.reasoning[self._reasoning :]
        self._text -= len(delta.text) - len(text)
        self._reasoning -= len(delta.reasoning) - len(reasoning)
        return Delta(
            text,
            delta.token_ids,
            delta.finish,
            delta.cached_tokens,
            reasoning,
            tuple(filter(None, map(self._left_of_call, delta.calls))),
            delta.logprobs,
            delta.reasoning_tokens,
        )

    def _left_of_call(self, call: Call) -> Call | None:
        if (told := self._calls.get(call.index)) is None:
            return call
        arguments = call.arguments[told:]
        self._calls[call.index] = told - (len(call.arguments) - len(arguments))
        return Call(call.index, arguments) if arguments else None


def _said(told: Sequence[Told], kind: str) -> str:
    return "".join(item.text for item in told if item.kind == kind)


def _length(told: Sequence[Told], kind: str) -> int:
    return len(_said(told, kind))


def _pieces(delta: Delta) -> list[Delta]:
    pieces: list[Delta] = []
    if delta.reasoning:
        pieces.append(Delta("", reasoning=delta.reasoning))
    if delta.text or delta.logprobs:
        pieces.append(Delta(delta.text, logprobs=delta.logprobs))
    return [*pieces, *(Delta("", calls=(call,)) for call in delta.calls)]


def _both(one: Delta, other: Delta) -> Delta | None:
    """Both as one, where they are of one kind."""
    if one.reasoning and other.reasoning:
        return Delta("", reasoning=one.reasoning + other.reasoning)
    if one.calls and other.calls:
        (first,), (second,) = one.calls, other.calls
        if first.index != second.index:
            return None
        whole = Call(first.index, first.arguments + second.arguments, first.id, first.name)
        return Delta("", calls=(whole,))
    if not (one.calls or one.reasoning or other.calls or other.reasoning):
        return Delta(one.text + other.text, logprobs=(*one.logprobs, *other.logprobs))
    return None
