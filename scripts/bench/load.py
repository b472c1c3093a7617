"""The client of the benches: many answers at once over one of four doors, as cheaply as can be: a
socket, a search for a few bytes in what comes, no JSON. A process of its own, so that its cost is
in nobody else's numbers.

It reads orders as JSON lines on stdin and answers each with a line: who is asked first after a
Python has started finds the caches of its processor full of that. It refuses to know which server
it talks to.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import uvloop


# What only a piece of text has: a chat's first chunk, before the first token, has empty content.
DELTA = {
    "ws": re.compile(rb"output_text\.delta"),
    "sse": re.compile(rb"output_text\.delta"),
    "chat": re.compile(rb'"content":"[^"]'),
}
ENDS = {
    "ws": (b"response.completed", b"response.incomplete", b"response.failed", b'"type":"error"'),
    "sse": (b"data: [DONE]",),
    "chat": (b"data: [DONE]",),
}
# An event says what it is at its beginning; what is behind may be anyone's words.
HEAD = 96


@dataclass(slots=True)
class Stream:
    """One answer: when it was asked for, and when each piece of it came."""

    asked: float
    times: list[float] = field(default_factory=list[float])
    ended: float = 0.0


class Door(asyncio.Protocol):
    """One connection with some streams on it; `done` when all have ended."""

    def __init__(self, order: dict[str, object], names: list[str]) -> None:
        self.order = order
        self.names = names
        self.streams: dict[bytes, Stream] = {}
        self.done = asyncio.get_running_loop().create_future()
        self.received = 0
        self.frames = 0
        self._left = len(names)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's has the same methods and another parent.
        self.transport = cast("asyncio.Transport", transport)
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("closed before the end"))

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.take(data)

    def ask(self) -> None: ...

    def take(self, data: bytes) -> None: ...

    def came(self, stream: Stream, *, end: bool) -> None:
        now = time.perf_counter()
        if not end:
            stream.times.append(now)
            return
        stream.ended = now
        self._left -= 1
        if not self._left:
            self.done.set_result(None)
            self.transport.close()

    def body(self, name: str) -> dict[str, object]:
        fields = dict(self.order["fields"])  # type: ignore[call-overload]
        return {**fields, "input": f"Tell me a story about {name}."}


class WebSocketDoor(Door):
    """Lanes on one WebSocket; without more than one stream, none."""

    def ask(self) -> None:
        url = urlsplit(str(self.order["url"]))
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET /v1/responses HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"{self.protocol()}\r\n".encode()
        )
        self.buffer = bytearray()
        self.open = False

    def protocol(self) -> str:
        chosen = self.order.get("protocol")
        return f"Sec-WebSocket-Protocol: {chosen}\r\n" if chosen else ""

    def take(self, data: bytes) -> None:
        self.buffer += data
        if not self.open:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            assert self.buffer.startswith(b"HTTP/1.1 101"), bytes(self.buffer[:200])
            del self.buffer[: end + 4]
            self.open = True
            self.create()
        while (frame := self.frame()) is not None:
            self.frames += 1
            self.event(frame)

    def create(self) -> None:
        for index, name in enumerate(self.names):
            lane = f"l{index}" if len(self.names) > 1 else ""
            body = {"type": "response.create", **self.body(name)}
            if lane:
                body["stream_id"] = lane
            self.streams[lane.encode()] = Stream(time.perf_counter())
            self.write(1, json.dumps(body).encode())

    def write(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        # A mask of zeros leaves the payload as it is.
        self.transport.write(head + b"\0\0\0\0" + payload)

    def frame(self) -> memoryview | None:
        """The payload of the next whole text frame; pings are answered on the way."""
        buffer = self.buffer
        while len(buffer) >= 2:
            size, at = buffer[1] & 0x7F, 2
            if size == 126:
                size, at = int.from_bytes(buffer[2:4], "big"), 4
            elif size == 127:
                size, at = int.from_bytes(buffer[2:10], "big"), 10
            if len(buffer) < at + size:
                return None
            opcode, payload = buffer[0] & 0x0F, bytes(buffer[at : at + size])
            del buffer[: at + size]
            if opcode == 1:
                return memoryview(payload)
            if opcode == 9:
                self.write(10, payload)
        return None

    def event(self, frame: memoryview) -> None:
        head = bytes(frame[:HEAD])
        if head.startswith(b"["):
            for part in bytes(frame[1:-1]).split(b'},{"stream_id":'):
                self.single(b'{"stream_id":' + part if not part.startswith(b"{") else part)
        else:
            self.single(bytes(head))

    def single(self, event: bytes) -> None:
        head = event[:HEAD]
        lane = b""
        if head.startswith(b'{"stream_id":"'):
            lane = head[14 : head.index(b'"', 14)]
        stream = self.streams.get(lane)
        if stream is None:
            return
        if DELTA["ws"].search(head):
            self.came(stream, end=False)
        elif any(end in head for end in ENDS["ws"]):
            self.came(stream, end=True)


class HttpDoor(Door):
    """One streamed answer over HTTP."""

    def ask(self) -> None:
        url = urlsplit(str(self.order["url"]))
        kind = str(self.order["door"])
        body = self.body(self.names[0])
        path = "/v1/responses"
        if kind == "chat":
            path = "/v1/chat/completions"
            body["messages"] = [{"role": "user", "content": body.pop("input")}]
            body["max_tokens"] = body.pop("max_output_tokens")
        payload = json.dumps({**body, "stream": True}).encode()
        self.stream = self.streams[b""] = Stream(time.perf_counter())
        self.kind = kind
        self.transport.write(
            f"POST {path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n".encode()
            + payload
        )

    def take(self, data: bytes) -> None:
        self.frames += 1
        if not self.stream.times and not self.stream.ended and b"HTTP/1.1 " in data[:16]:
            assert b"200" in data[:16], data[:400]
        if DELTA[self.kind].search(data):
            self.came(self.stream, end=False)
        if ENDS[self.kind][0] in data:
            self.came(self.stream, end=True)


async def run(order: dict[str, object]) -> dict[str, object]:
    """All streams of the order at once. Times in seconds."""
    url = urlsplit(str(order["url"]))
    count, lanes = int(str(order["streams"])), int(str(order.get("lanes", 1)))
    names = [f"{order.get('salt', 'Ada')} {index}" for index in range(count)]
    made = WebSocketDoor if order["door"] == "ws" else HttpDoor
    doors: list[Door] = []
    loop = asyncio.get_running_loop()
    began, cost = time.perf_counter(), time.process_time()
    for start in range(0, count, lanes):
        door = made(order, names[start : start + lanes])
        doors.append(door)
        await loop.create_connection(lambda door=door: door, url.hostname, url.port)
    await asyncio.gather(*(door.done for door in doors))
    streams = [stream for door in doors for stream in door.streams.values()]
    gaps = [b - a for s in streams for a, b in zip(s.times, s.times[1:], strict=False)]
    return {
        "seconds": max(stream.ended for stream in streams) - began,
        "ttft": statistics.median(s.times[0] - s.asked for s in streams if s.times),
        "gap_p50": quantile(gaps, 0.5),
        "gap_p99": quantile(gaps, 0.99),
        "events": sum(len(stream.times) for stream in streams),
        "frames": sum(door.frames for door in doors),
        "bytes": sum(door.received for door in doors),
        "silent": sum(not stream.times for stream in streams),
        "cpu": time.process_time() - cost,
    }


def quantile(values: list[float], at: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(at * len(ordered)))] if ordered else 0.0


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        while line := sys.stdin.readline():
            print(json.dumps(runner.run(run(json.loads(line)))), flush=True)
