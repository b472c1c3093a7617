"""The real server as a child process, as a user starts it; watched and ended by its own ids."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx


ROOT = Path(__file__).resolve().parents[2]
START_S = 60


@dataclass(slots=True)
class Server:
    """A running `tokenwire serve`. `log` is its standard error."""

    process: subprocess.Popen[str]
    url: str
    data_dir: Path
    log: Path
    started: float

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_ready(self, seconds: float = START_S) -> float:
        """Until /readyz says so. Returns the seconds since the start of the process."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200:
                return time.monotonic() - self.started
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"the server did not get ready:\n{self.log.read_text()}")

    def engines(self) -> list[int]:
        """The ids of its engine processes."""
        return engines_of(self.pid)

    def stop(self, seconds: float = 20) -> int:
        """SIGTERM, and wait. Returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self._release()
        return status

    def kill(self) -> None:
        """SIGKILL, and wait for the server alone."""
        self.process.kill()
        self.process.wait(10)
        self._release()

    def _release(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()


def start_server(
    data_dir: Path,
    *options: str,
    program: Sequence[str] = ("-m", "tokenwire", "serve"),
    environment: Mapping[str, str] | None = None,
) -> Server:
    """Start it on a free port and wait for its address. The caller ends it. `program`: what Python
    runs, if not the product.
    """
    log = data_dir.with_suffix(".log")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [
                sys.executable,
                *program,
                "--port=0",
                f"--data-dir={data_dir}",
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "backend"), **(environment or {})},
        )
    started = time.monotonic()
    assert process.stdout is not None
    line = process.stdout.readline()
    if "http://" not in line:
        process.kill()
        process.wait()
        process.stdout.close()
        raise AssertionError(f"no address in {line!r}:\n{log.read_text()}")
    url = next(word for word in line.split() if word.startswith("http://"))
    return Server(process, url, data_dir, log, started)


def engines_of(pid: int) -> list[int]:
    """The living engine processes under a process."""
    return [child for child in descendants(pid) if "EngineCore" in _title(child)]


def descendants(pid: int) -> list[int]:
    """Living children, their children, and so on."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _read(entry / "stat")):
            parents[int(entry.name)] = int(stat.rsplit(")", 1)[1].split()[1])
    found, layer = list[int](), [pid]
    while layer := [child for child, parent in parents.items() if parent in layer]:
        found += layer
    return found


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    stat = _read(Path("/proc") / str(pid) / "stat")
    return bool(stat) and stat.rsplit(")", 1)[1].split()[0] != "Z"


def private_bytes(pid: int) -> int:
    """The memory that a process has for itself."""
    lines = _read(Path("/proc") / str(pid) / "smaps_rollup").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) * 1024


def wait_gone(pids: list[int], seconds: float) -> list[int]:
    """Wait until none is alive. Returns those that still are."""
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _title(pid: int) -> str:
    return _read(Path("/proc") / str(pid) / "cmdline").replace("\0", " ")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
