"""What the kernel knows of a process, and what becomes of many numbers: medians, spread, ratios, a
line of JSON with commit and machine, a table in docs/performance.md. It refuses to know what was
measured.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "out" / "bench.jsonl"
_TICK = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Seconds of user and system time of a process, its threads included, its children not."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """The median, and from where to where."""
    return f"{median(values):.4g} ({min(values):.4g}-{max(values):.4g})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of the pairs."""
    return median([a / b for a, b in zip(ours, theirs, strict=True)])


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def publish(name: str, text: str, values: dict[str, Any]) -> None:
    """Print a result, keep it as a line of JSON, and put it into the page between its marks."""
    print(f"\n{text}\n", flush=True)
    facts = {"bench": name, "commit": commit(), "machine": machine(), "at": int(time.time())}
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(facts | values) + "\n")
    page = PAGE.read_text()
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if start not in page:
        raise SystemExit(f"{PAGE.name} has no place for {name}")
    before, rest = page.split(start, 1)
    noted = f"Measured at {facts['commit']} on {facts['machine']}."
    PAGE.write_text(f"{before}{start}\n\n{text}\n\n{noted}\n\n{end}{rest.split(end, 1)[1]}")


def commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def machine() -> str:
    return f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, Python " + (
        platform.python_version()
    )
