"""The process that fetches one model from the hub: `python -m tokenwire.engine.fetch REPO`.

The only importer of `huggingface_hub`, which reads HF_HUB_OFFLINE once, at its import, and the
server sets that for vLLM. It speaks lines of JSON (`fetch_words`) on stdout, may be killed at any
moment, and ends with the server. It refuses to know who shows what it says.
"""

# pyright: reportUnknownVariableType=false

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import httpx2
import msgspec
from huggingface_hub import HfApi, constants, get_token, hf_hub_url, is_offline_mode
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import (
    build_hf_headers,
    get_session,
    hf_raise_for_status,
    parse_ratelimit_headers,
)

from tokenwire.engine import refusals
from tokenwire.engine.fetch_words import End, Patience, Progress, Teller
from tokenwire.engine.hub_cache import CachedRepo, Commit, HubFile, is_right
from tokenwire.engine.refusals import Refusal
from tokenwire.engine.repository import CannotServe, choose


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import FileIO

    from tokenwire.engine.fetch_words import Line


log = logging.getLogger(__name__)

T = TypeVar("T")

# A try that brought this much was no vain one.
_WORTH_BYTES = 1 << 20
# Left free on the disk: the history of the server has to be written too.
_SPARE_BYTES = 512 << 20


class _Stop(Exception):
    """The download ends here."""

    def __init__(self, end: End) -> None:
        super().__init__(end.why)
        self.end = end


class _Broken(Exception):
    """A reply was not all of it: to be tried again, like a cut connection."""


