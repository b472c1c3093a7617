"""Thousands of frames that no client should send, against the real socket door: each is answered,
disturbs nothing else, and leaves nothing behind.

They are the same each time. It knows what PROTOCOL.md promises and refuses to know which of them
are right: a frame may be taken or refused, but not lost.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Literal, TypeVar

import pytest
import websockets
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from support.frames import KEYS, Frame, command, frames, kind_of
from support.house import House, Json, events_of, open_house, open_raw, text_of
from support.scripted import ScriptedEngine, say
from tokenwire.engine.base import Delta, Sampling
from tokenwire.errors import MESSAGE_MAX
from tokenwire.generation import generations
from tokenwire.generation.generation import Generation
from tokenwire.generation.log import Log
from tokenwire.generation.replay import Replay
from tokenwire.web.parts import DoorLimits
from tokenwire.web.socket import Connection
from tokenwire.wire.session import Session


END = ("response.completed", "response.incomplete", "response.failed")
# What may be sent without an answer of its own: what it asks for is seen elsewhere, if anywhere.
SILENT = ("response.cancel", "response.processed", "tokenwire:response.detach", "tokenwire:pong")
ANSWERS = (
    *("error", "tokenwire:pong", "tokenwire:response.attached", "response.created"),
    *("response.steer.accepted", "response.steer.failed"),
)
MOST_BYTES = 16_384
# Of the memory, while a few hundred answers are stored; the pages of the database are among it.
GROWTH = 16 << 20
PROTOCOL = Path(__file__).parents[2] / "PROTOCOL.md"

T = TypeVar("T")


def made(values: st.SearchStrategy[T], most: int) -> list[T]:
    """What Hypothesis makes up, the same each time. It is played without it: what fails on a server
    that has met other frames before can't be made smaller, Hypothesis remembers all that it has
    made and lets calls nest deeper, and it makes variations of one value after the other.
    """
    found: list[T] = []

    @settings(derandomize=True, database=None, max_examples=most, phases=[Phase.generate])
    @given(values)
    def make(value: T) -> None:
        found.append(value)

    make()
    Random(0).shuffle(found)
    return found


def codes_of_the_protocol() -> dict[str, int]:
    """Each error's code with its status, from the table that clients read."""
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (\d{3}) \|", PROTOCOL.read_text(), re.M)
    return {code: int(status) for codes, status in rows for code in re.findall(r"\w+", codes)}


CODES = codes_of_the_protocol()


def script(text: str, _: Sampling) -> list[Delta | Exception]:
    return say(*(f"{n} " for n in range(40 if "long" in text else 4)))


@dataclass
class _LaneSeen:
    response_id: str
    number: int
    # A snapshot leaves out numbers up to this one.
    leaps_to: int = -1


