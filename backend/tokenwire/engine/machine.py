"""How much memory this machine has, and has free, under the limits that its control groups set.

It reads what the kernel says, and refuses to know what the memory is for.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator


def machine_memory(root: Path = Path("/")) -> tuple[int, int] | None:
    """Free and all bytes, files that are only kept in memory counted as free; None where the kernel
    doesn't say. Below a millisecond.
    """
    values = _table(root / "proc/meminfo", ":")
    if "MemAvailable" not in values:
        return None
    free, total = values["MemAvailable"] * 1024, values["MemTotal"] * 1024
    for limit, used in chain(_groups_v1(root), _groups_v2(root)):
        free, total = min(free, max(limit - used, 0)), min(total, limit)
    return free, total


def _groups_v2(root: Path) -> Iterator[tuple[int, int]]:
    """Limit and use of each control group that this process is in."""
    for group in _groups(root, "", root / "sys/fs/cgroup"):
        limit, used = _integer(group / "memory.max"), _integer(group / "memory.current")
        if limit is not None and used is not None:
            files = _table(group / "memory.stat")
            yield limit, used - files.get("inactive_file", 0) - files.get("active_file", 0)


def _groups_v1(root: Path) -> Iterator[tuple[int, int]]:
    for group in _groups(root, "memory", root / "sys/fs/cgroup/memory"):
        limit = _integer(group / "memory.limit_in_bytes")
        used = _integer(group / "memory.usage_in_bytes")
        if limit is not None and used is not None:
            files = _table(group / "memory.stat")
            reclaimable = files.get("total_inactive_file", 0) + files.get("total_active_file", 0)
            yield limit, used - reclaimable


def _groups(root: Path, controller: str, mount: Path) -> Iterator[Path]:
    """The folders of this process's group and of those around it."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            inner = Path(path.strip("/"))
            # In a container the path is often that of the host; its own group is the root then.
            yield from (mount / part for part in (inner, *inner.parents))
            return


def _table(file: Path, mark: str | None = None) -> dict[str, int]:
    """Names and numbers, one pair on a line."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.replace(mark or " ", " ", 1).split() for line in lines)
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) > 1 and pair[1].isdigit()}


def _integer(file: Path) -> int | None:
    """The number in a file; None for none, which "max" is too."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
