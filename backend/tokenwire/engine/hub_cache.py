"""Where the Hugging Face cache lies, and what in it is whole, half, or nobody's.

Folders and links only; it refuses to know the network. A model is whole once `refs/main` names its
snapshot, so a half one is seen by nobody; a note beside it says what was begun.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator


_PREFIX = "models--"
_NOTE = "tokenwire.json"
_SHA256_LENGTH = 64
_READ_BYTES = 1 << 20

# The names of files and folders below come from the hub and from a note on disk.
Commit = Annotated[str, Meta(pattern=r"^[0-9a-f]{40}$")]
Blob = Annotated[str, Meta(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
FileName = Annotated[str, Meta(pattern=r"^(?!.*(^|/)\.{0,2}(/|$))[^\\\x00-\x1f]+$", max_length=512)]


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository. `blob` is the hash of its content: sha256 of a large one, git's sha1
    of a small one; the cache names the content by it.
    """

    name: FileName
    size: int
    blob: Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """A download that was begun: what it is of, and what of it nobody else had put there (the blobs
    `ours`, the folder of the snapshot if it is `fresh`), so that it can be taken away again.
    """

    revision: Commit
    files: tuple[HubFile, ...]
    ours: tuple[Blob, ...]
    fresh: bool


class CachedRepo:
    """One repository in the cache. Raises OSError where the disk does."""

    def __init__(self, repo: str) -> None:
        self.folder = hub_folder() / (_PREFIX + repo.replace("/", "--"))
        self._note = self.folder / _NOTE
        # What is not yet in its place. There is one at a time: see `locked`.
        self._new = self.folder / "tokenwire.new"

    def blob(self, blob: str) -> Path:
        return self.folder / "blobs" / blob

    def part(self, blob: str) -> Path:
        """What there is of a blob. Not the `.incomplete` of other clients: some write those out of
        order, and their length says nothing.
        """
        return self.folder / "blobs" / f"{blob}.tokenwire.incomplete"

    def snapshot(self, revision: str) -> Path:
        return self.folder / "snapshots" / revision

    def main(self) -> Path | None:
        """The folder of the whole model, if there is one."""
        main = self.folder / "refs" / "main"
        if not main.is_file():
            return None
        folder = self.snapshot(main.read_text().strip())
        return folder if folder.is_dir() else None

    def disk(self) -> tuple[Path, int]:
        """The folder that it is in or will be, and how many bytes are free there."""
        folder = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        return folder, shutil.disk_usage(folder).free

    def present(self, file: HubFile) -> int:
        """How many bytes of a file are here."""
        if self.blob(file.blob).exists():
            return file.size
        part = self.part(file.blob)
        return min(part.stat().st_size, file.size) if part.exists() else 0

    def half(self) -> Half | None:
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=Half)
        except (OSError, msgspec.DecodeError):
            return None

    def begin(self, revision: str, files: tuple[HubFile, ...]) -> Half:
        """Note what is about to be fetched. What another revision left half is dropped, but for
        what this one can use.
        """
        before = self.half()
        here = set[str]() if before is None else set(before.ours)
        if before is not None and before.revision != revision:
            self.discard(keep={file.blob for file in files})
            before = None
        half = Half(
            revision=revision,
            files=files,
            ours=tuple(
                blob
                for blob in dict.fromkeys(file.blob for file in files)
                if blob in here or not self.blob(blob).exists()
            ),
            fresh=not self.snapshot(revision).exists() if before is None else before.fresh,
        )
        (self.folder / "blobs").mkdir(parents=True, exist_ok=True)
        self._write(self._note, msgspec.json.encode(half))
        return half

    def link(self, revision: str, file: HubFile) -> None:
        """Have a file of a snapshot point to its blob, as the hub's own client does."""
        link = self.snapshot(revision) / file.name
        there = os.path.relpath(self.blob(file.blob), link.parent)
        if link.is_symlink() and str(link.readlink()) == there:
            return
        link.parent.mkdir(parents=True, exist_ok=True)
        # In one step: the snapshot may be one that is whole, and be read right now.
        self._new.unlink(missing_ok=True)
        self._new.symlink_to(there)
        self._new.replace(link)

    def publish(self, revision: str) -> None:
        """From now on the model is whole, for everybody who reads this cache."""
        (self.folder / "refs").mkdir(exist_ok=True)
        self._write(self.folder / "refs" / "main", revision.encode())
        self._note.unlink(missing_ok=True)

    def discard(self, keep: Collection[str] = ()) -> None:
        """Take away what a download left half: nothing that a ref names, nor a blob that a snapshot
        uses, nor those to `keep`.
        """
        if (half := self.half()) is None:
            return
        if half.revision not in self._named():
            for file in half.files:
                if file.blob in half.ours:
                    (self.snapshot(half.revision) / file.name).unlink(missing_ok=True)
            if half.fresh and self.snapshot(half.revision).exists():
                shutil.rmtree(self.snapshot(half.revision))
        for blob in set(half.ours) - set(keep):
            self.part(blob).unlink(missing_ok=True)
        for blob in set(half.ours) - set(keep) - self._linked():
            self.blob(blob).unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self._new.unlink(missing_ok=True)
        for name in ("snapshots", "blobs", "refs", ""):
            with suppress(OSError):  # something else is in it
                (self.folder / name).rmdir()

    def forget_empty(self) -> None:
        """Discard what was begun, if nothing of it has come."""
        half = self.half()
        if half and not any(self.present(f) for f in half.files if f.blob in half.ours):
            self.discard()

    def remove_wrong(self, revision: str, wrong: Collection[HubFile]) -> None:
        """Remove files that are not what they should be. A model that people saw, and that has lost
        one of its files by that, is not whole any more.
        """
        for file in wrong:
            self.blob(file.blob).unlink(missing_ok=True)
            (self.snapshot(revision) / file.name).unlink(missing_ok=True)
        main = self.main()
        if main in (None, self.snapshot(revision)) or any(not f.exists() for f in main.rglob("*")):
            (self.folder / "refs" / "main").unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Generator[bool]:
        """Whether nobody else is fetching this model. Ends with the process, however that ends."""
        locks = self.folder.parent / ".locks" / self.folder.name
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / "tokenwire.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _write(self, path: Path, content: bytes) -> None:
        """All of it or nothing, whenever the machine stops."""
        self._new.unlink(missing_ok=True)  # a link that was left would be written through
        with self._new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._new.replace(path)

    def _named(self) -> set[str]:
        refs = self.folder / "refs"
        return {ref.read_text().strip() for ref in refs.rglob("*") if ref.is_file()}

    def _linked(self) -> set[str]:
        links = (self.folder / "snapshots").rglob("*")
        return {link.readlink().name for link in links if link.is_symlink()}


