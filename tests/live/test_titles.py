"""Titles of the real engine: made by the model of the chat when nobody waits, left alone for any
answer, never over a typed one. The models recite (support/reciter.py): what they say is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import httpx
import pytest

from support.reciter import MUTE, SPOKEN, make_reciter
from support.server import Server, start_server


pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]
Json = dict[str, Any]
# What the model says where it was told not to think, made plain.
TITLE = SPOKEN.strip().removesuffix(".")
# Longer than a title takes on a slow machine.
LONG_S = 30.0


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Generator[httpx.Client, None, None]:
    """Of a server that asks small models too: one that says titles and one that never gets to."""
    data = tmp_path_factory.mktemp("titles") / "data"
    make_reciter(data / "models" / "reciter")
    make_reciter(data / "models" / "mute", chains=MUTE)
    running = start_server(data, "--model=reciter", environment={"TOKENWIRE_TITLES": "always"})
    try:
        running.wait_ready()
        with httpx.Client(base_url=running.url, timeout=120, trust_env=False) as client:
            yield client
    finally:
        running.stop()


def post(http: httpx.Client, path: str, **body: object) -> Json:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def chat(http: httpx.Client, **body: object) -> Json:
    """A conversation with an answer in it."""
    made = post(http, "/v1/conversations")
    asked = {"model": "reciter", "input": "Weather?", "temperature": 0} | body
    answer = post(http, "/v1/responses", conversation=made["id"], **asked)
    assert answer["status"] == "completed"
    return made


def title(http: httpx.Client, made: Json) -> object:
    return http.get(f"/v1/conversations/{made['id']}").json()["title"]


def wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def at_work(http: httpx.Client, model: str) -> int:
    """The requests that a model's engine has now."""
    engine: Json | None = http.get(f"/v1/models/{model}").json()["tokenwire"]["engine"]
    return engine["running"] if engine else 0


def test_the_model_of_a_chat_gives_it_a_title_without_thinking(http: httpx.Client) -> None:
    made = chat(http)
    wait(lambda: title(http, made) != "Weather?")
    assert title(http, made) == TITLE
    turns = http.get(f"/v1/conversations/{made['id']}/responses").json()["data"]
    assert len(turns) == 1
    assert http.get("/v1/conversations/search?q=naïve&limit=1").json()["data"][0]["role"]


def test_a_typed_title_stays(http: httpx.Client) -> None:
    made = chat(http)
    post(http, f"/v1/conversations/{made['id']}", title="Mine")
    other = chat(http)
    wait(lambda: title(http, other) == TITLE)
    assert title(http, made) == "Mine"


def test_no_title_is_made_while_an_answer_is(http: httpx.Client) -> None:
    endless = {"ignore_eos": True, "max_output_tokens": 1_900, "background": True}
    running = post(http, "/v1/responses", model="reciter", input="Go on", **endless)
    made = chat(http)
    for _ in range(2):
        # Longer than it waits where all is quiet.
        time.sleep(0.5)
        state = http.get(f"/v1/responses/{running['id']}").json()["status"]
        if state != "in_progress":
            pytest.fail("The long answer ended too soon to tell.")
        assert title(http, made) == "Weather?"
    post(http, f"/v1/responses/{running['id']}/cancel")
    wait(lambda: title(http, made) == TITLE)


def test_a_title_under_way_is_left_alone_for_an_answer(http: httpx.Client) -> None:
    made = chat(http, model="mute")
    wait(lambda: at_work(http, "mute") == 1)

    def left_alone() -> bool:
        """Not even the other model's engine has anything else to do when an answer was made."""
        answer = post(http, "/v1/responses", model="reciter", input="Me first", temperature=0)
        assert answer["status"] == "completed"
        return at_work(http, "mute") == 0

    # On a busy machine it may be tried again before this looks.
    assert any(left_alone() for _ in range(3))
    wait(lambda: at_work(http, "mute") == 1)
    assert title(http, made) == "Weather?"


def test_a_model_is_unloaded_for_all_that_it_makes_a_title(http: httpx.Client) -> None:
    chat(http, model="mute")
    wait(lambda: at_work(http, "mute") == 1)
    assert http.post("/v1/models/unload", json={"model": "mute"}).status_code == 202
    state = lambda: http.get("/v1/models/mute").json()["tokenwire"]["state"]  # noqa: E731
    wait(lambda: state() == "unloaded")
    # It is not loaded again for the title.
    time.sleep(1)
    assert state() == "unloaded"


def test_the_demo_model_is_not_asked_unless_it_was_set(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=120, trust_env=False) as http:
        made = chat(http, model="tokenwire-demo", input="Tell me a story about a fox.")
        time.sleep(2)
        assert title(http, made) == "Tell me a story about a fox."
