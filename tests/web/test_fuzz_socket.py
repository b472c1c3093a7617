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
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

import pytest
import websockets
from hypothesis import HealthCheck, Phase, given, settings
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
GROWTH = 48 << 20
PROTOCOL = Path(__file__).parents[2] / "PROTOCOL.md"

# Frames meet a server that earlier ones have met: a smaller example need not fail too.
FUZZ = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


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
            if id not in self.ids:
                self.ids.append(id)
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
        parts = frame.parts(self.ids)
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


class Playground:
    """A house that stays open while Hypothesis makes up what to send, and what it has cost."""

    def __init__(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        self._folder = folder
        self._runner = asyncio.Runner()
        self._closing = asyncio.Event()
        self.house: House
        self.memory: list[int] = []
        self.frames = 0
        self.totals: Counter[str] = Counter()
        # Of responses that were told of, on whichever connection.
        self.ids: list[str] = []

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self._runner.run(work)
        self.memory.append(resident_bytes())

    @contextmanager
    def open(self) -> Generator[None, None, None]:
        with self._runner:
            keeping = self._runner.run(self._open())
            self._at_first = self._runner.run(self._left())
            try:
                yield
            finally:
                self._closing.set()
                self._runner.run(_wait_for(keeping))

    async def _open(self) -> asyncio.Task[None]:
        opened = asyncio.Event()
        keeping = asyncio.get_running_loop().create_task(self._keep(opened))
        await opened.wait()
        return keeping

    async def _keep(self, opened: asyncio.Event) -> None:
        limits = DoorLimits(max_message_bytes=MOST_BYTES)
        async with open_house(self._folder, ScriptedEngine(script), limits=limits) as self.house:
            opened.set()
            await self._closing.wait()

    async def _left(self) -> tuple[int, dict[int, str]]:
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

    async def connect(self, *, page: bool) -> Client:
        offered = [websockets.Subprotocol("tokenwire.v1")] if page else None
        return Client(
            self.ids,
            await websockets.connect(
                self.house.socket_url, subprotocols=offered, max_size=None, ping_interval=None
            ),
        )

    def count(self, client: Client) -> None:
        """Add what went over a connection that is at its end."""
        self.frames += client.frames
        self.totals.update(client.told.counts)

    async def forget(self) -> None:
        """What the scripted engine remembers for other tests."""
        engine = self.house.engine
        for kept in (engine.prompts, engine.forms, engine.started, engine.aborted, engine._texts):  # pyright: ignore[reportPrivateUsage]
            kept.clear()

    def assert_clean(self) -> None:
        """All that was played with is gone, and nothing went wrong that no client heard of."""
        tasks, left = self._runner.run(self._left())
        assert tasks == self._at_first[0]
        assert left.items() <= self._at_first[1].items()
        fifth = len(self.memory) // 5
        assert median(self.memory[-fifth:]) - median(self.memory[:fifth]) < GROWTH
        assert self._caplog.records == []


async def _wait_for(task: asyncio.Task[None]) -> None:
    await task


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.fixture
def ground(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Generator[Playground, None, None]:
    # An ended answer is to be gone before the next few hundred have come.
    monkeypatch.setattr(generations, "KEEP_ENDED_S", 0.1)
    monkeypatch.setattr(generations, "HOUSEKEEPING_S", 0.05)
    playground = Playground(tmp_path, caplog)
    with caplog.at_level(logging.ERROR), playground.open():
        yield playground


# One frame after the other


@pytest.mark.timeout(180)
def test_each_frame_is_answered_or_has_an_effect(ground: Playground) -> None:
    @settings(FUZZ, max_examples=110)
    @given(st.lists(frames(), min_size=20, max_size=30))
    def play(frames: list[Frame]) -> None:
        # Every other connection is a page's.
        ground.run(play_in_turn(ground, frames, page=len(ground.memory) % 2 == 1))

    play()
    assert ground.frames > 2500
    for kind in ("response.completed", "tokenwire:pong", "tokenwire:response.attached"):
        assert ground.totals[kind] > 20, ground.totals
    ground.assert_clean()


async def play_in_turn(ground: Playground, frames: list[Frame], *, page: bool) -> None:
    client = await ground.connect(page=page)
    for frame in frames:
        await play_one(client, frame)
    await client.assert_usable()
    await client.close()
    ground.count(client)
    await ground.forget()


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
        assert kind in SILENT, (frame, events)
        return
    first = answers[0]
    assert first["type"] != "response.created" or kind == "response.create", (frame, events)
    if first["type"] == "tokenwire:response.attached" and has_read_all(frame, first):
        client.told.lanes.clear()
    await client.until(lambda: not client.told.lanes)
    client.events.clear()


def has_read_all(attach: Frame, attached: Json) -> bool:
    body = json.loads(attach.content)
    last = attached["last_sequence_number"]
    return body.get("starting_after", -1) == last and body.get("mode") != "snapshot"


# Many at once, over a few connections that stay


Step = tuple[Literal["send", "steer", "babble", "flood", "long", "cut", "hold", "wait"], Any]

_keyed = st.fixed_dictionaries({"idempotency_key": st.sampled_from(KEYS)})
_two_lanes = st.sampled_from(["a", "b"])
_plain_ids = st.sampled_from(["@0@", "@1@", "@2@", "@3@", "resp_none"])
_likely: st.SearchStrategy[Frame] = st.one_of(
    command("response.create", input=st.sampled_from(["Hi", "long"]), stream_id=_two_lanes),
    command("response.create", input=st.just("long"), previous_response_id=_plain_ids),
    command("response.create", input=st.just("Hi"), tokenwire=_keyed),
    command("response.cancel", stream_id=_two_lanes),
    command("response.cancel", response_id=_plain_ids),
    command("response.steer", previous_response_id=_plain_ids, input=st.just("Hi")),
    command("tokenwire:response.attach", response_id=_plain_ids, stream_id=_two_lanes),
    command("tokenwire:response.detach", stream_id=_two_lanes),
    command("tokenwire:ping", t=st.integers(0, 9)),
).map(lambda body: Frame(json.dumps(body)))
_steps: st.SearchStrategy[Step] = st.one_of(
    *[_likely.map(lambda frame: ("send", frame))] * 9,
    *[frames().map(lambda frame: ("send", frame))] * 3,
    st.sampled_from([("hold", True), ("hold", False), ("cut", None)]),
    *[st.just(("wait", None))] * 6,
    *[st.tuples(st.just("steer"), st.sampled_from(["s", "t"]))] * 2,
    st.one_of(
        st.tuples(st.just("babble"), st.sampled_from([16, 20])),
        st.tuples(st.just("flood"), _likely),
        st.tuples(st.just("long"), st.sampled_from([-1, 0, 1, 500])),
    ),
)


@st.composite
def a_step(draw: st.DrawFn) -> Step:
    return draw(_steps)


@pytest.mark.timeout(180)
def test_many_frames_at_once_disturb_nothing(ground: Playground) -> None:
    clients: list[Client] = []

    @settings(FUZZ, max_examples=90)
    @given(st.lists(st.tuples(st.integers(0, 2), a_step()), min_size=20, max_size=40))
    def play(steps: list[tuple[int, Step]]) -> None:
        ground.run(play_at_once(ground, clients, steps))

    play()
    ground.run(part(ground, clients))
    assert ground.frames > 2500
    for kind in (
        *("response.completed", "response.incomplete", "tokenwire:response.attached"),
        *("response.steer.accepted", "response.steer.failed"),
    ):
        assert ground.totals[kind] > 20, ground.totals
    ground.assert_clean()


async def part(ground: Playground, clients: list[Client]) -> None:
    for client in clients:
        await client.close()
        ground.count(client)


async def play_at_once(
    ground: Playground, clients: list[Client], steps: Sequence[tuple[int, Step]]
) -> None:
    hold(ground.house.engine, on=True)
    while len(clients) < 3:
        clients.append(await ground.connect(page=len(clients) > 0))
    for index, step in steps:
        try:
            await take_step(ground, clients[index], step)
        except websockets.ConnectionClosed:
            await replace(ground, clients, index)
    hold(ground.house.engine, on=False)
    for index in range(3):
        try:
            await settle(ground, clients[index])
        except (websockets.ConnectionClosed, EOFError):
            await replace(ground, clients, index)
    await clients[len(steps) % 3].assert_usable()
    await ground.forget()


async def replace(ground: Playground, clients: list[Client], index: int) -> None:
    """Another connection for one that was closed, which had to have a reason."""
    await clients[index].close()
    ground.count(clients[index])
    clients[index] = await ground.connect(page=index > 0)


async def take_step(ground: Playground, client: Client, step: Step) -> None:
    match step:
        case "send", frame:
            await client.send(frame)
        case "steer", lane:
            await steer_what_begins(client, lane)
        case "babble", times:
            await babble(client, times)
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
            await asyncio.sleep(0.005)


async def babble(client: Client, times: int) -> None:
    client.may_close.add(4400)
    for _ in range(times):
        await client.socket.send("{")
    await expect_closed(client)


async def steer_what_begins(client: Client, lane: str) -> None:
    """On a lane that nothing else is said on; where too much waits, it may not begin."""
    if lane not in client.told.lanes:
        ask = {"type": "response.create", "input": "long", "stream_id": lane}
        await client.send(Frame(json.dumps(ask)))
        with suppress(TimeoutError, EOFError):
            async with asyncio.timeout(1):
                await client.until(lambda: lane in client.told.lanes)
    if seen := client.told.lanes.get(lane):
        id = seen.response_id
        steer = {"type": "response.steer", "previous_response_id": id, "input": "Hi"}
        await client.send(Frame(json.dumps(steer)))


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


async def settle(ground: Playground, client: Client) -> None:
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


@pytest.mark.timeout(180)
def test_bytes_that_are_no_frames_end_their_own_connection_only(ground: Playground) -> None:
    @settings(FUZZ, max_examples=300)
    @given(st.lists(raw_frames(), min_size=1, max_size=8), st.booleans())
    def play(frames: list[bytes], whole: bool) -> None:
        ground.run(play_raw(ground, frames, whole=whole))

    play()
    ground.assert_clean()


async def play_raw(ground: Playground, frames: list[bytes], *, whole: bool) -> None:
    reader, writer = await open_raw(ground.house)
    for frame in [b"".join(frames)] if whole else frames:
        writer.write(frame)
        await asyncio.sleep(0)
    # A goodbye, where it has not come to that.
    writer.write(b"\x88\x82\0\0\0\0\x03\xe8")
    writer.write_eof()
    said = b""
    # What it did not read before it closed is a reset.
    with suppress(ConnectionError):
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
