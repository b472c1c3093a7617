"""The door of the page: its built files, compressed beside the originals. Knows nothing of what
is in them.
"""

from __future__ import annotations

import json
from mimetypes import guess_type
from typing import TYPE_CHECKING

from quart import Quart, Response, request

from tokenwire.errors import NotFound


if TYPE_CHECKING:
    from pathlib import Path

    from tokenwire.web.parts import Parts


ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
FOR_EVER = "public, max-age=31536000, immutable"


def build_id(page: Path) -> str | None:
    """The id of the built page, which its sockets compare with their own."""
    try:
        return str(json.loads((page / "manifest.json").read_text())["build"])
    except (OSError, ValueError, KeyError):
        return None


class PageDoor:
    """Serves the files of one folder. Each is kept in memory until a build replaces it."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._files: dict[Path, tuple[int, bytes]] = {}

    async def index(self) -> Response:
        return self._file("index.html", "no-cache")

    async def asset(self, name: str) -> Response:
        return self._file(f"assets/{name}", FOR_EVER)

    async def favicon(self) -> Response:
        return self._file("favicon.svg", "no-cache")

    async def manifest(self) -> Response:
        return self._file("manifest.webmanifest", "no-cache")

    async def worker(self) -> Response:
        return self._file("sw.js", "no-cache")

    def _file(self, name: str, caching: str) -> Response:
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root) or (body := self._read(path)) is None:
            raise NotFound(f"There is nothing at {request.path}.")
        headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
        accepted = request.headers.get("Accept-Encoding", "")
        for encoding, suffix in ENCODINGS:
            packed = self._read(path.with_name(path.name + suffix))
            if encoding in accepted and packed is not None:
                body = packed
                headers["Content-Encoding"] = encoding
                break
        return Response(body, content_type=_content_type(path), headers=headers)

    def _read(self, path: Path) -> bytes | None:
        try:
            changed = path.stat().st_mtime_ns
            if path not in self._files or self._files[path][0] != changed:
                self._files[path] = (changed, path.read_bytes())
        except OSError:
            return None
        return self._files[path][1]


def install(app: Quart, parts: Parts) -> None:
    door = PageDoor(parts.page)
    app.add_url_rule("/", "index", door.index, methods=["GET"])
    app.add_url_rule("/assets/<path:name>", "asset", door.asset, methods=["GET"])
    app.add_url_rule("/favicon.svg", "favicon", door.favicon, methods=["GET"])
    app.add_url_rule("/favicon.ico", "favicon_ico", door.favicon, methods=["GET"])
    app.add_url_rule("/manifest.webmanifest", "manifest", door.manifest, methods=["GET"])
    app.add_url_rule("/sw.js", "worker", door.worker, methods=["GET"])


def _content_type(path: Path) -> str:
    kind = guess_type(path.name)[0] or "application/octet-stream"
    if kind in ("text/javascript", "application/javascript"):
        kind = "text/javascript"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
