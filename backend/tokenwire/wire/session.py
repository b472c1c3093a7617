"""One connection of Responses WebSocket mode, without I/O: lanes, cursors, limits, the connection
cache.

Frames come in by `receive`, frames go out by `take`; between them the session says which create
is next. It refuses to know sockets, tasks and who generates: a log is anything that can be read
after a position.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tokenwire.errors import (
    InvalidJson,
    InvalidRequest,
    RateLimited,
    ResponseNotFound,
    StreamLimitReached,
    TokenwireError,
)
from tokenwire.wire.commands import (
    Attach,
    Cancel,
    Command,
    Create,
    Detach,
    Ignored,
    Ping,
    parse_frame,
    read_refused,
)
from tokenwire.wire.frames import framed
from tokenwire.wire.kept import snapshot
from tokenwire.wire.lanes import Lane, Source
from tokenwire.wire.steering import Steer


if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenwire.wire.items import Item


_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The bounds of one connection."""

    max_in_flight: int = 16
    max_lanes: int = 32
    max_waiting: int = 64
    max_cached: int = 64
    max_frame_bytes: int = 65_536
    max_unsent: int = 1024
    max_batch: int = 256


class Session:
    """One connection. `wake` is called when there may be something to send or to start."""

    def __init__(self, *, extension: bool, limits: SessionLimits, wake: Callable[[], None]) -> None:
        self.extension = extension
        self._limits = limits
        self._wake = wake
        self._lanes: dict[str | None, Lane] = {}
        self._outbox: list[str] = []
        self._changed: dict[str | None, Lane] = {}
        self._cache: OrderedDict[str, tuple[str | None, list[Item]]] = OrderedDict()
        self._number = 0
        # Creates that wait, if only for their lanes.
        self.waiting = 0
        self.refused_json = 0

    # What comes in

    def receive(self, text: str) -> Cancel | Attach | Steer | None:
        """Take one frame. Returns what the door must do; creates wait for `next_create`.

        A frame that is wrong is answered with an error event; the connection stays usable.
        """
        try:
            return self._accept(parse_frame(text, extension=self.extension))
        except TokenwireError as error:
            self.refused_json += isinstance(error, InvalidJson)
            refused = read_refused(text)
            if refused.parent_id is not None:
                self._evict(refused.stream_id, refused.parent_id)
            self.refuse(error, refused.stream_id)
            return None

    def _accept(self, command: Command) -> Cancel | Attach | Steer | None:
        match command:
            case Create():
                self._enqueue(command)
            case Cancel():
                return self._resolve_cancel(command)
            case Attach() | Steer():
                return command
            case Detach():
                self._detach(command.stream_id)
            case Ping():
                self.say("tokenwire:pong", t=command.t)
            case Ignored():
                pass
        return None

    def _enqueue(self, create: Create) -> None:
        lane = self._lane(create.stream_id)
        if self.waiting >= self._limits.max_waiting:
            raise RateLimited(
                f"{self._limits.max_waiting} requests already wait on this connection."
            )
        lane.waiting.append(create)
        self.waiting += 1
        self._wake()

    def _resolve_cancel(self, command: Cancel) -> Cancel | None:
        if command.response_id is not None:
            return command
        lane = self._lanes.get(command.stream_id)
        if lane is not None and lane.source is None and (lane.busy or lane.waiting):
            # It has no id yet: `started` says that it is to be cancelled.
            lane.cancelled = True
            return None
        if lane is None or lane.source is None:
            raise ResponseNotFound("Nothing runs on this lane.", param="response_id")
        return Cancel(response_id=lane.source.id, stream_id=command.stream_id)

    def _detach(self, stream_id: str | None) -> None:
        lane = self._lanes.get(stream_id)
        if lane is None or lane.source is None:
            raise ResponseNotFound("Nothing is read on this lane.", param="stream_id")
        lane.held = None
        self._free(lane)

    # What runs

    def next_create(self) -> Create | None:
        """The next create whose lane is free, its lane now taken; None while all are busy."""
        if not self.waiting:
            return None
        if sum(lane.busy for lane in self._lanes.values()) >= self._limits.max_in_flight:
            return None
        for lane in self._lanes.values():
            if lane.waiting and not lane.busy:
                lane.starting = True
                lane.create = lane.waiting.popleft()
                self.waiting -= 1
                return lane.create
        return None

    def started(self, create: Create, source: Source) -> Cancel | None:
        """The create was accepted: its lane reads `source` from the first event.

        Returns the cancel that came while it was being accepted.
        """
        lane = self._lanes[create.stream_id]
        lane.starting = False
        return self._begin(lane, source)

    def _begin(self, lane: Lane, source: Source) -> Cancel | None:
        self._read(lane, source, -1)
        if not lane.cancelled:
            return None
        lane.cancelled = False
        return Cancel(response_id=source.id, stream_id=lane.name)

    def failed(self, create: Create, error: TokenwireError) -> None:
        """The create was refused: say so on its lane, which is free again."""
        lane = self._lanes[create.stream_id]
        lane.starting = lane.cancelled = False
        self._evict(lane.name, create.parent_id)
        lane.create = None
        self.refuse(error, create.stream_id)

    def attach(self, command: Attach, source: Source) -> None:
        """Read `source` on a lane from after the position that the client has."""
        lane = self._lane(command.stream_id)
        if lane.busy:
            raise InvalidRequest("This lane is reading another response.", param="stream_id")
        self.say(
            "tokenwire:response.attached",
            **_on(command.stream_id),
            response_id=source.id,
            status=source.status,
            last_sequence_number=source.log.last_sequence_number,
        )
        self._read(lane, source, command.starting_after)
        if command.mode == "snapshot":
            lane.ahead = snapshot(source.log.after(-1))
            lane.cursor = lane.ahead[-1].sequence_number if lane.ahead else -1

    def lane_of(self, response_id: str) -> str | None:
        """The lane that reads a response. Raises ResponseNotFound."""
        for lane in self._lanes.values():
            if lane.source is not None and lane.source.id == response_id:
                return lane.name
        raise ResponseNotFound(
            f"Response {response_id!r} is not being read on this connection.",
            param="previous_response_id",
        )

    def hold(self, stream_id: str | None, response_id: str) -> None:
        """Keep a lane for what follows the response that it reads."""
        self._lanes[stream_id].held = response_id

    def after_read(self, stream_id: str | None, response_id: str, then: Callable[[], None]) -> None:
        """Call `then` when a lane that is held for a response has read it to the end."""
        lane = self._lanes[stream_id]
        if lane.source is not None and lane.source.id == response_id == lane.held:
            lane.then.append(then)
        else:
            then()

    def follow(
        self, stream_id: str | None, response_id: str, create: Create, source: Source
    ) -> Cancel | None:
        """A lane that is held for a response reads what follows it; one that was left doesn't.
        Returns the cancel that came in between.
        """
        lane = self._lanes[stream_id]
        if lane.held != response_id:
            return None
        lane.held, lane.create = None, create
        return self._begin(lane, source)

    def release(self, stream_id: str | None, response_id: str) -> None:
        """Nothing follows the response: the lane is free for others."""
        lane = self._lanes[stream_id]
        if lane.held == response_id:
            lane.held, lane.cancelled = None, False
            self._wake()

    def cached(self, response_id: str) -> list[Item] | None:
        """The items of an earlier response of this connection that was not stored."""
        if (entry := self._cache.get(response_id)) is None:
            return None
        self._cache.move_to_end(response_id)
        return entry[1]

    # What goes out

    def say(self, kind: str, **fields: object) -> None:
        """Send an event that belongs to no log."""
        self._outbox.append(
            _encode({"type": kind, "sequence_number": self._number, **fields}).decode()
        )
        self._number += 1
        self._wake()

    def refuse(self, error: TokenwireError, stream_id: str | None) -> None:
        """Send an error event. Without its stream_id an SDK would give it to the default lane."""
        self.say("error", status=error.ending.status, **_on(stream_id), error=error.body())

    def take(self) -> list[str]:
        """The frames that can be sent now; `wake` is called where a lane has more."""
        events, self._outbox = self._outbox, []
        changed, self._changed = self._changed, {}
        for lane in changed.values():
            events += self._take_lane(lane)
        if not self.extension or len(events) < 2:
            return events
        return framed(events, self._limits.max_frame_bytes)

    @property
    def overfull(self) -> bool:
        """Whether the client makes us say more than it reads."""
        return len(self._outbox) > self._limits.max_unsent

    @property
    def idle(self) -> bool:
        """Whether no lane reads, starts or waits."""
        return not self._outbox and not any(
            lane.busy or lane.waiting for lane in self._lanes.values()
        )

    def close(self) -> None:
        """The connection is gone: stop reading, and know it no more."""
        self._wake = _nothing
        for lane in self._lanes.values():
            self.waiting -= len(lane.waiting)
            lane.waiting.clear()
            lane.held = None
            self._free(lane)
        # Whoever still has a word for this connection must not keep all that.
        self._outbox.clear()
        self._changed.clear()
        self._cache.clear()

    def _lane(self, name: str | None) -> Lane:
        if (lane := self._lanes.get(name)) is not None:
            return lane
        if name is not None and sum(n is not None for n in self._lanes) >= self._limits.max_lanes:
            raise StreamLimitReached(
                f"A connection has at most {self._limits.max_lanes} named lanes.", param="stream_id"
            )
        lane = self._lanes[name] = Lane(name)
        return lane

    def _read(self, lane: Lane, source: Source, after: int) -> None:
        source.join()
        lane.source, lane.log, lane.cursor = source, source.log, after
        lane.unwatch = lane.log.watch(partial(self._mark, lane))
        self._mark(lane)

    def _mark(self, lane: Lane) -> None:
        self._changed[lane.name] = lane
        self._wake()

    def _take_lane(self, lane: Lane) -> list[str]:
        if (log := lane.log) is None:
            return []
        events = log.after(lane.cursor, self._limits.max_batch)
        if events:
            lane.cursor = events[-1].sequence_number
        if lane.ahead:
            events, lane.ahead = [*lane.ahead, *events], ()
        if lane.cursor < log.last_sequence_number:
            self._mark(lane)
        elif log.closed and lane.source is not None:
            self._ended(lane, lane.source)
        return [event.on_lane(lane.name) for event in events]

    def _ended(self, lane: Lane, source: Source) -> None:
        if source.status == "failed":
            self._evict(lane.name, lane.create.parent_id if lane.create else None)
        elif (chain := source.chain()) is not None:
            self._cache[source.id] = (lane.name, chain)
            while len(self._cache) > self._limits.max_cached:
                self._cache.popitem(last=False)
        self._free(lane)

    def _evict(self, lane: str | None, parent: str | None) -> None:
        # A failed continuation on its parent's own lane evicts the parent; a failed fork does not.
        if parent in self._cache and self._cache[parent][0] == lane:
            del self._cache[parent]

    def _free(self, lane: Lane) -> None:
        if lane.unwatch is not None:
            lane.unwatch()
        if lane.source is not None:
            lane.source.leave()
        lane.source, lane.log, lane.unwatch, lane.create, lane.ahead = None, None, None, None, ()
        told, lane.then = lane.then, []
        for then in told:
            then()
        if self.waiting:
            self._wake()


def _on(stream_id: str | None) -> dict[str, str]:
    return {"stream_id": stream_id} if stream_id is not None else {}


def _nothing() -> None: ...
