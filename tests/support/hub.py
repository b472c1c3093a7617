"""A hub on loopback that speaks to the real client as the real one does: what a model has, files
by name and revision, large ones from elsewhere, ranges. And everything that goes wrong with one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


LARGE = ".safetensors"
CHUNK = 65_536


def blob_of(name: str, content: bytes) -> str:
    """What the hub calls a content: a large file by sha256, a small one as git does."""
    if name.endswith(LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(slots=True)
class Repository:
    """`gated` and `private` want a token that is "good". `told` are sizes that the hub tells
    instead of the true ones.
    """

    files: Mapping[str, bytes]
    sha: str = "a" * 40
    gated: bool = False
    private: bool = False
    told: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class Sent:
    """One reply with bytes of a file: from where, and how many."""

    name: str
    start: int
    count: int = 0


@dataclass(slots=True)
class Hub:
    """`cuts`: after so many bytes each of the next replies with a large file is cut. `hold_at`: no
    byte of a large file from there on is sent before this changes. `statuses`: what the next
    questions are answered, with `patience` as headers, `always` what all are. `wrong`: a file that
    is sent with other bytes. `largest`: more bytes are in no reply.
    """

    repos: dict[str, Repository] = field(default_factory=dict[str, Repository])
    cuts: list[int] = field(default_factory=list[int])
    hold_at: int | None = None
    statuses: list[int] = field(default_factory=list[int])
    patience: dict[str, str] = field(default_factory=dict[str, str])
    always: int | None = None
    wrong: str | None = None
    largest: int | None = None
    ranges: bool = True
    pause_s: float = 0.0
    sent: list[Sent] = field(default_factory=list[Sent])
    asked: list[str] = field(default_factory=list[str])
    port: int = 0
    serving: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bytes_of(self, name: str) -> int:
        return sum(sent.count for sent in self.sent if sent.name == name)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if not await self._answer(_Question(head, reader), writer):
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client is gone
        finally:
            writer.close()

    async def _answer(self, question: _Question, writer: asyncio.StreamWriter) -> bool:
        """False when the connection is to be cut."""
        self.asked.append(f"{question.method} {question.path}")
        status = self.statuses.pop(0) if self.statuses else self.always
        if status is not None:
            return await _reply(writer, status, self.patience)
        if question.path.startswith("/api/models/"):
            return await self._describe(question, writer)
        if question.path.startswith("/elsewhere/"):
            if question.token is not None:
                return await _reply(writer, 400, {"X-Error-Message": "a token came along"})
            name = question.path.split("/", 4)[-1]
            repo = self.repos["/".join(question.path.split("/")[2:4])]
            return await self._send(question, writer, name, repo, {})
        return await self._resolve(question, writer)

    async def _describe(self, question: _Question, writer: asyncio.StreamWriter) -> bool:
        name = question.path.removeprefix("/api/models/").split("/revision/")[0]
        repo = self.repos.get(name)
        if refusal := _refusal(repo, question.token, at_the_door=True):
            return await _reply(writer, *refusal)
        assert repo is not None
        listed: list[dict[str, object]] = []
        for path, content in repo.files.items():
            size = repo.told.get(path, len(content))
            entry: dict[str, object] = {
                "rfilename": path,
                "size": size,
                "blobId": hashlib.sha1(path.encode()).hexdigest(),
            }
            if path.endswith(LARGE):
                sum_ = blob_of(path, content)
                entry["lfs"] = {"size": size, "sha256": sum_, "pointerSize": 130}
            else:
                entry["blobId"] = blob_of(path, content)
            listed.append(entry)
        gated = "manual" if repo.gated else False
        told: dict[str, object] = {"id": name, "sha": repo.sha, "gated": gated, "siblings": listed}
        body = json.dumps({**told, "private": repo.private, "tags": []}).encode()
        return await _reply(writer, 200, {"Content-Type": "application/json"}, body)

    async def _resolve(self, question: _Question, writer: asyncio.StreamWriter) -> bool:
        owner, _, rest = question.path.removeprefix("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        repo = self.repos.get(owner)
        if refusal := _refusal(repo, question.token, at_the_door=False):
            return await _reply(writer, *refusal)
        assert repo is not None
        if revision not in {repo.sha, "main"} or name not in repo.files:
            code = "EntryNotFound" if revision == repo.sha else "RevisionNotFound"
            return await _reply(writer, 404, {"X-Error-Code": code})
        content = repo.files[name]
        headers = {"X-Repo-Commit": repo.sha, "ETag": f'"{blob_of(name, content)}"'}
        if not name.endswith(LARGE):
            return await self._send(question, writer, name, repo, headers)
        headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(len(content))}
        # Another host, so that the client asks it without the token.
        headers["Location"] = f"http://localhost:{self.port}/elsewhere/{owner}/{name}"
        return await _reply(writer, 302, headers)

    async def _send(
        self,
        question: _Question,
        writer: asyncio.StreamWriter,
        name: str,
        repo: Repository,
        headers: dict[str, str],
    ) -> bool:
        content = repo.files[name]
        if name == self.wrong:
            content = bytes(len(content))
        start, end = question.part(len(content)) if self.ranges else (0, len(content))
        part = end - start < len(content)
        if self.largest is not None and end - start > self.largest:
            return await _reply(writer, 400, {})
        if part:
            last = f"bytes {start}-{end - 1}/{len(content)}"
            headers |= {"Content-Range": last}
        sent = Sent(name, start)
        if question.method == "GET":
            self.sent.append(sent)
        cut = self.cuts.pop(0) if self.cuts and name.endswith(LARGE) else None
        body = b"" if question.method == "HEAD" else content[start:end]
        status = 206 if part else 200
        _head(writer, status, {**headers, "Content-Length": str(end - start)})
        whole = len(body) if cut is None else min(cut, len(body))
        while sent.count < whole and not question.gone:
            upto = min(sent.count + CHUNK, whole)
            if name.endswith(LARGE) and self.hold_at is not None:
                upto = min(upto, self.hold_at - start)
            if upto <= sent.count:
                await asyncio.sleep(0.01)
                continue
            writer.write(body[sent.count : upto])
            sent.count = upto
            await writer.drain()
            await asyncio.sleep(self.pause_s)
        return sent.count == len(body)


class _Question:
    """The head of a request."""

    def __init__(self, head: bytes, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        first, *lines = head.decode().split("\r\n")
        self.method, target, _ = first.split(" ")
        self.path = unquote(urlsplit(target).path)
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
            if name
        }

    @property
    def gone(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._reader.at_eof()

    @property
    def token(self) -> str | None:
        return self.headers.get("authorization", "").removeprefix("Bearer ") or None

    def part(self, length: int) -> tuple[int, int]:
        """Where the wanted bytes begin and end."""
        first, last = self.headers.get("range", "bytes=0-").removeprefix("bytes=").split("-")
        return int(first), min(length, int(last) + 1) if last else length


def _refusal(
    repo: Repository | None, token: str | None, *, at_the_door: bool
) -> tuple[int, dict[str, str]] | None:
    """What the hub answers instead, as it was seen to."""
    if token not in {None, "good", "stranger"}:
        said = "Invalid credentials in Authorization header"
        return 401, {"X-Error-Message": said}
    if repo is None or (repo.private and token != "good"):
        status = 404 if token else 401
        return status, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
    if repo.gated and token != "good" and not at_the_door:
        return 403 if token else 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "gated"}
    return None


def _head(writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str]) -> None:
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode())


async def _reply(
    writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str], body: bytes = b""
) -> bool:
    _head(writer, status, {**headers, "Content-Length": str(len(body))})
    writer.write(body)
    await writer.drain()
    return True


@asynccontextmanager
async def a_hub() -> AsyncGenerator[Hub, None]:
    hub = Hub()
    server = await asyncio.start_server(hub.serve, "127.0.0.1", 0)
    hub.port = server.sockets[0].getsockname()[1]
    try:
        yield hub
    finally:
        server.close()
        for task in hub.serving:
            task.cancel()
        await asyncio.gather(*hub.serving, return_exceptions=True)