@dataclass
class Told:
    """What one connection was told, held against the protocol as it comes."""

    ids: list[str]
    own: list[str] = field(default_factory=list[str])
    numbers: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    errors: Counter[str] = field(default_factory=Counter[str])
    lanes: dict[str | None, _LaneSeen] = field(default_factory=dict[str | None, _LaneSeen])
    # Responses that were steered, and lanes where one has ended and another is to begin.
    steered: set[tuple[str, str | None]] = field(default_factory=set[tuple[str, str | None]])
    held: set[tuple[str, str | None]] = field(default_factory=set[tuple[str, str | None]])
    # Answers to no frame: what follows a steer, or could not.
    unasked: int = 0

    def take(self, event: Json) -> None:
        kind, number = event["type"], event["sequence_number"]
        self.counts[kind] += 1
        if kind == "error" or kind.startswith(("tokenwire:", "response.steer.")):
            assert number == self.numbers, event
            self.numbers += 1
        if kind == "error":
            self._take_error(event)
        elif kind == "tokenwire:response.attached":
            lane = _LaneSeen(event["response_id"], -2, event["last_sequence_number"])
            self.lanes[event.get("stream_id")] = lane
        elif kind.startswith("response.steer."):
            self._take_steer(event)
        elif kind.startswith("response."):
            self._take_of_a_log(event)

    def _take_error(self, event: Json) -> None:
        error = event["error"]
        assert set(error) == {"type", "code", "message", "param"}, event
        # A status of 500 would be our fault.
        assert event["status"] == CODES[error["code"]] < 500, event
        assert isinstance(error["type"], str), event
        assert 0 < len(error["message"]) <= MESSAGE_MAX, event
        assert error["param"] is None or isinstance(error["param"], str), event
        assert isinstance(event.get("stream_id", ""), str), event
        self.errors[error["code"]] += 1

    def _take_steer(self, event: Json) -> None:
        steer, lane = event["steer"], event.get("stream_id")
        if event["type"] == "response.steer.accepted":
            self.steered.add((steer["previous_response_id"], lane))
            return
        assert event["type"] == "response.steer.failed", event
        error = event["error"]
        self.errors[f"steer {error['code']}"] += 1
        assert CODES[error["code"]] in (400, 404), event
        assert 0 < len(error["message"]) <= MESSAGE_MAX, event
        if "id" in steer:
            # It was accepted, and its response has ended.
            assert (steer["previous_response_id"], lane) in self.steered, event
            self.held.discard((steer["previous_response_id"], lane))
            self.unasked += 1

    def _take_of_a_log(self, event: Json) -> None:
        lane, number = event.get("stream_id"), event["sequence_number"]
        if event["type"] == "response.created":
            assert number == 0, event
            if (event["response"]["previous_response_id"], lane) in self.held:
                self.held.discard((event["response"]["previous_response_id"], lane))
                self.unasked += 1
            id = event["response"]["id"]
            leaps_to = seen.leaps_to if (seen := self.lanes.get(lane)) and seen.number == -2 else -1
            self.lanes[lane] = _LaneSeen(id, 0, leaps_to)
            for ids in (self.ids, self.own):
                if id not in ids:
                    ids.append(id)
            return
        seen = self.lanes[lane]
        follows = number == seen.number + 1 or seen.number == -2
        assert follows or seen.number < number <= seen.leaps_to, (event, seen)
        seen.number = number
        if event["type"] in END:
            assert event["response"]["id"] == seen.response_id, event
            del self.lanes[lane]
            if (seen.response_id, lane) in self.steered:
                self.held.add((seen.response_id, lane))


