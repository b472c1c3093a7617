"""The door of the documents: what goes over HTTP and over the WebSocket, for programs and for
people. A page without a script, which asks for nothing from elsewhere.

It refuses to know what the documents say.
"""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from quart import Response

from tokenwire import __version__
from tokenwire.web.openapi import openapi
from tokenwire.web.reply import json_response
from tokenwire.wire.asyncapi import asyncapi
from tokenwire.wire.schema import REF, Schema


if TYPE_CHECKING:
    from collections.abc import Iterator

    from quart import Quart


FOLDER: Final = Path(__file__).parent / "templates"
_BOUNDS: Final = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "up to {}",
    "minLength": "{} characters at least",
    "maxLength": "{} characters at most",
    "minItems": "{} at least",
    "maxItems": "{} at most",
    "maxProperties": "{} at most",
    "pattern": "like {}",
    "default": "by default {}",
}


def install(app: Quart) -> None:
    async def page() -> Response:
        # In a thread, as it takes as long as an answer's next dozen tokens.
        html = await asyncio.to_thread(_page)
        return Response(html, content_type="text/html; charset=utf-8")

    async def styles() -> Response:
        return Response((FOLDER / "docs.css").read_bytes(), content_type="text/css; charset=utf-8")

    async def http() -> Response:
        return json_response(_http())

    async def socket() -> Response:
        return json_response(_socket())

    app.add_url_rule("/docs", "docs", page, methods=["GET"])
    app.add_url_rule("/docs/docs.css", "docs_styles", styles, methods=["GET"])
    app.add_url_rule("/docs/openapi.json", "openapi", http, methods=["GET"])
    app.add_url_rule("/docs/asyncapi.json", "asyncapi", socket, methods=["GET"])


def bounds(schema: Schema) -> str:
    """The bounds of a schema in words, those of its alternatives too."""
    return ", ".join(dict.fromkeys(_bounds(schema)))


def name_of(reference: str) -> str:
    """The name of the component that a `$ref` names."""
    return reference.removeprefix(REF)


def _bounds(schema: Schema) -> Iterator[str]:
    for key, words in _BOUNDS.items():
        if key in schema:
            yield words.format(schema[key])
    for inner in cast("list[Schema]", schema.get("anyOf", [])):
        yield from _bounds(inner)


def _shapes(document: Schema) -> dict[str, Schema]:
    return cast("dict[str, dict[str, Schema]]", document["components"])["schemas"]


@cache
def _page() -> str:
    jinja = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    http, socket = _http(), _socket()
    html = jinja.get_template("docs.html").render(
        http=http,
        socket=socket,
        shapes=dict(sorted((_shapes(socket) | _shapes(http)).items())),
        bounds=bounds,
        name_of=name_of,
    )
    # A third of it is the indentation of a template that nests.
    return "\n".join(line for lines in html.splitlines() if (line := lines.strip()))


@cache
def _http() -> Schema:
    return openapi(__version__)


@cache
def _socket() -> Schema:
    return asyncapi(__version__)
