"""The models of a server on a terminal: a list, and a load or a download followed to its end with a
bar. It asks the server by plain HTTP and refuses to know what a model is made of.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from tokenwire.terminal.view import printable


if TYPE_CHECKING:
    from rich.console import Console

    from tokenwire.terminal.client import Server

Json = dict[str, Any]

DONE, FAILED, INTERRUPTED = 0, 1, 130
LOOK_EVERY_S = 0.25
BUSY = ("downloading", "loading")
# What an act ends in, when it ends well.
GOALS = {
    "load": ("ready", "recovering"),
    "download": ("unloaded", "ready", "recovering"),
    "unload": ("unloaded",),
    "cancel": ("absent", "unloaded", "ready", "recovering"),
}


def list_models(server: Server, console: Console) -> int:
    """Write a table of all models."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("model", "state", "size", "context", "licence", ""):
        table.add_column(column, overflow="fold", no_wrap=column in ("state", "size"))
    for model in server.call("GET", "/v1/models")["data"]:
        about = model["tokenwire"]
        name = Text(printable(model["id"]), style="bold" if about["default"] else "")
        told = about["reason"] or (about["detail"] if about["state"] in BUSY else None)
        table.add_row(
            name,
            about["state"] + _share(about),
            decimal(about["size_bytes"]) if about["size_bytes"] else "",
            f"{about['context_length']:,}" if about["context_length"] else "",
            about["licence"] or "",
            printable(told or about["note"] or _engine(about) or about["description"] or ""),
        )
    console.print(table)
    return DONE


def act_on(server: Server, console: Console, act: str, model: str) -> int:
    """Load, unload, download or cancel a model, and follow it to its end. Returns the exit status;
    Ctrl-C leaves the server to it.
    """
    found = server.call("POST", f"/v1/models/{act}", {"model": model})
    try:
        found = _follow(server, console, found, GOALS[act])
    except KeyboardInterrupt:
        console.print(f"tokenwire: the server goes on with {printable(found['id'])}.")
        return INTERRUPTED
    about = found["tokenwire"]
    good = about["state"] in GOALS[act]
    sentence = "" if good else about["reason"] or about["detail"] or ""
    console.print(
        printable(f"{found['id']} is {about['state']}. {sentence}".rstrip()), soft_wrap=True
    )
    return DONE if good else FAILED


def _follow(server: Server, console: Console, found: Json, goals: tuple[str, ...]) -> Json:
    """Look at it, with a bar, until it has come to its end, good or bad."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=1.0)
        while found["tokenwire"]["state"] not in (*goals, "failed", "paused", "absent"):
            about = found["tokenwire"]
            told = printable(about["detail"] or about["state"])
            bar.update(task, description=told + _left(about), completed=about["progress"] or 0.0)
            time.sleep(LOOK_EVERY_S)
            found = server.call("GET", f"/v1/models/{quote(found['id'])}")
    return found


def _share(about: Json) -> str:
    return f" {about['progress']:.0%}" if about["progress"] is not None else ""


def _left(about: Json) -> str:
    download = about["download"]
    if not download or not download["left_s"]:
        return ""
    return f", {round(download['left_s'])} s left"


def _engine(about: Json) -> str | None:
    numbers = about["engine"]
    if not numbers:
        return None
    return f"{numbers['running']} running, {numbers['tokens_per_second']:.0f} tokens/s"
