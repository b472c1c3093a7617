"""The official JavaScript SDK, through node, against the model that recites and the demo model."""

from __future__ import annotations

import json

import pytest

from support.node import run_node_tests
from support.reciter import AFTER, CALLS, SPOKEN, THOUGHT
from support.server import Server


@pytest.mark.live
@pytest.mark.timeout(180)
def test_the_official_javascript_sdk_is_a_client(reciter_server: Server) -> None:
    run_node_tests(
        "tests/live/openai_js.test.mjs",
        url=reciter_server.url,
        TOKENWIRE_RECITED=json.dumps(
            {"thought": THOUGHT, "spoken": SPOKEN, "calls": CALLS, "after": AFTER}
        ),
    )
