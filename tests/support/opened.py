"""An open house as a process of its own, which can be watched from outside: `python -m
support.opened FOLDER` prints its address, and closes when its standard input does. Whatever goes
wrong inside stands on its standard error.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.house import open_house
from support.server import ROOT


@dataclass(frozen=True, slots=True)
class Opened:
    """A house that runs elsewhere. `log` is its standard error."""

    url: str
    pid: int
    log: Path

    @property
    def resident_kib(self) -> int:
        """The memory that it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024


@contextmanager
def opened(folder: Path) -> Generator[Opened, None, None]:
    """Open one in a new process, and see that it closes in good order."""
    paths = os.pathsep.join(str(ROOT / name) for name in ("backend", "tests"))
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "support.opened", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | {"PYTHONPATH": paths},
            text=True,
        )
        assert process.stdin
        assert process.stdout
        try:
            url = process.stdout.readline().strip()
            assert url, log.read_text()
            yield Opened(url, process.pid, log)
        finally:
            process.stdin.close()
            status = process.wait(20)
            process.stdout.close()
    assert status == 0, log.read_text()


async def _run(folder: Path) -> None:
    logging.basicConfig(level=logging.WARNING)
    async with open_house(folder, errorlog="-") as house:
        sys.stdout.write(f"{house.url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1])))
