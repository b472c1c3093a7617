"""One prompt for a script: the answer's text on standard output and nothing else, what went wrong
in one sentence elsewhere, an exit status. It refuses to know where its prompt came from.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TextIO

from tokenwire.terminal.client import Answer, ClientError, Left, Lost, Server
from tokenwire.terminal.view import QuietLine, ending, printable


if TYPE_CHECKING:
    from rich.console import Console

Json = dict[str, Any]

COMPLETED, FAILED, INTERRUPTED = 0, 1, 130


def run(server: Server, create: Json, out: TextIO, console: Console, *, as_json: bool) -> int:
    """Write the answer to `out`, or with `as_json` the response as it ended. Returns the exit
    status: 0 when it is complete, 130 when it was stopped by Ctrl-C, else 1.
    """
    page = _Page(out, console, silent=as_json)
    try:
        response = asyncio.run(Answer(server, create).read(page.show, page.away))
    except KeyboardInterrupt:
        return page.end(None, INTERRUPTED)
    except Left as error:
        return page.end(str(error), INTERRUPTED)
    except Lost as error:
        return page.end(f"{error} With --store it would have gone on.", FAILED)
    except ClientError as error:
        return page.end(str(error), FAILED)
    if as_json:
        out.write(json.dumps(response, ensure_ascii=False) + "\n")
    if response["status"] == "cancelled":
        return page.end(None, INTERRUPTED)
    sentence = ending(response)
    return page.end(sentence, COMPLETED if sentence is None else FAILED)


class _Page:
    """The text on `out`, all else on the console."""

    def __init__(self, out: TextIO, console: Console, *, silent: bool) -> None:
        self._out = out
        self._console = console
        self._silent = silent
        self._quiet = QuietLine(console)
        self._written = False

    def show(self, event: Json) -> None:
        if event["type"] in ("response.queued", "response.in_progress") and not self._written:
            self._quiet.follow(event["response"])
        elif event["type"] == "response.output_text.delta" and not self._silent:
            self._quiet.clear()
            self._written = True
            delta: str = event["delta"]
            self._out.write(printable(delta) if self._out.isatty() else delta)
            self._out.flush()

    def away(self) -> None:
        self._say("The server went away; waiting for it.")

    def end(self, sentence: str | None, status: int) -> int:
        self._quiet.clear()
        if self._written:
            self._out.write("\n")
            self._out.flush()
        if sentence is not None:
            self._say(sentence)
        return status

    def _say(self, sentence: str) -> None:
        self._quiet.clear()
        self._console.print(f"tokenwire: {printable(sentence)}", soft_wrap=True)
