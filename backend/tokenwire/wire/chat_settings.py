"""How the answers of one conversation are to be made: held to the bounds of a create, kept, and
echoed to whoever asks next. It refuses to apply them: a client sends what counts with each create.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from tokenwire.wire.commands import (
    Fraction,
    MostTokens,
    Penalty,
    Repetition,
    Seed,
    ShortText,
    Temperature,
    TopK,
    TopP,
)
from tokenwire.wire.tools import Effort


MAX_INSTRUCTIONS = 32_768


class ChatSettings(Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """`settings` of a conversation. Fields of a create by their names; what is null is not set."""

    instructions: Annotated[str, Meta(max_length=MAX_INSTRUCTIONS)] | None = None
    model: ShortText | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    min_p: Fraction | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repetition_penalty: Repetition | None = None
    max_output_tokens: MostTokens | None = None
    seed: Seed | None = None
    reasoning_effort: Effort | None = None
