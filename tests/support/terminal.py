"""The command line in a terminal of its own: what is typed goes to its keyboard, Ctrl-C too, and
what it writes is kept. Beside it, the same without a terminal, as a script runs it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import sys
import termios
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from support.server import ROOT


ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\].*?(\x07|\x1b\\))")
CTRL_D = "\x04"
PATIENCE_S = 20
COMMAND = (sys.executable, "-m", "tokenwire")


def environment() -> dict[str, str]:
    # What is not flushed must not come.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return kept | {
        "PYTHONPATH": str(ROOT / "backend"),
        "TERM": "xterm-256color",
        "COLUMNS": "100",
        "LINES": "40",
    }


class Terminal:
    """A running command. `raw` is all that it wrote, `text` the same without escape sequences."""

    def __init__(self, process: asyncio.subprocess.Process, keyboard: int) -> None:
        self.process = process
        self.raw = b""
        self._keyboard = keyboard
        self._grown = asyncio.Event()
        self._seen = 0
        asyncio.get_running_loop().add_reader(keyboard, self._read)

    @property
    def text(self) -> str:
        return ESCAPES.sub("", self.raw.decode(errors="replace")).replace("\r\n", "\n")

    def type(self, keys: str) -> None:
        os.write(self._keyboard, keys.encode())

    async def interrupt(self) -> None:
        """Ctrl-C, once it waits for something: signals that come together are one, and readline
        doesn't hear of one that comes just before it waits for keys.
        """
        async with asyncio.timeout(PATIENCE_S):
            while _state(self.process.pid) != "S":  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        self.type("\x03")

    async def until(self, wanted: str) -> str:
        """Wait for it to be written after what was waited for before. Returns what came since."""
        start = self._seen
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (found := self.text.find(wanted, start)) < 0:
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            raise AssertionError(f"no {wanted!r} after {start} in {self.text!r}") from None
        self._seen = found + len(wanted)
        return self.text[start : self._seen]

    async def say(self, line: str) -> None:
        """Type a line at the prompt, once there is one."""
        await self.until("> ")
        self.type(line + "\n")

    async def left(self) -> int:
        """Wait until it has ended. Returns its exit status."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._keyboard)
        os.close(self._keyboard)

    def _read(self) -> None:
        try:
            self.raw += os.read(self._keyboard, 65_536)
        except OSError:  # its last writer is gone
            asyncio.get_running_loop().remove_reader(self._keyboard)
        self._grown.set()


@asynccontextmanager
async def terminal(*arguments: str) -> AsyncGenerator[Terminal, None]:
    """Run `tokenwire` in a terminal; end it, if it hasn't ended by itself."""
    keyboard, screen = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *arguments,
            stdin=screen,
            stdout=screen,
            stderr=screen,
            env=environment(),
            start_new_session=True,
            # Its own terminal's Ctrl-C, not that of whoever runs the tests.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
    finally:
        os.close(screen)
    running = Terminal(process, keyboard)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        running.close()


async def script(*arguments: str, piped: str = "") -> tuple[int, str, str]:
    """Run `tokenwire` as a script does. Returns its exit status, output and errors."""
    process = await start_script(*arguments)
    async with asyncio.timeout(PATIENCE_S):
        out, errors = await process.communicate(piped.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def start_script(*arguments: str) -> asyncio.subprocess.Process:
    """`tokenwire` with pipes at its three ends. The caller ends it."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=environment()
    )


def _state(pid: int) -> str:
    """S: its main thread waits."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
