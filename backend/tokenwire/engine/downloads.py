"""The server's side of downloads: a process for each, what it says as numbers for a person.

It refuses to know the hub; `fetch` does, and is killed when nobody wants the download any more.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tokenwire.engine.environment import users_environment
from tokenwire.engine.fetch_words import End, Line, Patience, size
from tokenwire.engine.hub_cache import CachedRepo, half_models
from tokenwire.engine.models import Transfer


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tokenwire.engine.fetch_words import Progress

_REPO = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", re.ASCII)
_BACKEND = Path(__file__).resolve().parents[2]
_RATE_OVER_S = 5.0
_RATE_AFTER_S = 0.5
_PATIENCE = Patience()
_line = msgspec.json.Decoder(Line)


class DownloadPaused(Exception):
    """It stopped; what was fetched is kept, and another `fetch` goes on. The text is a sentence."""


class DownloadRefused(Exception):
    """It can't be, and nothing of it is here. The text is a sentence that says what to do."""


class Downloads:
    """Fetches models of the hub into the Hugging Face cache. `environment` is what the fetching
    process finds: the user's, where it isn't given.
    """

    def __init__(
        self, patience: Patience = _PATIENCE, environment: Mapping[str, str] | None = None
    ) -> None:
        self._patience, self._environment = patience, environment

    async def fetch(self, repo: str, tell: Callable[[str, Transfer, str], None]) -> None:
        """Return when the model is whole. `tell` hears the stage, how far it is, and a sentence.

        Raises DownloadPaused or DownloadRefused. Cancelled, it kills the process and waits for it;
        what was fetched is kept.
        """
        _check_name(repo)
        end = await self._run(repo, tell)
        if end.how == "done":
            return
        # Also what is refused now may have been begun before.
        if end.how == "paused" or self.progress(repo) is not None:
            raise DownloadPaused(end.why)
        raise DownloadRefused(end.why)

    async def discard(self, repo: str) -> None:
        """Remove what a download left half, nothing else. Not while it is being fetched: raises
        DownloadPaused if another process does.
        """
        _check_name(repo)
        await asyncio.to_thread(_discard, repo)

    def left(self) -> list[str]:
        """The models that a download left half, and of which there is no older revision."""
        return half_models()

    def progress(self, repo: str) -> Transfer | None:
        """How much of a model that was left half is here."""
        cached = CachedRepo(repo)
        if (half := cached.half()) is None:
            return None
        files = {file.blob: file for file in half.files}.values()
        return Transfer(
            sum(cached.present(file) for file in files), sum(file.size for file in files)
        )

    async def _run(self, repo: str, tell: Callable[[str, Transfer, str], None]) -> End:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # not what lies in the folder that the server was started in
            "-m",
            "tokenwire.engine.fetch",
            repo,
            msgspec.json.encode(self._patience),
            # Nothing is written to it: its end tells the process that the server is gone.
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._child_environment(),
            # Ctrl-C in a terminal is for the server, which then ends this.
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            end = await _listen(repo, process.stdout, tell)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.stdin.close()
            status = await process.wait()
        if end is None:
            end = End(
                how="paused",
                why=f"The process that fetched {repo} died (status {status}). What was fetched is "
                "kept; resume to go on.",
            )
        return end

    def _child_environment(self) -> dict[str, str]:
        theirs = users_environment() if self._environment is None else self._environment
        paths = [str(_BACKEND), *filter(None, [theirs.get("PYTHONPATH")])]
        return {
            "HF_HUB_DISABLE_TELEMETRY": "1",
            **theirs,
            "PYTHONPATH": os.pathsep.join(paths),
        }


class _Rate:
    """Bytes per second over the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def transfer(self, done: int, total: int | None, now: float) -> Transfer:
        self._samples.append((now, done))
        while now - self._samples[0][0] > _RATE_OVER_S and len(self._samples) > 2:
            self._samples.popleft()
        then, before = self._samples[0]
        if now - then < _RATE_AFTER_S:
            return Transfer(done, total)
        rate = (done - before) / (now - then)
        left = (total - done) / rate if total is not None and rate > 0 else None
        return Transfer(done, total, rate, left)


async def _listen(
    repo: str, lines: asyncio.StreamReader, tell: Callable[[str, Transfer, str], None]
) -> End | None:
    """Tell what the process says, until its last word. None if it had none."""
    rate = _Rate()
    while line := await lines.readline():
        try:
            said = _line.decode(line)
        except msgspec.DecodeError:  # killed within a word
            continue
        if isinstance(said, End):
            return said
        if said.stage == "downloading":
            transfer = rate.transfer(said.done, said.total, time.monotonic())
        else:
            transfer = Transfer(said.done, said.total)
        tell(said.stage, transfer, said.detail or _sentence(repo, said))
    return None


def _sentence(repo: str, said: Progress) -> str:
    if said.stage == "resolving" or said.total is None:
        return f"Asking the hub about {repo}"
    doing, done = (
        ("Checking", said.checked) if said.stage == "verifying" else ("Downloading", said.done)
    )
    return f"{doing} {repo}, {size(done)} of {size(said.total)}"


def _check_name(repo: str) -> None:
    if not _REPO.fullmatch(repo):
        raise DownloadRefused(
            f"{repo!r} is no name of a model on the hub. Names look like Qwen/Qwen3-0.6B."
        )


def _discard(repo: str) -> None:
    cached = CachedRepo(repo)
    with cached.locked() as alone:
        if not alone:
            raise DownloadPaused(f"Another process is fetching {repo}, so it stays.")
        cached.discard()
