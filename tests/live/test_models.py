"""A second model of another architecture: fetched from a hub, loaded while the first is answering,
answering beside it; and the first given up under its answer, which nothing of all that changes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.house import Json
from support.hub import Repository, a_hub
from support.model import make_model
from support.streamed import Streamed, serving, until_state


pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

REPO = "org/tiny-qwen3"
# Longer than another model takes to be there.
LONG: Json = {
    "input": "Count to 200.",
    "temperature": 0,
    "stream": True,
    "ignore_eos": True,
    "max_output_tokens": 1800,
}


async def test_a_model_is_fetched_and_loaded_beside_a_running_answer(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "qwen3", kind="qwen3")
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    async with (
        a_hub() as hub,
        serving(tmp_path, HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "hub")) as client,
    ):
        hub.repos[REPO] = Repository(files)
        before = await Streamed(client, LONG).task
        fetched = await client.post("/v1/models/download", json={"model": REPO})
        assert fetched.status_code == 202
        about = await until_state(client, REPO, "unloaded", "paused", "failed")
        assert (about["state"], about["reason"], about["fits"]) == ("unloaded", None, True)

        long = Streamed(client, LONG)
        await long.more_than(20)

        # The request itself has it loaded, and tells the stages.
        body: Json = {"model": REPO, "input": "Hi", "stream": True, "max_output_tokens": 200}
        other = Streamed(client, body | {"ignore_eos": True})
        await other.more_than(0)
        assert long.end is None, "the first had ended before the second spoke"
        assert [model["state"] for model in other.models][:1] == ["loading"]
        seen = len(long.text)
        await long.more_than(seen)

        gone = await client.post("/v1/models/unload", json={"model": "tokenwire-demo"})
        assert gone.json()["tokenwire"]["state"] == "draining"
        assert await long.task == before
        assert long.end is not None
        assert long.end["status"] == "incomplete"
        await until_state(client, "tokenwire-demo", "unloaded")
        await other.task
        assert other.end is not None
        assert (other.end["status"], other.end["model"]) == ("incomplete", REPO)
        numbers = (await client.get("/metrics")).text
        assert f'tokenwire_engine_generation_tokens_total{{model="{REPO}"}} 200' in numbers
        assert 'tokenwire_model_loaded{model="tokenwire-demo"} 0' in numbers
        # And back, by asking.
        assert await Streamed(client, LONG).task == before
