"""The official JavaScript SDK, through node."""

from __future__ import annotations

import pytest

from support.node import run_node_tests
from support.server import Server


@pytest.mark.live
@pytest.mark.timeout(180)
def test_the_official_javascript_sdk_is_a_client(server: Server) -> None:
    run_node_tests("tests/live/openai_js.test.mjs", url=server.url)
