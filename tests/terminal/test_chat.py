"""`tokenwire chat` in a terminal, keys in and characters out, with a scripted model behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from support.cable import cable_to
from support.house import USER, House, Json, open_house
from support.scripted import ScriptedEngine, say
from support.terminal import CTRL_D, Terminal, script, terminal
from support.waiting import until
from tokenwire.engine.base import Delta, Sampling
from tokenwire.generation.admission import AdmissionLimits


LONG = tuple(f"{index}, " for index in range(1, 41))
GREETING = "/help lists the commands.\n"


def answer(text: str, _sampling: Sampling) -> list[Delta | Exception]:
    """A long one to "long", else what was asked."""
    return say(*LONG) if text == "long" else say("You said: ", text, ".")


def talkative() -> ScriptedEngine:
    return ScriptedEngine(answer)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    async with open_house(tmp_path, talkative()) as opened:
        yield opened


def chat(house: House, *arguments: str) -> AbstractAsyncContextManager[Terminal]:
    return terminal("chat", "--url", house.url, *arguments)


async def conversations(house: House) -> list[Json]:
    return (await house.http.get("/v1/conversations")).json()["data"]


async def start(running: Terminal, *lines: str) -> None:
    """Type lines at the prompt, each when the one before it was answered."""
    await running.until(GREETING)
    for line in lines:
        await running.say(line)


async def test_a_chat_streams_and_is_in_the_history_of_the_page(house: House) -> None:
    async with chat(house) as running:
        await start(running, "Hello", "Again")
        assert "scripted at http://127.0.0.1" in running.text
        await running.until("You said: Again.\n> ")
        running.type(CTRL_D)
        assert await running.left() == 0
    assert "> Hello\nYou said: Hello.\n> Again\nYou said: Again.\n> " in running.text
    (only,) = await conversations(house)
    assert only["title"] == "Hello"
    turns = (await house.http.get(f"/v1/conversations/{only['id']}/responses")).json()["data"]
    assert len(turns) == 2
    assert turns[1]["response"]["previous_response_id"] == turns[0]["response"]["id"]
    # The second prompt came with the first exchange.
    assert [message["content"] for message in house.engine.prompts[1]] == [
        "Hello",
        "You said: Hello.",
        "Again",
    ]


async def test_a_line_is_edited_and_taken_back_from_the_ones_before(house: House) -> None:
    async with chat(house) as running:
        await start(running, "Hallo\x1b[D\x1b[D\x1b[D\x7fe")
        await running.until("You said: Hello.\n> ")
        running.type("\x1b[A\n")
        await running.until("You said: Hello.\n> ")


async def test_lines_that_are_pasted_together_are_one_prompt(house: House) -> None:
    async with chat(house) as running:
        await start(running, "\x1b[200~one\ntwo\nthree\x1b[201~")
        await running.until("You said: one\ntwo\nthree.\n> ")
    assert len(house.engine.prompts) == 1


async def test_the_text_comes_while_it_is_written(house: House) -> None:
    house.engine.hold_at = 3
    async with chat(house) as running:
        await start(running, "long")
        await running.until("1, 2, 3, ")
        assert house.generations.running == 1
        house.engine.go.set()
        await running.until("".join(LONG[3:]))
        await running.until("\n> ")
    assert "".join(LONG) in running.text


async def test_ctrl_c_stops_the_answer_and_keeps_its_text(house: House) -> None:
    house.engine.hold_at = 3
    async with chat(house) as running:
        await start(running, "long")
        await running.until("3, ")
        await running.interrupt()
        await running.until("Stopped.\n> ")
        assert house.engine.aborted == house.engine.started
        house.engine.hold_at = None
        running.type("and now?\n")
        await running.until("You said: and now?.\n> ")
        await running.interrupt()
        assert await running.left() == 0
    assert [message["content"] for message in house.engine.prompts[1]] == [
        "long",
        "1, 2, 3, ",
        "and now?",
    ]


async def test_a_second_ctrl_c_leaves(house: House) -> None:
    house.engine.hold_at = 3
    async with cable_to(house.url) as cable:
        async with terminal("chat", "--url", cable.url) as running:
            await start(running, "long")
            await running.until("3, ")
            # What says that it was stopped never comes.
            cable.stall()
            await running.interrupt()
            await until(lambda: house.generations.running == 0)
            assert running.process.returncode is None
            await running.interrupt()
            assert await running.left() == 0
    assert "Stopped." not in running.text
    assert "Traceback" not in running.text
    assert "Warning" not in running.text


async def test_a_cut_socket_is_not_even_mentioned(house: House) -> None:
    house.engine.hold_at = 3
    async with cable_to(house.url) as cable:
        async with terminal("chat", "--url", cable.url) as running:
            await start(running, "long")
            await running.until("3, ")
            before = cable.connections
            cable.cut()
            await until(lambda: cable.connections == before + 1)
            house.engine.go.set()
            await running.until("\n> ")
    assert f"> long\n{''.join(LONG)}\n> " in running.text


async def test_a_server_that_went_away_is_mentioned_once_and_nothing_is_lost(house: House) -> None:
    house.engine.hold_at = 3
    async with cable_to(house.url) as cable:
        async with terminal("chat", "--url", cable.url) as running:
            await start(running, "long")
            await running.until("3, ")
            cable.unplug()
            await running.until("The server went away; waiting for it.\n")
            house.engine.go.set()
            # Long enough for another attempt.
            await asyncio.sleep(0.6)
            await cable.plug()
            await running.until("\n> ")
    note = "\nThe server went away; waiting for it.\n"
    assert f"> long\n{''.join(LONG[:3])}{note}{''.join(LONG[3:])}\n> " in running.text


async def test_ctrl_c_while_the_server_is_away_is_back_at_the_prompt(house: House) -> None:
    house.engine.hold_at = 3
    async with cable_to(house.url) as cable:
        async with terminal("chat", "--url", cable.url) as running:
            await start(running, "long")
            await running.until("3, ")
            cable.unplug()
            await running.until("waiting for it.\n")
            await running.interrupt()
            await running.until("the answer goes on there.\n> ")
            running.type("Hello?\n")
            await running.until("`tokenwire serve` starts one.\n> ")


async def test_the_place_in_the_line_is_told_and_goes(tmp_path: Path) -> None:
    engine = talkative()
    engine.hold_at = 1
    async with open_house(tmp_path, engine, admission=AdmissionLimits(max_running=1)) as house:
        await house.http.post("/v1/responses", json={"input": "first", "background": True})
        await engine.holding.wait()
        async with chat(house) as running:
            await start(running, "Hello")
            await running.until("In line: 1 of 1")
            engine.go.set()
            await running.until("You said: Hello.\n> ")
    assert b"\x1b[2KYou said: Hello." in running.raw


async def test_the_loading_of_a_model_is_told(tmp_path: Path) -> None:
    async with open_house(tmp_path, talkative(), ready=False) as house:
        async with chat(house) as running:
            await start(running, "Hello")
            await running.until("scripted: loading")
            house.engines.tell("loading", "weights")
            await running.until("scripted: weights")
            house.engines.ready_event.set()
            await running.until("You said: Hello.\n> ")


async def test_model_lists_and_takes_another(house: House) -> None:
    async with chat(house) as running:
        await start(running, "/model")
        assert "1  scripted  ready  *" in await running.until("leave it: ")
        running.type("1\n")
        await running.until("scripted answers from now on.\n> ")
        assert house.engines.loads == ["scripted"]
        running.type("/model none\n")
        await running.until("The model 'none' does not exist here.")
        # What is not there is not taken.
        await running.say("Hello")
        await running.until("You said: Hello.\n> ")
        running.type("/model\n")
        await running.until("leave it: ")
        running.type("\n")
        await running.until("> ")
        assert house.engines.loads == ["scripted"]


async def test_the_model_and_the_system_text_go_with_each_prompt(house: House) -> None:
    async with chat(house, "--model", "scripted", "--system", "Be brief.") as running:
        await start(running, "Hello", "Again")
        await running.until("You said: Again.\n> ")
    assert [messages[0] for messages in house.engine.prompts] == [
        {"role": "system", "content": "Be brief."}
    ] * 2
    async with chat(house, "--model", "none") as running:
        await start(running, "Hello")
        await running.until("The model 'none' does not exist here.")


async def test_new_begins_a_new_chat(house: House) -> None:
    async with chat(house) as running:
        await start(running, "One", "/new", "Two")
        await running.until("You said: Two.\n> ")
    assert [chat["title"] for chat in await conversations(house)] == ["Two", "One"]
    assert [message["content"] for message in house.engine.prompts[1]] == ["Two"]


async def test_history_is_picked_from_by_number_and_gone_on_with(house: House) -> None:
    async with chat(house) as running:
        await start(running, "One", "/new", "Two", "/history")
        shown = await running.until("leave it: ")
        assert shown.index("  Two") < shown.index("  One")
        running.type("2\n")
        await running.until("One\n> One\nYou said: One.\n> ")
        running.type("Three\n")
        await running.until("You said: Three.\n> ")
        running.type("/history\n")
        await running.until("leave it: ")
        await running.interrupt()
        await running.until("> ")
        running.type("Four\n")
        await running.until("You said: Four.\n> ")
    assert [message["content"] for message in house.engine.prompts[-1]] == [
        "One",
        "You said: One.",
        "Three",
        "You said: Three.",
        "Four",
    ]


async def test_history_without_a_chat_says_so(house: House) -> None:
    async with chat(house) as running:
        await start(running, "/history")
        await running.until("There is no chat yet.\n> ")


async def test_continue_goes_on_with_the_newest_or_the_named_chat(house: House) -> None:
    async with chat(house) as running:
        await start(running, "One", "/new", "Two")
        await running.until("You said: Two.\n> ")
    newest, oldest = await conversations(house)
    async with chat(house, "--continue") as running:
        await start(running, "Three")
        await running.until("You said: Three.\n> ")
        assert "Two\n> Two\nYou said: Two.\nscripted at" in running.text
    async with chat(house, "--continue", oldest["id"]) as running:
        await start(running, "Four")
        await running.until("You said: Four.\n> ")
    last = [[m["content"] for m in messages] for messages in house.engine.prompts[-2:]]
    assert last == [["Two", "You said: Two.", "Three"], ["One", "You said: One.", "Four"]]
    assert newest["title"] == "Two"


async def test_an_answer_that_still_runs_is_followed(house: House) -> None:
    house.engine.hold_at = 3
    async with chat(house) as running:
        await start(running, "long")
        await running.until("3, ")
    assert house.generations.running == 1
    async with chat(house, "--continue") as running:
        await running.until("> long\n1, 2, 3, ")
        house.engine.go.set()
        await running.until(GREETING)
    assert f"> long\n{''.join(LONG)}\n" in running.text


async def test_a_chat_that_is_not_there_is_one_sentence(house: House) -> None:
    status, out, errors = await script("chat", "--url", house.url, "--continue", "conv_none")
    assert (status, out) == (1, "")
    assert errors == "tokenwire: Conversation with id 'conv_none' not found.\n"
    status, _, errors = await script("chat", "--url", house.url, "--continue")
    assert (status, errors) == (1, "tokenwire: There is no chat to go on with yet.\n")


async def test_where_no_server_is_it_says_how_to_start_one() -> None:
    status, _, errors = await script("chat", "--url", "http://127.0.0.1:9")
    assert status == 1
    assert "`tokenwire serve` starts one." in errors
    assert errors.count("\n") == 1


async def test_help_lists_each_command_and_quit_leaves(house: House) -> None:
    async with chat(house) as running:
        await start(running, "/help")
        shown = await running.until("\n> ")
        assert all(f"/{name} " in shown for name in ("model", "history", "new", "help", "quit"))
        running.type("/nothing\n")
        await running.until("There is no command /nothing; /help lists them.\n> ")
        running.type("/quit\n")
        assert await running.left() == 0
    assert house.engine.prompts == []
    assert await conversations(house) == []


async def test_an_answer_that_fails_is_one_sentence_and_the_chat_goes_on(house: House) -> None:
    house.engine.script = lambda _text, _sampling: [RuntimeError("no")]
    async with chat(house) as running:
        await start(running, "Hello")
        assert await running.until("> ") == "Hello\nThe server failed. It was logged.\n> "
        house.engine.script = answer
        running.type("Again\n")
        await running.until("You said: Again.\n> ")


async def test_what_others_wrote_is_not_obeyed(house: House) -> None:
    made = await house.store.create_conversation(
        USER, "conv_1", title="[bold]\x1b]0;t\x07Title", metadata={}
    )
    assert made.title is not None
    async with chat(house) as running:
        await start(running, "/history")
        await running.until("leave it: ")
        running.type("1\n")
        await running.until("[bold]]0;tTitle\n> ")
    assert b"\x1b]0;" not in running.raw


async def test_the_lines_can_be_piped_in(house: House) -> None:
    status, out, errors = await script("chat", "--url", house.url, piped="Hello\n/new\nBye\n")
    assert (status, errors) == (0, "")
    assert "You said: Hello.\n" in out
    assert "You said: Bye.\n" in out