@dataclass
class Client:
    """A connection, all that went over it, and the codes that it may be closed with."""

    ids: list[str]
    socket: websockets.ClientConnection
    events: list[Json] = field(default_factory=list[Json])
    sent: Counter[str | None] = field(default_factory=Counter[str | None])
    frames: int = 0
    sentinels: int = 0
    may_close: set[int] = field(default_factory=set[int])

    def __post_init__(self) -> None:
        self.told = Told(self.ids)
        self._news = asyncio.Event()
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        try:
            async for frame in self.socket:
                for event in events_of(frame):
                    self.told.take(event)
                    self.events.append(event)
                self._news.set()
        except websockets.ConnectionClosed:
            pass
        finally:
            self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Read until something holds. Raises what was wrong with what was read."""
        async with asyncio.timeout(10):
            while not holds():
                if self._reading.done():
                    await self._reading
                    raise EOFError(f"closed: {self.socket.close_code}")
                self._news.clear()
                await self._news.wait()

    async def send(self, frame: Frame) -> None:
        parts = frame.parts(self.ids, self.told.own)
        self.frames += 1
        self.sent[kind_of(frame.content)] += 1
        await self.socket.send(parts if len(parts) > 1 else parts[0])

    async def sentinel(self) -> list[Json]:
        """All events since the last one, up to the answer to a frame that is known to be refused,
        and after all others.
        """
        self.sentinels += 1
        lane = f"sentinel-{self.sentinels}"
        ask = {"type": "response.cancel", "response_id": "resp_none", "stream_id": lane}
        await self.socket.send(json.dumps(ask))
        await self.until(lambda: any(event.get("stream_id") == lane for event in self.events))
        at = next(i for i, event in enumerate(self.events) if event.get("stream_id") == lane)
        events, mark = self.events[:at], self.events[at]
        del self.events[: at + 1]
        assert mark["error"]["code"] == "response_not_found"
        return events

    async def assert_usable(self) -> None:
        """It still answers a create."""
        self.events.clear()
        await self.send(Frame(json.dumps({"type": "response.create", "input": "There?"})))
        await self.until(lambda: any(event["type"] in END for event in self.events))
        assert text_of(self.events) == "0 1 2 3 "

    async def close(self) -> None:
        """Take leave, and look at what was said last."""
        await self.socket.close()
        await self._reading
        code = self.socket.close_code
        assert code in {1000, *self.may_close}, code

    @property
    def unanswered(self) -> int:
        """The frames that got no answer, if each `response.created` was one."""
        answers = sum(self.told.counts[kind] for kind in ANSWERS) - self.told.unasked
        return self.frames + self.sentinels - answers


@dataclass
class Ground:
    """A house, what has gone over the connections to it, and what that has cost."""

    house: House
    # Of responses that were told of, on whichever connection.
    ids: list[str] = field(default_factory=list[str])
    frames: int = 0
    totals: Counter[str] = field(default_factory=Counter[str])
    memory: list[int] = field(default_factory=list[int])

    async def connect(self, *, page: bool) -> Client:
        offered = [websockets.Subprotocol("tokenwire.v1")] if page else None
        return Client(
            self.ids,
            await websockets.connect(
                self.house.socket_url, subprotocols=offered, max_size=None, ping_interval=None
            ),
        )

    async def leave(self, client: Client) -> None:
        """Close a connection, and add up what went over it."""
        await client.close()
        self.frames += client.frames
        self.totals.update(client.told.counts)

    def look(self) -> None:
        """Note what it takes, but for what the scripted engine remembers for other tests."""
        engine = self.house.engine
        for kept in (engine.prompts, engine.forms, engine.started, engine.aborted, engine._texts):  # pyright: ignore[reportPrivateUsage]
            kept.clear()
        self.memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096)

    async def left(self) -> tuple[int, dict[int, str]]:
        """How many tasks there are once all is over, and the values that outlived their time by
        their addresses; other tests may have left some.
        """
        kinds = (Generation, Log, Replay, Session, Connection)
        async with asyncio.timeout(10):
            while live_ones(self.house):  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        gc.collect()
        left = {id(x): type(x).__name__ for x in gc.get_objects() if type(x) in kinds}
        return len(asyncio.all_tasks()), left


@asynccontextmanager
async def open_ground(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Ground, None]:
    """In the end all that was played with is gone, and nothing went wrong that no client heard."""
    # An ended answer is to be gone before the next few hundred have come.
    monkeypatch.setattr(generations, "KEEP_ENDED_S", 0.1)
    monkeypatch.setattr(generations, "HOUSEKEEPING_S", 0.05)
    limits = DoorLimits(max_message_bytes=MOST_BYTES)
    with caplog.at_level(logging.ERROR):
        async with open_house(folder, ScriptedEngine(script), limits=limits) as house:
            ground = Ground(house)
            tasks, before = await ground.left()
            yield ground
            tasks_after, after = await ground.left()
            assert tasks_after == tasks
            assert after.items() <= before.items()
    if fifth := len(ground.memory) // 5:
        assert median(ground.memory[-fifth:]) - median(ground.memory[:fifth]) < GROWTH
    assert caplog.records == []


# One frame after the other


@pytest.mark.timeout(180)
async def test_each_frame_is_answered_or_has_an_effect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = made(frames(), 2600)
    async with open_ground(tmp_path, caplog, monkeypatch) as ground:
        for number, start in enumerate(range(0, len(sent), 25)):
            client = await ground.connect(page=number % 2 == 1)
            for frame in sent[start : start + 25]:
                try:
                    await play_one(client, frame)
                except BaseException as error:
                    error.add_note(repr(frame))
                    raise
            await client.assert_usable()
            await ground.leave(client)
            ground.look()
    assert ground.frames > 2500
    for kind in ("response.completed", "tokenwire:pong", "tokenwire:response.attached"):
        assert ground.totals[kind] > 5, ground.totals


async def play_one(client: Client, frame: Frame) -> None:
    """Send it, and see what becomes of it to the end."""
    await client.send(frame)
    kind = kind_of(frame.content)
    events = await client.sentinel()
    answers = [event for event in events if event["type"] in ANSWERS]
    if not answers and kind == "response.create":
        # It waits for the memory.
        await client.until(lambda: any(event["type"] in ANSWERS for event in client.events))
        answers = [event for event in client.events if event["type"] in ANSWERS]
    if not answers:
        assert kind in SILENT, events
        return
    first = answers[0]
    assert first["type"] != "response.created" or kind == "response.create", events
    if first["type"] == "tokenwire:response.attached" and has_read_all(frame, first):
        client.told.lanes.clear()
    await client.until(lambda: not client.told.lanes)
    client.events.clear()


def has_read_all(attach: Frame, attached: Json) -> bool:
    body = json.loads(attach.content)
    last = attached["last_sequence_number"]
    return body.get("starting_after", -1) == last and body.get("mode") != "snapshot"


# Many at once, over a few connections that stay


Step = tuple[Literal["send", "babble", "flood", "long", "cut", "hold", "wait"], Any]

_keyed = st.fixed_dictionaries({"idempotency_key": st.sampled_from(KEYS)})
_two_lanes = st.sampled_from(["a", "b"])
_plain_ids = st.sampled_from(["@0@", "@1@", "@5@", "@6@", "@7@", "resp_none"])
_LIKELY: list[st.SearchStrategy[Json]] = [
    command("response.create", input=st.sampled_from(["Hi", "long"]), stream_id=_two_lanes),
    command("response.create", input=st.just("long"), previous_response_id=_plain_ids),
    command("response.create", input=st.just("Hi"), tokenwire=_keyed),
    command("response.cancel", stream_id=_two_lanes),
    command("response.cancel", response_id=_plain_ids),
    command("response.steer", previous_response_id=_plain_ids, input=st.just("Hi")),
    command("response.steer", previous_response_id=st.just("@5@"), input=st.just("long")),
    command("tokenwire:response.attach", response_id=_plain_ids, stream_id=_two_lanes),
    command("tokenwire:response.detach", stream_id=_two_lanes),
    command("tokenwire:ping", t=st.integers(0, 9)),
]
# How many of a hundred steps.
_STEPS = {
    "likely": 50,
    "any": 15,
    "wait": 20,
    "hold": 8,
    "cut": 2,
    "flood": 2,
    "babble": 2,
    "long": 1,
}


@st.composite
def likely(draw: st.DrawFn) -> Frame:
    """What a client may send that does everything at once."""
    return Frame(json.dumps(draw(draw(st.sampled_from(_LIKELY)))))


@st.composite
def steps(draw: st.DrawFn) -> tuple[int, Step]:
    """With the number of a connection."""
    values: dict[str, st.SearchStrategy[Any]] = {
        "likely": likely(),
        "any": frames(),
        "hold": st.sampled_from([True, True, False]),
        "flood": likely(),
        "babble": st.sampled_from([16, 20]),
        "long": st.sampled_from([-1, 0, 1, 500]),
    }
    kind = draw(st.sampled_from([kind for kind, many in _STEPS.items() for _ in range(many)]))
    name: Any = "send" if kind in ("likely", "any") else kind
    return draw(st.integers(0, 2)), (name, draw(values.get(kind, st.none())))


@pytest.mark.timeout(180)
async def test_many_frames_at_once_disturb_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = st.lists(steps(), min_size=4, max_size=8)
    played = [step for some in made(every, 600) for step in some]
    async with open_ground(tmp_path, caplog, monkeypatch) as ground:
        clients = [await ground.connect(page=index > 0) for index in range(3)]
        for start in range(0, len(played), 30):
            await play_at_once(ground, clients, played[start : start + 30])
            await clients[start % 3].assert_usable()
            ground.look()
        for client in clients:
            await ground.leave(client)
    assert ground.frames > 2500
    for kind in (
        *("response.completed", "response.incomplete", "tokenwire:response.attached"),
        *("response.steer.accepted", "response.steer.failed"),
    ):
        assert ground.totals[kind] > 5, ground.totals


async def play_at_once(
    ground: Ground, clients: list[Client], steps: Sequence[tuple[int, Step]]
) -> None:
    hold(ground.house.engine, on=True)
    try:
        for index, step in steps:
            try:
                await take_step(ground, clients[index], step)
            except (websockets.ConnectionClosed, EOFError):
                await replace(ground, clients, index)
        hold(ground.house.engine, on=False)
        for index in range(3):
            try:
                await settle(ground, clients[index])
            except (websockets.ConnectionClosed, EOFError):
                await replace(ground, clients, index)
    except BaseException as error:
        error.add_note("\n".join(map(repr, steps)))
        raise


async def replace(ground: Ground, clients: list[Client], index: int) -> None:
    """Another connection for one that was closed, which had to have a reason."""
    await ground.leave(clients[index])
    clients[index] = await ground.connect(page=index > 0)


async def take_step(ground: Ground, client: Client, step: Step) -> None:
    match step:
        case "send", frame:
            await client.send(frame)
        case "babble", times:
            client.may_close.add(4400)
            for _ in range(times):
                await client.socket.send("{")
            await expect_closed(client)
        case "flood", frame:
            client.may_close.add(1008)
            for _ in range(80):
                await client.send(frame)
        case "long", more:
            await client.send(Frame("x" * (MOST_BYTES + more)))
            if more > 0:
                client.may_close.add(1009)
                await expect_closed(client)
        case "cut", _:
            client.may_close.add(1006)
            client.socket.transport.abort()
            await expect_closed(client)
        case "hold", on:
            hold(ground.house.engine, on=on)
        case _:
            await let_begin(ground, client)


async def let_begin(ground: Ground, client: Client) -> None:
    """Give all that was sent the time to be read, and to begin where it can."""
    await client.sentinel()
    async with asyncio.timeout(10):
        while any(map(is_beginning, open_sockets(ground.house))):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.002)
    await client.sentinel()


async def expect_closed(client: Client) -> None:
    """See that it closes, and let whoever sends find out."""
    await asyncio.wait_for(client.socket.wait_closed(), 10)
    assert client.socket.close_code in client.may_close
    await client.socket.send("")


def hold(engine: ScriptedEngine, *, on: bool) -> None:
    """Have all answers wait at their third word, or go on."""
    engine.hold_at = 2 if on else None
    if on:
        engine.go.clear()
    else:
        engine.go.set()


async def settle(ground: Ground, client: Client) -> None:
    """Let all that was asked for end, and see that nothing is missing."""
    house = ground.house
    await client.sentinel()
    async with asyncio.timeout(10):
        while house.generations.running or not all(map(is_idle, open_sockets(house))):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.002)
    await client.sentinel()
    detached = client.sent["tokenwire:response.detach"]
    attached = client.told.counts["tokenwire:response.attached"]
    silent = sum(client.sent[kind] for kind in SILENT)
    # What is detached from before it has begun is not heard of; an attach may begin with one more.
    assert -attached <= client.unanswered <= silent + detached, client.told.counts
    assert len(client.told.lanes) <= detached + attached


def live_ones(house: House) -> Any:
    return house.generations._live  # pyright: ignore[reportPrivateUsage]


def open_sockets(house: House) -> set[Any]:
    return house.parts.sockets._open  # pyright: ignore[reportPrivateUsage, reportReturnType]


def is_beginning(connection: Any) -> bool:
    lanes = connection._session._lanes.values()
    return any(lane.starting or (lane.waiting and not lane.busy) for lane in lanes)


def is_idle(connection: Any) -> bool:
    return connection._session.idle and connection._obeying is None


# Bytes that are no frames


_payloads = st.sampled_from([b"", b"{", b"{}", b"x" * 126, b"\xff\xfe", b"\xc3", b"\xa9"])
# The head of a frame that may follow any other: whole or in fragments, pings among them.
_heads = st.sampled_from([0x81, 0x81, 0x01, 0x00, 0x80, 0x82, 0x02, 0x89, 0x8A])
_wrong_heads = st.sampled_from([0x83, 0x8B, 0x8F, 0xC1, 0x91, 0x09, 0x88])


@st.composite
def raw_frames(draw: st.DrawFn) -> bytes:
    """A frame as RFC 6455 has it, or nearly."""
    wrong = draw(st.sampled_from([None] * 20 + ["head", "size", "mask", "all"]))
    if wrong == "all":
        return draw(st.binary(max_size=20))
    payload = draw(_payloads)
    head = draw(_wrong_heads if wrong == "head" else _heads)
    size = len(payload) + (draw(st.sampled_from([-1, 1, 70_000])) if wrong == "size" else 0)
    bit = 0 if wrong == "mask" else 0x80
    if 0 <= size < 126:
        sizes = bytes([bit | size])
    else:
        sizes = bytes([bit | 127]) + (size % 2**64).to_bytes(8, "big")
    return bytes([head]) + sizes + bytes(4 if bit else 0) + payload


async def test_bytes_that_are_no_frames_end_their_own_connection_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = made(st.lists(raw_frames(), min_size=1, max_size=8), 400)
    async with open_ground(tmp_path, caplog, monkeypatch) as ground:
        other = await ground.connect(page=False)
        for number, some in enumerate(sent):
            await play_raw(ground, some, whole=number % 2 == 1)
        await other.assert_usable()
        await ground.leave(other)
    for code in (1000, 1002, 1007):
        assert ground.totals[f"{code}"] > 10, ground.totals


async def play_raw(ground: Ground, frames: list[bytes], *, whole: bool) -> None:
    reader, writer = await open_raw(ground.house)
    for frame in [b"".join(frames)] if whole else frames:
        writer.write(frame)
        await asyncio.sleep(0)
    said = b""
    # What it did not read before it closed is a reset.
    with suppress(OSError):
        # A goodbye, where it has not come to that.
        writer.write(b"\x88\x82\0\0\0\0\x03\xe8")
        writer.write_eof()
        async with asyncio.timeout(10):
            while more := await reader.read(65_536):
                said += more
    writer.close()
    ended = closed_with(said)
    ground.totals[f"{ended}"] += 1
    # From 3000 on it is the peer's own, said back.
    assert ended is None or ended in {1000, 1002, 1005, 1007, 1009} or ended >= 3000


def closed_with(said: bytes) -> int | None:
    """The code of the close frame that a server has sent."""
    at = 0
    while at + 2 <= len(said):
        size, head = said[at + 1], 2
        if size > 125:
            head = 4 if size == 126 else 10
            size = int.from_bytes(said[at + 2 : at + head], "big")
        if said[at] == 0x88:
            return int.from_bytes(said[at + 2 : at + 4], "big") if size else 1005
        at += head + size
    assert at == len(said)
    return None
