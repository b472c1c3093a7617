"""The chat at a terminal: a line is a prompt, or a command that begins with a slash. It refuses to
know the protocol and how an answer is drawn.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rich.table import Table

from tokenwire.terminal.client import Answer, ClientError, Server
from tokenwire.terminal.view import AnswerView, ending, printable


if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

Json = dict[str, Any]

NEWEST = 20
HELP = (
    ("/model [ID]", "list the models and take another"),
    ("/history", "list the last chats and go on with one"),
    ("/new", "begin a new chat"),
    ("/help", "this"),
    ("/quit", "leave; so do Ctrl-C and Ctrl-D"),
    ("Ctrl-C", "while an answer is written: stop it; twice: leave"),
)


class Chat:
    """One person's chat. `ask` reads a line, given what to write before it."""

    def __init__(
        self,
        server: Server,
        console: Console,
        ask: Callable[[str], str],
        *,
        model: str | None = None,
        system: str | None = None,
    ) -> None:
        self._server = server
        self._console = console
        self._ask = ask
        self._model = model
        self._system = system
        self._conversation: str | None = None
        # It turns Ctrl-C into the cancelling of an answer, and a second one into KeyboardInterrupt.
        self._runner = asyncio.Runner()
        self._commands: dict[str, Callable[[str], None]] = {
            "/model": self._change_model,
            "/history": self._choose_chat,
            "/new": self._begin_anew,
            "/help": self._help,
        }

    def talk(self, conversation: str | None) -> None:
        """Until the person leaves. Goes on with a chat: the one named, or the newest for "". Raises
        ClientError where it can't begin.
        """
        with self._runner:
            self._begin(conversation)
            try:
                while (line := self._ask("> ").strip()) != "/quit":
                    try:
                        self._obey(line)
                    except ClientError as error:
                        self._note(str(error), "red")
            except (EOFError, KeyboardInterrupt):
                self._console.print()

    def _begin(self, conversation: str | None) -> None:
        models = self._models()
        default = next((m["id"] for m in models if m["tokenwire"]["default"]), "no model")
        if conversation == "":
            newest = self._server.call("GET", "/v1/conversations?limit=1")["data"]
            if not newest:
                raise ClientError("There is no chat to go on with yet.")
            conversation = newest[0]["id"]
        if conversation is not None:
            self._go_on(conversation)
        self._note(f"{self._model or default} at {self._server.url}. /help lists the commands.")

    def _obey(self, line: str) -> None:
        if not line.startswith("/"):
            if line:
                self._prompt(line)
            return
        name, _, argument = line.partition(" ")
        if (command := self._commands.get(name)) is None:
            raise ClientError(f"There is no command {name}; /help lists them.")
        command(argument.strip())

    def _prompt(self, text: str) -> None:
        if self._conversation is None:
            self._conversation = self._server.call("POST", "/v1/conversations", {})["id"]
        create = {"input": text, "conversation": self._conversation}
        create |= {"model": self._model, "instructions": self._system}
        self._read(Answer(self._server, create))

    def _read(self, answer: Answer) -> None:
        view = AnswerView(self._console)

        def away() -> None:
            view.note("The server went away; waiting for it.")

        try:
            sentence = ending(self._runner.run(answer.read(view.show, away)))
        finally:
            view.end()
        if sentence is not None:
            self._note(sentence, "dim" if sentence == "Stopped." else "red")

    def _change_model(self, argument: str) -> None:
        models = self._models()
        table = Table.grid(padding=(0, 2))
        for number, model in enumerate(models, 1):
            told = model["tokenwire"]
            chosen = model["id"] == self._model or (self._model is None and told["default"])
            table.add_row(str(number), printable(model["id"]), told["state"], "*" * chosen)
        if (picked := self._pick(argument, [model["id"] for model in models], table)) is not None:
            self._server.call("POST", "/v1/models/load", {"model": picked})
            self._model = picked
            self._note(f"{picked} answers from now on.")

    def _choose_chat(self, argument: str) -> None:
        chats = self._server.call("GET", f"/v1/conversations?limit={NEWEST}")["data"]
        if not chats:
            raise ClientError("There is no chat yet.")
        table = Table.grid(padding=(0, 2))
        for number, chat in enumerate(chats, 1):
            when = datetime.fromtimestamp(chat["updated_at"]).astimezone()
            title = printable(chat["title"] or "Untitled").replace("\n", " ")
            table.add_row(str(number), f"{when:%Y-%m-%d %H:%M}", title)
        if (picked := self._pick(argument, [chat["id"] for chat in chats], table)) is not None:
            self._go_on(picked)

    def _begin_anew(self, _argument: str) -> None:
        self._conversation = None
        self._note("A new chat.")

    def _help(self, _argument: str) -> None:
        table = Table.grid(padding=(0, 2))
        for row in HELP:
            table.add_row(*row)
        self._console.print(table, style="dim")

    def _go_on(self, conversation: str) -> None:
        """Show a chat's last exchange and continue it; an answer that still runs is followed."""
        path = f"/v1/conversations/{quote(conversation, safe='')}"
        chat = self._server.call("GET", path)
        self._conversation = chat["id"]
        self._model = self._model or chat["model"]
        self._note(chat["title"] or "Untitled")
        for turn in self._server.call("GET", f"{path}/responses")["data"]:
            response = turn["response"]
            if response["id"] == chat["active_response_id"]:
                self._console.out(f"> {_text(turn['input'])}", highlight=False)
                if response["status"] in ("queued", "in_progress"):
                    self._read(Answer(self._server, response_id=response["id"]))
                else:
                    self._console.out(_text(response["output"]), highlight=False)

    def _pick(self, argument: str, ids: list[str], table: Table) -> str | None:
        """The id that is meant by a number of the table or by itself; None for no choice."""
        if not argument:
            self._console.print(table)
            try:
                argument = self._ask("Number, or Enter to leave it: ").strip()
            except (EOFError, KeyboardInterrupt):
                self._console.print()
        if argument.isdecimal() and 0 < int(argument) <= len(ids):
            return ids[int(argument) - 1]
        return argument or None

    def _models(self) -> list[Json]:
        return self._server.call("GET", "/v1/models")["data"]

    def _note(self, sentence: str, style: str = "dim") -> None:
        self._console.print(printable(sentence), style=style)


def _text(items: list[Json]) -> str:
    """What is said in messages."""
    parts = [part for item in items for part in item.get("content") or ()]
    return printable("".join(part.get("text", "") for part in parts))
