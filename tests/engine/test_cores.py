"""What engines that compute at the same time have of the cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.machine import Factory, open_supervisor
from tokenwire.engine.cores import Cores, Share, cores_file


@pytest.mark.parametrize(
    ("total", "computing", "most", "threads"),
    [
        (8, 0, 8, 8),
        (8, 1, 8, 8),
        (8, 1, 12, 12),  # as its user has set it
        (8, 2, 8, 4),
        (8, 3, 8, 2),
        (8, 2, 3, 3),
        (2, 2, 2, 1),
        (2, 5, 2, 1),
        (1024, 2, 1024, 255),
    ],
)
def test_what_an_engine_has(
    tmp_path: Path, total: int, computing: int, most: int, threads: int
) -> None:
    cores = Cores(cores_file(tmp_path), total)
    share = Share(str(cores_file(tmp_path)), most)
    assert not share.changed()
    cores.share(computing)
    assert share.changed() == (threads != most)
    assert share.threads == threads
    assert not share.changed()
    cores.share(1)
    assert share.changed() == (threads != most)
    assert share.threads == most


@pytest.mark.parametrize("path", [None, "nothing/here"])
def test_an_engine_that_nobody_shares_with_has_them_all(path: str | None) -> None:
    share = Share(path, 6)
    assert not share.changed()
    assert share.threads == 6


def test_a_process_that_comes_later_has_its_share_at_once(tmp_path: Path) -> None:
    Cores(cores_file(tmp_path), 4).share(2)
    share = Share(str(cores_file(tmp_path)), 4)
    assert share.changed()
    assert share.threads == 2


async def test_it_is_told_how_many_engines_are_in_use() -> None:
    told: list[int] = []
    async with open_supervisor(Factory(), computing=told.append) as supervisor:
        async with supervisor.lease("a"), supervisor.lease("a"):
            assert told == [1]
            async with supervisor.lease("b"):
                assert told == [1, 2]
            assert told == [1, 2, 1]
        assert told == [1, 2, 1, 0]
