"""Fixtures that the whole suite shares: the one real server, with the real engine and the demo
model.
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Units first, the real engine last: what fails fast fails first."""
    items.sort(key=lambda item: "server" in getattr(item, "fixturenames", ()))
