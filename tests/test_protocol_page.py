"""Plays every transcript of PROTOCOL.md against the open house: what it says is what happens."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import websockets

from support.feed import Feed, open_feed
from support.house import House, open_house
from support.promised import check_streamed, check_told
from support.scripted import Script, ScriptedEngine, say
from tokenwire.engine.base import Call, Delta
from tokenwire.errors import ENDINGS


PAGE = (Path(__file__).resolve().parents[1] / "PROTOCOL.md").read_text()
BLOCK = re.compile(r"## ([^\n]*)\n(?:(?!\n## ).)*?```transcript([^\n]*)\n(.*?)```", re.DOTALL)
TRANSCRIPTS = [(title, options.split(), body) for title, options, body in BLOCK.findall(PAGE)]
PLACEHOLDER = re.compile(r"\b(?:resp|msg|conv|sock)_\d+\b")


@dataclass(slots=True)
class Names:
    """What the page's ids stand for, learned where they first come back."""

    known: dict[str, str] = field(default_factory=dict[str, str])

    def fill(self, text: str) -> str:
        return PLACEHOLDER.sub(lambda found: self.known.get(found.group(), found.group()), text)

    def assert_shows(self, expected: Any, actual: Any, where: str = "") -> None:
        """Each field that the page shows is in `actual`, with its value."""
        if isinstance(expected, dict):
            assert isinstance(actual, dict), f"{where}: {actual!r} is no object"
            for key, value in cast("dict[str, Any]", expected).items():
                assert key in actual, f"{where}.{key} is missing in {actual!r}"
                self.assert_shows(value, actual[key], f"{where}.{key}")
        elif isinstance(expected, list):
            shown, got = cast("list[Any]", expected), cast("list[Any]", actual)
            assert len(got) == len(shown), f"{where}: {got!r}"
            for index, value in enumerate(shown):
                self.assert_shows(value, got[index], f"{where}[{index}]")
        elif isinstance(expected, str) and PLACEHOLDER.fullmatch(expected):
            assert self.known.setdefault(expected, actual) == actual, where
        else:
            assert actual == expected, where

    def shows(self, expected: Any, actual: Any) -> bool:
        before = dict(self.known)
        try:
            self.assert_shows(expected, actual)
        except AssertionError:
            self.known = before
            return False
        return True


class HttpDoor:
    """Each `>` is a request; what comes back is an object with its status, or the events of a
    stream.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._events: list[Any] = []
        self.status: int | None = None

    async def send(self, line: str) -> None:
        assert not self._events, f"left unsaid: {self._events}"
        method, path, *body = line.split(" ", 2)
        content = body[0] if body else None
        answer = await self._house.http.request(method, path, content=content)
        if answer.headers["Content-Type"] == "text/event-stream":
            datas = [x[6:] for x in answer.text.splitlines() if x.startswith("data: ")]
            self.status = None
            self._events = [x if x == "[DONE]" else json.loads(x) for x in datas]
            for event in self._events:
                if event != "[DONE]":
                    check_streamed(method, path.partition("?")[0], event)
        else:
            self.status = answer.status_code
            self._events = [answer.json()]

    async def next(self) -> Any:
        return self._events.pop(0)


class SocketDoor:
    """Each `>` is a frame; what comes back are events."""

    status: int | None = None

    def __init__(self, socket: websockets.ClientConnection, *, page: bool) -> None:
        self._socket = socket
        self._page = page
        self._events: list[Any] = []

    async def send(self, line: str) -> None:
        await self._socket.send(line)

    async def next(self) -> Any:
        if not self._events:
            frame: Any = json.loads(await asyncio.wait_for(self._socket.recv(), 10))
            self._events = cast("list[Any]", frame) if isinstance(frame, list) else [frame]
            for event in self._events:
                check_told(event, page=self._page)
        return self._events.pop(0)


class FeedDoor:
    """The first `>` opened the feed; the others are POSTs, and what comes back are events."""

    status: int | None = None

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._told = [feed.hello]

    async def send(self, line: str) -> None:
        if line != "GET /v1/events":
            path, body = line.removeprefix("POST ").split(" ", 1)
            assert path == f"/v1/events/{self._feed.id}"
            await self._feed.send(*map(json.dumps, json.loads(body)["events"]))

    async def next(self) -> Any:
        return json.loads(self._told.pop() if self._told else await self._feed.recv())


async def play(door: HttpDoor | SocketDoor | FeedDoor, body: str) -> None:
    names, skipping = Names(), False
    for line in body.strip().splitlines():
        if line == "...":
            skipping = True
        elif line.startswith("> "):
            await door.send(names.fill(line[2:]))
        else:
            status = re.match(r"< (\d{3}) ", line)
            text = line[status.end() :] if status else line[2:]
            expected = text if text == "[DONE]" else json.loads(text)
            actual = await door.next()
            while skipping and not names.shows(expected, actual):
                actual = await door.next()
            skipping = False
            names.assert_shows(expected, actual, line)
            if status:
                assert door.status == int(status.group(1)), line


def calling(name: str) -> Script:
    """Calls a tool, and says something when it has what came of it."""
    arguments = ('{"input": "Hello', ", world", '."}')
    steps: list[Delta | Exception] = [Delta("", (1,), calls=(Call(0, "", "call_1", name),))]
    steps += [Delta("", (2 + n,), calls=(Call(0, part),)) for n, part in enumerate(arguments)]
    steps.append(Delta("", (0,), "stop"))
    return lambda text, _sampling: say("Thanks.") if text == "Done." else steps


@pytest.mark.parametrize(
    ("options", "body"), [t[1:] for t in TRANSCRIPTS], ids=[t[0] for t in TRANSCRIPTS]
)
async def test_a_transcript_is_what_happens(tmp_path: Path, options: list[str], body: str) -> None:
    called = next((o[6:] for o in options if o.startswith("calls=")), None)
    engine = ScriptedEngine(calling(called) if called else None)
    engine.hold_at = next((int(o[5:]) for o in options if o.startswith("hold=")), None)
    async with open_house(tmp_path, engine) as house:
        if "ws" in options or "page" in options:
            page = "page" in options
            async with house.connect(page=page) as socket:
                await play(SocketDoor(socket, page=page), body)
        elif "feed" in options:
            async with open_feed(house.http) as feed:
                await play(FeedDoor(feed), body)
        else:
            await play(HttpDoor(house), body)


def test_every_transcript_of_the_page_is_played() -> None:
    assert PAGE.count("```transcript") == len(TRANSCRIPTS) > 10


def test_every_error_code_is_on_the_page_with_its_status() -> None:
    rows = re.findall(r"^\| (`[^|]*) \| (\d{3}) \|", PAGE, re.MULTILINE)
    listed = {code: int(status) for codes, status in rows for code in re.findall(r"`(\w+)`", codes)}
    assert listed == {ending.code: ending.status for ending in ENDINGS.values()}
