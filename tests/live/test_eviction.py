"""More models than may be loaded at once, each with a real engine: who goes for another, and who
never does."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from support.house import Json
from support.model import make_model
from support.streamed import Streamed, serving, states, until_state


pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

SETTINGS = """
model = "pinned"
max_loaded_models = 3

[models.pinned]
pinned = true
"""
MODELS = ("pinned", "a", "b", "c")
# Tokens of an answer that takes longer than a model needs to be there, with room: a tiny one makes
# 800 of them in a second, beside another half as many.
LONG, MIDDLE, SHORT = 3000, 300, 4


def asks(model: str, tokens: int) -> Json:
    return {
        "model": model,
        "input": "Tell me of the sea.",
        "temperature": 0,
        "stream": True,
        "ignore_eos": True,
        "max_output_tokens": tokens,
    }


def ended(answer: Streamed) -> int:
    """The tokens of an answer that went to its end."""
    assert answer.end is not None
    assert answer.end["incomplete_details"] == {"reason": "max_output_tokens"}
    return answer.end["usage"]["output_tokens"]


async def loaded(client: httpx.AsyncClient) -> set[str]:
    return {model for model, state in (await states(client)).items() if state == "ready"}


async def test_the_model_used_longest_ago_goes_and_never_one_that_is_pinned_or_answers(
    tmp_path: Path,
) -> None:
    models = tmp_path / "data" / "models"
    make_model(models / "pinned", context=4096)
    for name in MODELS[1:]:
        (models / name).symlink_to(models / "pinned")
    (tmp_path / "settings.toml").write_text(SETTINGS)
    async with serving(tmp_path, f"--config={tmp_path / 'settings.toml'}") as client:
        for model in ("a", "b", "a"):
            await Streamed(client, asks(model, SHORT)).task
        assert await loaded(client) == {"pinned", "a", "b"}

        # `pinned` was used longest ago, then `b`.
        await Streamed(client, asks("c", SHORT)).task
        assert await loaded(client) == {"pinned", "a", "c"}

        # Now that is `a`, but it answers.
        held = Streamed(client, asks("a", LONG))
        await held.more_than(0)
        await Streamed(client, asks("c", SHORT)).task
        await Streamed(client, asks("b", SHORT)).task
        assert held.end is None, "it had ended before the other was there"
        assert await loaded(client) == {"pinned", "a", "b"}

        # And now both do: the one used longest ago goes, when it has said all of it.
        other = Streamed(client, asks("b", MIDDLE))
        await other.more_than(0)
        waiting = Streamed(client, asks("c", SHORT))
        going = await until_state(client, "a", "draining", "unloaded")
        assert (going["state"], held.end) == ("draining", None)
        await waiting.task
        assert (ended(waiting), ended(held)) == (SHORT, LONG)
        assert await loaded(client) == {"pinned", "b", "c"}
        # Both have the same weights, and so the same to say.
        said = await other.task
        assert ended(other) == MIDDLE
        assert held.text.startswith(said.rstrip("\ufffd"))
