"""What a person at a terminal sees of an answer: its text, what it waits for in one quiet line, how
it ended. It refuses to know sockets and commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text


if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

Json = dict[str, Any]

# What a model writes must not move the cursor, rename the window or fill the clipboard.
_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}
_CALLS = ("function_call", "custom_tool_call")
_CUT = {
    "max_output_tokens": "The answer was cut off: it came to its limit of tokens.",
    "interrupted": "The server stopped before the answer was finished.",
}


def printable(text: str) -> str:
    """Text that a terminal takes for nothing but text."""
    return text.translate(_CONTROLS)


def standing(response: Json) -> str | None:
    """What keeps an answer from being written, if anything does."""
    told: Json = response.get("tokenwire") or {}
    if queue := told.get("queue"):
        wait = f", about {queue['eta_s']} s" if queue.get("eta_s") else ""
        return f"In line: {queue['position']} of {queue['length']}{wait}"
    if model := told.get("model"):
        what = model["detail"] or model["stage"] or model["state"]
        share = "" if model["progress"] is None else f", {model['progress']:.0%}"
        return f"{response['model']}: {what}{share}"
    return None


def ending(response: Json) -> str | None:
    """How an answer ended, where it is not complete."""
    status: str = response["status"]
    if status == "completed":
        return None
    if status == "cancelled":
        return "Stopped."
    if error := response.get("error"):
        return str(error["message"])
    details: Json = response["incomplete_details"] or {}
    reason = details.get("reason", status)
    return _CUT.get(reason, f"The answer is not complete: {reason}.")


class QuietLine:
    """One line that goes again when there is something to read. Only a terminal has it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None

    def follow(self, response: Json) -> None:
        """Say what keeps it from being written."""
        text = standing(response)
        if text is None or not self._console.is_terminal:
            self.clear()
            return
        line = Text(printable(text), style="dim")
        if self._status is None:
            self._status = self._console.status(line)
            self._status.start()
        else:
            self._status.update(line)

    def clear(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


class AnswerView:
    """One answer on a console, event by event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._quiet = QuietLine(console)
        # What the line that the cursor is in was written as: None where it is empty.
        self._writing: str | None = None
        self._begun = False

    def show(self, event: Json) -> None:
        match event["type"]:
            case "response.queued" | "response.in_progress" if not self._begun:
                self._quiet.follow(event["response"])
            case "response.output_text.delta":
                self._write(event["delta"], "text")
            case "response.reasoning_text.delta":
                self._write(event["delta"], "dim")
            case "response.output_item.done" if event["item"]["type"] in _CALLS:
                item = event["item"]
                self.note(f"{item['name']}({item.get('arguments', item.get('input'))})")
            case _:
                pass

    def note(self, sentence: str, style: str = "dim") -> None:
        """A line of ours among the answer's."""
        self.end()
        self._console.print(printable(sentence), style=style)

    def end(self) -> None:
        """Nothing follows in this line."""
        self._quiet.clear()
        if self._writing is not None:
            self._console.out()
        self._writing = None

    def _write(self, delta: str, kind: str) -> None:
        if not (text := printable(delta)):
            return
        if self._writing not in (None, kind):
            self.end()
        self._begun = True
        self._quiet.clear()
        if kind == "dim":
            self._console.out(text, style="dim", highlight=False, end="")
        else:
            # Past rich, which makes spaces of tabs.
            self._console.file.write(text)
        self._console.file.flush()
        self._writing = None if text.endswith("\n") else kind