def hub_folder() -> Path:
    """Where the hub's own client keeps its models."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(os.path.expandvars(hub or f"{home}/hub")).expanduser()


def whole_models() -> Iterator[tuple[str, Path]]:
    """Each model that can be used: its repository and its folder."""
    hub = hub_folder()
    for folder in sorted(hub.glob(f"{_PREFIX}*")) if hub.is_dir() else ():
        repo = _repo_of(folder)
        if (snapshot := CachedRepo(repo).main()) is not None:
            yield repo, snapshot


def half_models() -> list[str]:
    """The repositories that a download left half, and that have no older revision to use."""
    notes = sorted(hub_folder().glob(f"{_PREFIX}*/{_NOTE}"))
    repos = [_repo_of(note.parent) for note in notes]
    return [repo for repo in repos if CachedRepo(repo).main() is None]


def is_right(path: Path, file: HubFile, read: Callable[[int], None]) -> bool:
    """Whether a file has the content that its hash promises. `read` is told of each piece."""
    if path.stat().st_size != file.size:
        return False
    large = len(file.blob) == _SHA256_LENGTH
    # git hashes the kind and the length of a file before it.
    sum_ = hashlib.sha256() if large else hashlib.sha1(f"blob {file.size}\0".encode())
    with path.open("rb") as content:
        while piece := content.read(_READ_BYTES):
            sum_.update(piece)
            read(len(piece))
    return sum_.hexdigest() == file.blob


def _repo_of(folder: Path) -> str:
    return folder.name.removeprefix(_PREFIX).replace("--", "/")
