"""Fixtures that the whole suite shares: the real servers, with the real engine, one for the demo
model and one for the model that recites.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from support.server import Server, start_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server, None, None]:
    """The real server, ready to generate. One engine start for all tests that use it."""
    running = start_server(tmp_path_factory.mktemp("server") / "data")
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def reciter_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server, None, None]:
    """A server whose model recites (support/reciter.py): it thinks, speaks and calls. It has the
    demo model too, which is loaded when it is asked for.
    """
    from support.reciter import make_reciter

    data = tmp_path_factory.mktemp("reciter") / "data"
    make_reciter(data / "models" / "reciter")
    running = start_server(data, "--model=reciter")
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Units first, the real engine last: what fails fast fails first."""
    servers = {"server", "reciter_server"}
    items.sort(key=lambda item: bool(servers.intersection(getattr(item, "fixturenames", ()))))
