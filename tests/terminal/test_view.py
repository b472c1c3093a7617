"""What is drawn for an event: text as it is, reasoning dim, nothing that a terminal obeys."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from support.house import Json
from support.terminal import ESCAPES
from tokenwire.terminal.view import AnswerView, ending, printable, standing


DIM, PLAIN = "\x1b[2m", "\x1b[0m"


def drawn(*events: Json, tty: bool = True) -> str:
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=tty, color_system="standard", markup=False, highlight=False
    )
    view = AnswerView(console)
    for event in events:
        view.show(event)
    view.end()
    return file.getvalue()


def text(delta: str) -> Json:
    return {"type": "response.output_text.delta", "delta": delta}


def reasoning(delta: str) -> Json:
    return {"type": "response.reasoning_text.delta", "delta": delta}


def lifecycle(kind: str, **tokenwire: Json) -> Json:
    return {"type": f"response.{kind}", "response": {"model": "m", "tokenwire": tokenwire}}


def loading(**fields: object) -> Json:
    return {"state": "loading", "stage": None, "progress": None, "detail": None, **fields}


def test_text_is_written_as_it_is() -> None:
    long = "a [bold]word[/bold] :smile: and\ta tab  " * 20
    assert drawn(text(long), text("\n\n  end")) == f"{long}\n\n  end\n"


def test_a_text_that_ends_its_line_gets_no_other_end() -> None:
    assert drawn(text("one\n")) == "one\n"
    assert drawn() == ""


def test_reasoning_is_dim_and_on_lines_of_its_own() -> None:
    shown = drawn(reasoning("Let me"), reasoning(" see."), text("Yes."))
    assert shown == f"{DIM}Let me{PLAIN}{DIM} see.{PLAIN}\nYes.\n"


@pytest.mark.parametrize(
    "call",
    [
        {"type": "function_call", "name": "weather", "arguments": '{"city": "Oslo"}'},
        {"type": "custom_tool_call", "name": "weather", "input": '{"city": "Oslo"}'},
    ],
)
def test_a_call_of_a_tool_is_one_line(call: dict[str, str]) -> None:
    done = {"type": "response.output_item.done", "item": call}
    message = {"type": "response.output_item.done", "item": {"type": "message"}}
    assert drawn(text("Hm"), done, message) == f'Hm\n{DIM}weather({{"city": "Oslo"}}){PLAIN}\n'


@pytest.mark.parametrize(
    "hostile", ["\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "a\rb", "\x08", "\x00", "\x7f"]
)
def test_what_a_terminal_would_obey_is_left_out(hostile: str) -> None:
    left = "".join(character for character in hostile if character.isprintable())
    assert printable(f"Ä\t{hostile}\n漢") == f"Ä\t{left}\n漢"
    assert drawn(text(hostile)) == f"{left}\n" * bool(left)
    assert ESCAPES.sub("", drawn(reasoning(hostile + "."))) == f"{left}.\n"


def test_what_is_waited_for_goes_when_there_is_text() -> None:
    queued = lifecycle("queued", queue={"position": 2, "length": 5})
    shown = drawn(queued, text("Hi"))
    assert "In line: 2 of 5" in shown
    # The last thing before the text clears the line.
    assert shown.endswith("\x1b[2KHi\n")
    # Of two that follow each other at once the newer one is seen.
    assert "m: weights" in drawn(queued, lifecycle("queued", model=loading(stage="weights")))
    assert "In line" not in drawn(queued, lifecycle("in_progress"), text("Hi")).split("\x1b[2K")[-1]
    assert drawn(queued, text("Hi"), tty=False) == "Hi\n"


def test_what_it_waits_for_in_the_middle_of_a_text_does_not_disturb_it() -> None:
    still = lifecycle("in_progress", model=loading(state="recovering"))
    assert drawn(text("one "), still, text("two")) == "one two\n"


@pytest.mark.parametrize(
    ("tokenwire", "said"),
    [
        ({}, None),
        ({"queue": {"position": 1, "length": 1, "eta_s": None}}, "In line: 1 of 1"),
        ({"queue": {"position": 1, "length": 1, "eta_s": 0}}, "In line: 1 of 1"),
        ({"queue": {"position": 3, "length": 4, "eta_s": 12}}, "In line: 3 of 4, about 12 s"),
        ({"model": loading()}, "m: loading"),
        ({"model": loading(stage="weights", progress=0.42)}, "m: weights, 42%"),
        ({"model": loading(stage="weights", detail="Reading weights")}, "m: Reading weights"),
    ],
)
def test_what_keeps_an_answer_is_one_line(tokenwire: Json, said: str | None) -> None:
    assert standing({"model": "m", "tokenwire": tokenwire}) == said


@pytest.mark.parametrize(
    ("status", "error", "reason", "said"),
    [
        ("completed", None, None, None),
        ("cancelled", None, "cancelled", "Stopped."),
        ("failed", {"message": "The engine died."}, None, "The engine died."),
        ("incomplete", None, "max_output_tokens", "cut off"),
        ("incomplete", None, "interrupted", "The server stopped"),
        ("incomplete", None, "steered", "not complete: steered"),
    ],
)
def test_how_it_ended_is_one_sentence(
    status: str, error: Json | None, reason: str | None, said: str | None
) -> None:
    details = {"reason": reason} if reason else None
    ended = ending({"status": status, "error": error, "incomplete_details": details})
    assert (ended is None) if said is None else (said in str(ended))
