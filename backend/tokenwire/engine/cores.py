"""The cores of a machine without a GPU, shared by the engines that compute at the same time.

An engine's threads wait for each other after each piece of a step, and while they wait they keep
their cores busy. Two engines with a thread for every core wait for threads that wait for cores:
together they are slower by twenty times than one after the other. So the server writes down how
many threads each may have, in a byte that they share, and an engine looks there before each step: a
fresh process finds it too, and nobody is asked. It refuses to know what a thread computes.
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from pathlib import Path


# The environment variable with the path of the byte.
FILE = "TOKENWIRE_CORES_FILE"
# One that computes alone has what it was started with.
ALL = 0


def cores_file(run_dir: Path) -> Path:
    return run_dir / "cores"


class Cores:
    """The server's side. `total`: the cores that all engines have together."""

    def __init__(self, path: Path, total: int) -> None:
        self._total = total
        path.write_bytes(bytes([ALL]))
        with path.open("r+b") as file:
            self._byte = mmap.mmap(file.fileno(), 1)

    def share(self, computing: int) -> None:
        """So many engines compute from now on."""
        alone = computing < 2
        self._byte[0] = ALL if alone else min(max(1, self._total // computing), 255)


class Share:
    """An engine's side: the `threads` that it may have, `most` of them at most. Without a file, or
    where there is none, nobody shares anything out.
    """

    def __init__(self, path: str | None, most: int) -> None:
        self._most = self.threads = most
        self._byte: bytes | mmap.mmap = bytes([ALL])
        if path is not None:
            with suppress(OSError), Path(path).open("rb") as file:
                self._byte = mmap.mmap(file.fileno(), 1, prot=mmap.PROT_READ)

    def changed(self) -> bool:
        """Whether `threads` is another number now than when this was last asked."""
        before = self.threads
        self.threads = min(self._byte[0] or self._most, self._most)
        return self.threads != before
