"""`tokenwire run` as a script sees it: what it reads, what it writes where, how it exits."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from support.cable import cable_to
from support.house import House, open_house
from support.scripted import ScriptedEngine, say
from support.terminal import environment, script, start_script, terminal
from support.waiting import until
from tokenwire.errors import ServerError


WORDS = ("One\t", "two \x1b[31m", "three\r\n", " — 漢字.")
TEXT = "".join(WORDS)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    async with open_house(tmp_path, ScriptedEngine(lambda _text, _sampling: say(*WORDS))) as opened:
        yield opened


def prompts(house: House) -> list[str]:
    return [str(messages[-1]["content"]) for messages in house.engine.prompts]


async def test_only_the_text_is_on_standard_output(house: House) -> None:
    assert await script("run", "Hi", "--url", house.url) == (0, f"{TEXT}\n", "")


async def test_it_writes_as_the_answer_comes(house: House) -> None:
    house.engine.hold_at = 2
    process = await start_script("run", "Hi", "--url", house.url)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    begun = "".join(WORDS[:2]).encode()
    async with asyncio.timeout(20):
        assert await process.stdout.readexactly(len(begun)) == begun
    house.engine.go.set()
    rest, _ = await process.communicate()
    assert rest == f"{''.join(WORDS[2:])}\n".encode()


@pytest.mark.parametrize(
    ("prompt", "piped", "sent"),
    [
        (["Sum up:"], "a\nb\n", "Sum up:\n\na\nb"),
        ([], "a\nb\n", "a\nb"),
        (["Sum up:"], "", "Sum up:"),
        (["Sum up:"], "\n", "Sum up:"),
    ],
)
async def test_what_is_piped_in_follows_the_prompt_or_is_it(
    house: House, prompt: list[str], piped: str, sent: str
) -> None:
    status, _, _ = await script("run", *prompt, "--url", house.url, piped=piped)
    assert status == 0
    assert prompts(house) == [sent]


async def test_without_a_prompt_it_asks_for_one(house: House) -> None:
    status, out, errors = await script("run", "--url", house.url)
    assert (status, out) == (1, "")
    assert errors == "tokenwire: There is no prompt: give one, or pipe one in.\n"


async def test_the_system_text_goes_before_the_prompt(house: House) -> None:
    await script("run", "Hi", "--url", house.url, "--system", "Be brief.", "--model", "scripted")
    assert house.engine.prompts == [
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    ]


async def test_json_is_the_response_as_it_ended(house: House) -> None:
    status, out, errors = await script("run", "Hi", "--url", house.url, "--json")
    assert (status, errors) == (0, "")
    response = json.loads(out)
    assert response["status"] == "completed"
    assert response["store"] is False
    assert response["output"][0]["content"][0]["text"] == TEXT
    assert await house.store.get("local", response["id"]) is None


async def test_store_keeps_it(house: House) -> None:
    _, out, _ = await script("run", "Hi", "--url", house.url, "--json", "--store")
    assert await house.store.get("local", json.loads(out)["id"]) is not None


async def test_what_fails_is_one_sentence_and_1(house: House) -> None:
    house.engine.script = lambda _text, _sampling: [
        *say("One ", finish=False),
        ServerError("The disk burns."),
    ]
    status, out, errors = await script("run", "Hi", "--url", house.url)
    assert (status, out) == (1, "One \n")
    assert errors.startswith("tokenwire: ")
    assert errors.count("\n") == 1


async def test_what_is_refused_is_one_sentence_and_1(house: House) -> None:
    status, out, errors = await script("run", "Hi", "--url", house.url, "--model", "none")
    assert (status, out) == (1, "")
    assert errors.startswith("tokenwire: The model 'none' does not exist here.")
    assert errors.count("\n") == 1


async def test_where_no_server_is_it_says_how_to_start_one() -> None:
    status, out, errors = await script("run", "Hi", "--url", "http://127.0.0.1:9")
    assert (status, out) == (1, "")
    assert "`tokenwire serve` starts one." in errors
    assert errors.count("\n") == 1


async def test_an_interrupt_stops_the_answer_and_exits_with_130(house: House) -> None:
    house.engine.hold_at = 2
    process = await start_script("run", "Hi", "--url", house.url)
    assert process.stdin is not None
    process.stdin.close()
    await house.engine.holding.wait()
    assert process.stdout is not None
    async with asyncio.timeout(20):
        begun = await process.stdout.readexactly(len("".join(WORDS[:2])))
    process.send_signal(signal.SIGINT)
    out, errors = await process.communicate()
    assert (process.returncode, out, errors) == (130, b"\n", b"")
    assert begun == "".join(WORDS[:2]).encode()
    assert house.engine.aborted == house.engine.started


async def test_an_interrupt_while_the_server_is_away_leaves_with_130(house: House) -> None:
    house.engine.hold_at = 2
    async with cable_to(house.url) as cable:
        async with terminal("run", "Hi", "--url", cable.url) as running:
            await running.until("two ")
            cable.unplug()
            await running.until("The server went away; waiting for it.")
            await running.interrupt()
            await running.until("the answer goes on there.")
            assert await running.left() == 130


async def test_a_reader_that_has_enough_stops_the_answer(house: House) -> None:
    house.engine.hold_at = 2
    process = await start_script("run", "Hi", "--url", house.url)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.close()
    async with asyncio.timeout(20):
        await process.stdout.readexactly(3)
    # Closes our end of its output.
    transport = getattr(process, "_transport")  # noqa: B009 - asyncio has no other way to it
    transport.get_pipe_transport(1).close()
    house.engine.script = lambda _text, _sampling: say(*WORDS)
    house.engine.go.set()
    assert await process.stderr.read() == b""
    assert await process.wait() == 1
    await until(lambda: house.generations.running == 0)


async def test_a_cut_socket_is_resumed_without_a_word(house: House) -> None:
    house.engine.hold_at = 2
    async with cable_to(house.url) as cable:
        process = await start_script("run", "Hi", "--url", cable.url)
        assert process.stdin is not None
        process.stdin.close()
        await house.engine.holding.wait()
        cable.cut()
        await until(lambda: cable.connections == 2)
        house.engine.go.set()
        out, errors = await process.communicate()
    assert (process.returncode, out.decode(), errors) == (0, f"{TEXT}\n", b"")


async def test_an_unstored_answer_that_the_server_forgot_is_one_sentence_and_1(
    house: House,
) -> None:
    house.engine.hold_at = 2
    async with cable_to(house.url) as cable:
        process = await start_script("run", "Hi", "--url", cable.url)
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.close()
        await house.engine.holding.wait()
        async with asyncio.timeout(20):
            assert process.stdout is not None
            await process.stdout.readexactly(3)
        cable.unplug()
        async with asyncio.timeout(20):
            away = await process.stderr.readline()
        house.engine.go.set()
        await until(lambda: house.generations.running == 0)
        await asyncio.sleep(2.5)  # the server's housekeeping forgets it within two seconds
        await cable.plug()
        _, errors = await process.communicate()
    assert away == b"tokenwire: The server went away; waiting for it.\n"
    assert process.returncode == 1
    assert b"The answer is lost: it was not stored" in errors
    assert b"--store" in errors
    assert errors.count(b"\n") == 1


async def test_in_a_terminal_nothing_of_the_text_is_obeyed(house: House) -> None:
    async with terminal("run", "Hi", "--url", house.url) as running:
        await running.until("漢字.")
        assert await running.left() == 0
    assert b"\x1b[31m" not in running.raw
    assert "two [31mthree\n" in running.text


async def test_it_loads_nothing_of_the_server() -> None:
    code = (
        "import sys, tokenwire.terminal.chat, tokenwire.terminal.run;"
        "print(sorted({'vllm', 'torch', 'quart', 'hypercorn', 'sqlmodel'} & set(sys.modules)))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=environment()
    )
    out, _ = await process.communicate()
    assert out == b"[]\n"
