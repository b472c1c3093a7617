"""The page in headless Chromium: the main path and the faults against the real server, odd states
against a fake one.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from support.node import run_node_tests
from support.server import Server, start_server


CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server, None, None]:
    """A server of the page's own: what others have said to theirs would stand in its lists."""
    running = start_server(tmp_path_factory.mktemp("page") / "data")
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()


@pytest.fixture(autouse=True)
def browser() -> None:
    assert shutil.which(CHROMIUM), "Chromium is missing: apt-get install chromium, or set CHROMIUM."


def with_own_server(file: str, folder: Path) -> None:
    """For tests that start, kill and start again a server themselves."""
    own = {"TOKENWIRE_PYTHON": sys.executable, "TOKENWIRE_DATA": str(folder / "data")}
    run_node_tests(file, seconds=590, **own)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_page_works_with_the_real_server(server: Server) -> None:
    run_node_tests("tests/page/main.test.mjs", url=server.url, seconds=590)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_page_works_behind_a_proxy_that_lets_no_websocket_through(server: Server) -> None:
    run_node_tests("tests/page/proxy.test.mjs", url=server.url, seconds=590)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_page_goes_on_when_the_engine_or_the_server_is_killed(tmp_path: Path) -> None:
    with_own_server("tests/page/faults.test.mjs", tmp_path)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_page_is_installed_and_opens_without_its_server(tmp_path: Path) -> None:
    with_own_server("tests/page/pwa.test.mjs", tmp_path)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_who_waits_in_line_is_told_about_how_long(tmp_path: Path) -> None:
    with_own_server("tests/page/line.test.mjs", tmp_path)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_page_says_what_is_wrong_in_odd_states() -> None:
    run_node_tests("tests/page/states.test.mjs", seconds=590)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_list_of_chats_at_the_side(server: Server) -> None:
    run_node_tests("tests/page/history.test.mjs", url=server.url, seconds=590)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_page_fetches_loads_and_switches_models() -> None:
    run_node_tests("tests/page/models.test.mjs", seconds=590)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_what_can_be_done_with_an_exchange() -> None:
    run_node_tests("tests/page/turns.test.mjs", seconds=590)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_message_box_does_what_it_is_asked(server: Server) -> None:
    run_node_tests("tests/page/composer.test.mjs", url=server.url, seconds=590)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_how_a_chat_is_answered_is_set_and_followed(server: Server) -> None:
    run_node_tests("tests/page/settings.test.mjs", url=server.url, seconds=590)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_two_tabs_and_a_phone_agree_after_a_minute_of_everything(server: Server) -> None:
    run_node_tests("tests/page/tabs.test.mjs", url=server.url, seconds=590)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_page_draws_markdown_in_pieces_as_in_one_and_safely() -> None:
    run_node_tests("tests/page/markdown.test.mjs", seconds=590)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_page_works_without_a_mouse() -> None:
    run_node_tests("tests/page/keyboard.test.mjs", seconds=590)


@pytest.mark.live
@pytest.mark.timeout(600)
def test_long_chats_and_long_answers() -> None:
    run_node_tests("tests/page/long.test.mjs", seconds=590)
