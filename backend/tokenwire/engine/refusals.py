"""The hub's refusals, and those of the disk, as sentences that say what a person can do.

Status codes and words in, a sentence out; it refuses to know the client that met them.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenwire.engine.fetch_words import End, size


if TYPE_CHECKING:
    from pathlib import Path

_PASSING = {408, 429, *range(500, 600)}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_KEPT = "What was fetched is kept; resume to go on."
_BAD_TOKEN = "Invalid credentials in Authorization header"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What the hub answered: `code` and `message` are its X-Error headers, each "" where there is
    none; `token` is whether the question came with one, `wait_s` for how long it asks not to be
    asked again.
    """

    status: int
    code: str
    message: str
    token: bool
    wait_s: float | None = None

    @property
    def passes(self) -> bool:
        """Whether it may be another answer in a while."""
        return self.status in _PASSING


def end_of(refusal: Refusal, repo: str, endpoint: str) -> End:
    if refusal.passes:
        many = refusal.status == 429
        why = "wants fewer questions" if many else "is not well"
        return End(how="paused", why=f"The hub {why} ({refusal.status}). {_KEPT}")
    if refusal.code in {"EntryNotFound", "RevisionNotFound"}:
        return End(
            how="paused",
            why=f"{repo} has changed on the hub meanwhile. Resume to fetch what it has now.",
        )
    return End(how="refused", why=_refused(refusal, repo, endpoint))


def _refused(refusal: Refusal, repo: str, endpoint: str) -> str:
    if refusal.code == "GatedRepo":
        then = (
            "with the account that your token belongs to, or wait until its owner has let you in."
            if refusal.token
            else "then set HF_TOKEN to a token of that account and start the server again."
        )
        return f"{repo} is gated: accept its licence on {endpoint}/{repo}, {then}"
    if refusal.status == 401 and refusal.message == _BAD_TOKEN:
        return (
            "The hub does not know your token (401). Set HF_TOKEN to one that is valid, or unset "
            "it, and start the server again."
        )
    if refusal.code == "RepoNotFound" or refusal.status in {401, 404}:
        private = (
            "If it is private, your token may not read it."
            if refusal.token
            else "If it is private, set HF_TOKEN to a token that may read it and start the server "
            "again."
        )
        return f"There is no model {repo} on the hub. {private}"
    said = f": {refusal.message}" if refusal.message else ""
    return f"The hub does not hand out {repo} ({refusal.status}){said}"


def unreachable(endpoint: str, error: Exception) -> End:
    """The connection failed, once too often."""
    said = str(error) or type(error).__name__
    return End(how="paused", why=f"The connection to {endpoint} fails ({said}). {_KEPT}")


def nonsense(repo: str, endpoint: str, error: Exception) -> End:
    """The answer is none of a hub's."""
    why = (
        f"What {endpoint} says of {repo} can't be used ({error}). Look at HF_ENDPOINT and at the "
        "proxy, if you have set them."
    )
    return End(how="refused", why=why)


def found_wrong(names: list[str]) -> End:
    """Files have not the sums that the hub tells."""
    why = (
        f"Checked and found wrong: {' and '.join(names)}. What is wrong was removed; resume to "
        "fetch it again."
    )
    return End(how="paused", why=why)


def no_room(repo: str, folder: Path, *, missing: int, free: int, spare: int) -> End:
    """The disk is too small, which is known before anything is fetched."""
    why = (
        f"There is no room for {repo}: {size(missing)} are missing, and of the {size(free)} that "
        f"are free at {folder}, {size(spare)} must stay free. Make room, or set HF_HOME to a "
        "folder on another disk."
    )
    return End(how="refused", why=why)


def disk(error: OSError) -> End:
    """A file could not be written or read."""
    if error.errno in _FULL:
        return End(
            how="paused", why="The disk is full. What was fetched is kept; make room and resume."
        )
    where = f"{error.filename}: " if error.filename else ""
    return End(how="paused", why=f"The cache can't be used: {where}{error.strerror or error}.")