class Fetch:
    """One download, from the question what there is to `refs/main`."""

    def __init__(self, repo: str, patience: Patience, say: Callable[[Line], None]) -> None:
        self._repo, self._patience = repo, patience
        self._cache = CachedRepo(repo)
        self._teller = Teller(say)
        self._received = 0

    def run(self) -> End:
        if is_offline_mode():
            why = "HF_HUB_OFFLINE is set, so nothing is fetched. Unset it and start again."
            return End(how="refused", why=why)
        try:
            with self._cache.locked() as alone:
                if not alone:
                    why = f"Another process is fetching {self._repo} already. Wait for it."
                    return End(how="refused", why=why)
                return self._run()
        except OSError as error:
            return refusals.disk(error)

    def _run(self) -> End:
        try:
            revision, files = self._resolve()
            self._check_room(files)
            self._cache.begin(revision, files)
            self._download(revision, files)
            self._verify(revision, files)
            self._cache.publish(revision)
        except _Stop as stop:
            end = stop.end
        except CannotServe as error:
            end = End(how="refused", why=str(error))
        except HfHubHTTPError as error:
            end = refusals.end_of(_refusal(error), self._repo, constants.ENDPOINT)
        except OSError as error:
            end = refusals.disk(error)
        except Exception as error:  # the top: what nobody has thought of must not be silent
            log.exception("The download of %s failed", self._repo)
            end = End(how="paused", why=f"The download failed: {type(error).__name__}: {error}")
        else:
            return End(how="done")
        if end.how == "refused":
            self._cache.forget_empty()
        return end

    def _resolve(self) -> tuple[str, tuple[HubFile, ...]]:
        self._teller.tell(Progress(stage="resolving"))
        api, wait = HfApi(library_name="tokenwire"), self._patience.stall_s
        try:
            info = self._patiently(
                lambda: api.model_info(self._repo, files_metadata=True, timeout=wait)
            )
            revision = msgspec.convert(info.sha, Commit)
            files = [
                HubFile(
                    file.rfilename,
                    file.lfs.size if file.lfs else file.size or 0,
                    file.lfs.sha256 if file.lfs else file.blob_id or "",
                )
                for file in info.siblings or ()
            ]
            chosen = choose(self._repo, files)
            # Checked here, because what comes from the network becomes names of files.
            return revision, msgspec.convert(msgspec.to_builtins(chosen), tuple[HubFile, ...])
        except HfHubHTTPError:
            raise
        except (msgspec.ValidationError, ValueError, KeyError, TypeError) as error:
            raise _Stop(refusals.nonsense(self._repo, constants.ENDPOINT, error)) from error

    def _check_room(self, files: tuple[HubFile, ...]) -> None:
        """Before anything is fetched, and so that the first number is what is here already."""
        blobs = {file.blob: file for file in files}.values()
        self._teller.total = sum(file.size for file in blobs)
        here = sum(self._cache.present(file) for file in blobs)
        self._teller.moved(here)
        missing = self._teller.total - here
        folder, free = self._cache.disk()
        if missing and free < missing + _SPARE_BYTES:
            there = {"missing": missing, "free": free, "spare": _SPARE_BYTES}
            raise _Stop(refusals.no_room(self._repo, folder, **there))

    def _download(self, revision: str, files: tuple[HubFile, ...]) -> None:
        self._teller.tell(Progress(stage="downloading"))
        for file in files:
            if not self._cache.blob(file.blob).exists():
                self._patiently(partial(self._fetch_file, revision, file))
            self._cache.link(revision, file)

    def _fetch_file(self, revision: str, file: HubFile) -> None:
        part = self._cache.part(file.blob)
        # Unbuffered: what came is on disk, also when this process is killed.
        with part.open("ab", buffering=0) as out:
            if out.tell() > file.size:
                self._again(out, file.size)
            while out.tell() < file.size:
                self._stream(revision, file, out)
            os.fsync(out)
        part.replace(self._cache.blob(file.blob))

    def _stream(self, revision: str, file: HubFile, out: FileIO) -> None:
        """The rest of a file, or of a very large one as much as a reply may have.

        Not by `hf_hub_download`: that (2.4.0) gives each try a file with a name of its own and
        removes it when the try fails, and by Xet it begins every file anew, so a process that is
        killed would lose all of a file. The bytes of a file on Xet come over plain HTTP as well.
        """
        # "identity": the hub packs text files otherwise, and then knows no ranges.
        headers = build_hf_headers(library_name="tokenwire") | {"Accept-Encoding": "identity"}
        start = out.tell()
        end = min(file.size, start + self._patience.reply_bytes)
        if start or end < file.size:
            headers["Range"] = f"bytes={start}-{end - 1}"
        url = hf_hub_url(self._repo, file.name, revision=revision)
        with get_session().stream(
            "GET", url, headers=headers, timeout=self._patience.stall_s
        ) as response:
            if response.is_error:
                response.read()
            if response.status_code == 416:
                self._again(out, start)
                raise _Broken("the hub knows no such part of the file")
            hf_raise_for_status(response)
            if start and response.status_code != 206:
                self._again(out, start)
            for chunk in response.iter_bytes():
                self._write(out, chunk)
                if out.tell() > file.size:
                    break  # it will be found wrong
        if out.tell() < end:
            raise _Broken("a reply ended too early")

    def _write(self, out: FileIO, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            written = out.write(rest) or 0
            rest = rest[written:]
            self._received += written
            self._teller.moved(written)

    def _again(self, out: FileIO, had: int) -> None:
        """Begin a file anew."""
        out.truncate(0)
        out.seek(0)
        self._teller.moved(-had)

    def _verify(self, revision: str, files: tuple[HubFile, ...]) -> None:
        checked = 0
        wrong: list[HubFile] = []
        self._teller.tell(Progress(stage="verifying"))

        def read(count: int) -> None:
            nonlocal checked
            checked += count
            self._teller.checked(checked)

        for file in {file.blob: file for file in files}.values():
            if not is_right(self._cache.blob(file.blob), file, read):
                wrong += [other for other in files if other.blob == file.blob]
        if wrong:
            self._cache.remove_wrong(revision, wrong)
            raise _Stop(refusals.found_wrong([file.name for file in wrong]))

    def _patiently(self, step: Callable[[], T]) -> T:
        """Do a step until it is done; after so many vain tries in a row, pause the download."""
        vain, received = 0, self._received
        while True:
            try:
                return step()
            except (httpx2.HTTPError, _Broken) as error:
                refusal = _refusal(error) if isinstance(error, HfHubHTTPError) else None
                if refusal is not None and not refusal.passes:
                    raise
                vain = 1 if self._received - received >= _WORTH_BYTES else vain + 1
                received = self._received
                if vain >= self._patience.tries:
                    if refusal is not None:
                        raise
                    raise _Stop(refusals.unreachable(constants.ENDPOINT, error)) from error
                self._wait(self._patience.pause_s * 2 ** (vain - 1), refusal)

    def _wait(self, seconds: float, refusal: Refusal | None) -> None:
        why = "The download was interrupted"
        if refusal is not None and refusal.wait_s is not None:
            why = "The hub asks to wait"
            seconds = max(seconds, min(refusal.wait_s, self._patience.longest_s))
        detail = f"{why}; trying again in {seconds:.0f} s"
        stage = "resolving" if self._teller.total is None else "downloading"
        self._teller.tell(Progress(stage=stage, detail=detail))
        time.sleep(seconds)


def _refusal(error: HfHubHTTPError) -> Refusal:
    headers = error.response.headers
    return Refusal(
        status=error.response.status_code,
        code=headers.get("X-Error-Code") or "",
        message=headers.get("X-Error-Message") or "",
        token=get_token() is not None,
        wait_s=_wait_of(headers),
    )


def _wait_of(headers: Mapping[str, str]) -> float | None:
    if (told := headers.get("Retry-After", "")).isdecimal():
        return float(told)
    limit = parse_ratelimit_headers(headers)
    return limit.reset_in_seconds if limit and not limit.remaining else None


def _end_with_server() -> None:
    """The other end of stdin is the server's alone, and says nothing: it can only end."""
    while os.read(0, 1):
        pass
    os._exit(1)


def _say(line: Line) -> None:
    try:
        os.write(1, msgspec.json.encode(line) + b"\n")
    except BrokenPipeError:
        os._exit(1)


def main() -> None:
    threading.Thread(target=_end_with_server, daemon=True, name="server-watch").start()
    repo, *how = sys.argv[1:]
    patience = msgspec.json.decode(how[0], type=Patience) if how else Patience()
    _say(Fetch(repo, patience, _say).run())


if __name__ == "__main__":
    main()
