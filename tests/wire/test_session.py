"""One connection without I/O: lanes, limits, cancel, attach, the connection cache and the frames.

The log here is a list with watchers, and a source is a log with a name: no other room is needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire.errors import InvalidRequest, ModelNotFound, ResponseNotFound
from tokenwire.wire.commands import Attach, Cancel, Create
from tokenwire.wire.events import Event
from tokenwire.wire.items import Item
from tokenwire.wire.session import Session, SessionLimits
from tokenwire.wire.steering import Steer


Json = dict[str, object]


class ListLog:
    """An append-only log of events that are nothing but numbers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False
        self.watchers: list[Callable[[], None]] = []

    @property
    def last_sequence_number(self) -> int:
        return len(self.events) - 1

    def after(self, sequence_number: int, most: int | None = None) -> Sequence[Event]:
        first = sequence_number + 1
        return self.events[first : None if most is None else first + most]

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)

    def append(self, name: str, text: str = "") -> None:
        number = len(self.events)
        body = {"type": name, "sequence_number": number, "text": text}
        self.events.append(Event(name, number, json.dumps(body, ensure_ascii=False)))
        for changed in tuple(self.watchers):
            changed()

    def close(self) -> None:
        self.closed = True
        for changed in tuple(self.watchers):
            changed()


@dataclass
class Answer:
    """A response as a session sees it. `items` is its chain where it is not stored."""

    id: str
    items: list[Item] | None = None
    status: str = "in_progress"
    log: ListLog = field(default_factory=ListLog)
    readers: int = 0

    def join(self) -> None:
        self.readers += 1

    def leave(self) -> None:
        self.readers -= 1

    def chain(self) -> list[Item] | None:
        return self.items

    def end(self, status: str = "completed") -> None:
        self.status = status
        self.log.append(f"response.{status}")
        self.log.close()


class Client:
    """A session with its client: what is sent, what is heard, and whether the door was woken."""

    def __init__(self, *, extension: bool = False, **limits: int) -> None:
        self.wakes = 0
        self.session = Session(extension=extension, limits=SessionLimits(**limits), wake=self._wake)

    def _wake(self) -> None:
        self.wakes += 1

    def send(self, kind: str, **fields: object) -> Cancel | Attach | Steer | None:
        return self.session.receive(json.dumps({"type": kind, **fields}))

    def create(self, lane: str | None = None, **fields: object) -> None:
        named = {} if lane is None else {"stream_id": lane}
        self.send("response.create", input="Hi", **named, **fields)

    def next(self) -> Create:
        create = self.session.next_create()
        assert create is not None
        return create

    def start(self, name: str, lane: str | None = None, **fields: object) -> Answer:
        """A create that was accepted at once."""
        self.create(lane, **fields)
        answer = Answer(name)
        self.session.started(self.next(), answer)
        return answer

    def run(
        self, name: str, lane: str | None = None, status: str = "completed", **fields: object
    ) -> None:
        """A create that is not stored, to its end."""
        answer = self.start(name, lane, **fields)
        answer.items = [{"of": name}]
        answer.end(status)
        self.heard()

    def heard(self) -> list[Json]:
        """All events of the frames that can be sent now."""
        events: list[Json] = []
        for frame in self.session.take():
            events += unframed(frame)
        return events

    def refusal(self) -> Json:
        """The one event that can be sent now, an error."""
        (event,) = self.heard()
        assert event["type"] == "error"
        return event


def unframed(frame: str) -> list[Json]:
    """The events of a frame, one or many."""
    return json.loads(frame if frame.startswith("[") else f"[{frame}]")


def code_of(error: Json) -> object:
    details = error["error"]
    assert isinstance(details, dict)
    return details["code"]  # pyright: ignore[reportUnknownVariableType]


def test_a_create_reads_its_response_from_the_first_event() -> None:
    client = Client()
    answer = client.start("resp_1", "a")
    answer.log.append("response.created")
    answer.end()

    assert [(event["sequence_number"], event["stream_id"]) for event in client.heard()] == [
        (0, "a"),
        (1, "a"),
    ]
    assert answer.readers == 0
    assert client.session.idle


def test_without_a_stream_id_events_have_none() -> None:
    client = Client()
    client.start("resp_1").end()

    assert all("stream_id" not in event for event in client.heard())


def test_a_lane_is_first_in_first_out_and_never_overlaps() -> None:
    client = Client()
    for model in ("one", "two", "three"):
        client.create("a", model=model)
    order: list[str | None] = []
    while (create := client.session.next_create()) is not None:
        order.append(create.model)
        assert client.session.next_create() is None
        answer = Answer(f"resp_{create.model}")
        client.session.started(create, answer)
        assert client.session.next_create() is None
        answer.end()
        client.heard()

    assert order == ["one", "two", "three"]


def test_the_default_lane_is_first_in_first_out_too() -> None:
    client = Client()
    client.create(model="one")
    client.create(model="two")
    first = client.next()

    assert first.model == "one"
    assert client.session.next_create() is None


def test_lanes_run_beside_each_other() -> None:
    client = Client()
    first, second = client.start("resp_1", "a"), client.start("resp_2", "b")
    for answer in (first, second, second, first):
        answer.log.append("response.output_text.delta")

    heard = client.heard()

    assert sorted((str(event["stream_id"]), event["sequence_number"]) for event in heard) == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
        ("b", 1),
    ]


def test_a_lane_that_became_free_wakes_the_door_for_the_create_behind() -> None:
    client = Client()
    answer = client.start("resp_1", "a")
    client.create("a")
    answer.end()
    client.wakes = 0
    client.heard()

    assert client.wakes > 0
    assert client.session.next_create() is not None


def test_16_responses_run_at_once_and_the_17th_waits() -> None:
    client = Client()
    answers = [client.start(f"resp_{n}", f"lane{n}") for n in range(16)]
    client.create("lane16")

    assert client.session.next_create() is None
    answers[3].end()
    client.heard()
    assert client.next().stream_id == "lane16"


def test_the_33rd_named_lane_is_refused_and_the_default_lane_is_not_counted() -> None:
    client = Client()
    client.create()
    for n in range(33):
        client.create(f"lane{n}")

    error = client.refusal()
    assert code_of(error) == "websocket_stream_limit_reached"
    assert (error["status"], error["stream_id"]) == (400, "lane32")


def test_a_lane_that_was_used_stays_one_of_the_32() -> None:
    client = Client(max_lanes=1)
    client.start("resp_1", "a").end()
    client.heard()
    client.start("resp_2", "a").end()
    client.heard()
    client.create("b")

    assert code_of(client.refusal()) == "websocket_stream_limit_reached"


def test_a_65th_waiting_create_is_refused_until_one_has_started() -> None:
    client = Client()
    client.start("resp_1", "a")
    for _ in range(65):
        client.create("a")

    error = client.refusal()
    assert code_of(error) == "rate_limit_exceeded"
    assert (error["status"], error["stream_id"]) == (429, "a")


@pytest.mark.parametrize("lane", ["a b", "", "ä", "x" * 257])
def test_a_bad_stream_id_is_refused_on_that_lane(lane: str) -> None:
    client = Client()
    client.create(lane)

    error = client.refusal()
    assert (code_of(error), error["stream_id"]) == ("invalid_stream_id", lane)
    assert client.session.next_create() is None


@pytest.mark.parametrize("text", ["{", "[]", '{"type":"nonsense"}', '{"type":"response.create"}'])
def test_a_frame_that_is_wrong_leaves_the_lanes_running(text: str) -> None:
    client = Client()
    answer = client.start("resp_1", "a")
    client.session.receive(text)
    answer.end()

    assert [event["type"] for event in client.heard()] == ["error", "response.completed"]


def test_an_unknown_event_is_answered_on_its_lane() -> None:
    client = Client()
    client.send("response.nonsense", stream_id="a")

    error = client.refusal()
    assert (code_of(error), error["status"], error["stream_id"]) == ("unknown_event_type", 400, "a")


def test_only_frames_that_are_no_json_count_as_malformed() -> None:
    client = Client()
    client.send("nonsense")
    client.session.receive("{")
    client.session.receive("[" * 100_000)

    assert client.session.refused_json == 2


def test_a_create_that_was_refused_says_why_on_its_lane_which_is_free_again() -> None:
    client = Client()
    client.create("a")
    client.session.failed(client.next(), ModelNotFound("No such model.", param="model"))

    assert client.refusal() == {
        "type": "error",
        "sequence_number": 0,
        "status": 404,
        "stream_id": "a",
        "error": {
            "message": "No such model.",
            "type": "not_found_error",
            "code": "model_not_found",
            "param": "model",
        },
    }
    client.create("a")
    assert client.session.next_create() is not None


def test_events_of_no_log_are_numbered_by_the_connection() -> None:
    client = Client(extension=True)
    client.start("resp_1", "a").log.append("response.created")
    client.send("tokenwire:ping", t=7)
    client.send("nonsense")

    heard = {str(event["type"]): event["sequence_number"] for event in client.heard()}
    assert heard == {"tokenwire:pong": 0, "error": 1, "response.created": 0}


@pytest.mark.parametrize("t", [5, 1.5, "x", None])
def test_a_ping_is_answered_with_what_it_said(t: object) -> None:
    client = Client(extension=True)
    client.send("tokenwire:ping", t=t)

    assert client.heard()[0]["t"] == t


def test_a_cancel_that_names_a_response_is_for_the_door() -> None:
    assert Client().send("response.cancel", response_id="resp_9") == Cancel(response_id="resp_9")


def test_a_cancel_that_names_a_lane_means_what_runs_there() -> None:
    client = Client()
    client.start("resp_1", "a")
    client.start("resp_2")

    assert client.send("response.cancel", stream_id="a") == Cancel(
        response_id="resp_1", stream_id="a"
    )
    assert client.send("response.cancel") == Cancel(response_id="resp_2")


def test_a_cancel_right_behind_its_create_cancels_it() -> None:
    client = Client()
    client.send("response.create", stream_id="a", input="Hi")
    assert client.send("response.cancel", stream_id="a") is None
    create = client.session.next_create()
    assert create is not None
    assert client.session.started(create, Answer("resp_1")) == Cancel(
        response_id="resp_1", stream_id="a"
    )


def test_a_long_log_is_taken_piece_by_piece() -> None:
    client = Client(max_batch=3)
    answer = client.start("resp_1")
    for number in range(7):
        answer.log.append(f"event {number}")
    taken = list[int]()
    while frames := client.session.take():
        taken.append(len(frames))
    assert taken == [3, 3, 1]


def test_a_cancel_on_a_lane_where_nothing_runs_is_refused() -> None:
    client = Client()
    client.start("resp_1", "a").end()
    client.heard()

    assert client.send("response.cancel", stream_id="a") is None
    assert code_of(client.refusal()) == "response_not_found"


def test_an_attach_reads_what_lies_after_the_position() -> None:
    client = Client(extension=True)
    answer = Answer("resp_1")
    for _ in range(5):
        answer.log.append("response.output_text.delta")
    command = client.send(
        "tokenwire:response.attach", response_id="resp_1", starting_after=2, stream_id="a"
    )
    assert isinstance(command, Attach)
    client.session.attach(command, answer)

    first, *rest = client.heard()
    assert first == {
        "type": "tokenwire:response.attached",
        "sequence_number": 0,
        "stream_id": "a",
        "response_id": "resp_1",
        "status": "in_progress",
        "last_sequence_number": 4,
    }
    assert [event["sequence_number"] for event in rest] == [3, 4]
    assert answer.readers == 1


def test_an_attach_at_the_end_of_a_response_that_ended_frees_the_lane_at_once() -> None:
    client = Client(extension=True)
    answer = Answer("resp_1")
    answer.end()
    client.session.attach(Attach(response_id="resp_1", starting_after=0, stream_id="a"), answer)

    assert [event["type"] for event in client.heard()] == ["tokenwire:response.attached"]
    assert client.session.idle


def delta(answer: Answer, text: str) -> None:
    number = len(answer.log.events)
    body = {"type": "response.output_text.delta", "sequence_number": number, "delta": text}
    answer.log.events.append(Event(str(body["type"]), number, json.dumps(body), text))


def test_a_snapshot_is_all_text_in_one_event_and_then_the_log() -> None:
    client, answer = Client(), Answer("resp_1")
    answer.log.append("response.created")
    for text in ("a", "b", "c"):
        delta(answer, text)
    answer.log.append("response.in_progress")
    command = Attach(response_id="resp_1", mode="snapshot", stream_id="a")
    client.session.attach(command, answer)
    attached, *events = client.heard()

    assert attached["last_sequence_number"] == 4
    assert [event["sequence_number"] for event in events] == [0, 3, 4]
    assert events[1]["delta"] == "abc"
    assert {event["stream_id"] for event in events} == {"a"}
    delta(answer, "d")
    answer.end()
    assert [event["sequence_number"] for event in client.heard()] == [5, 6]


def test_a_snapshot_of_what_has_no_text_yet_is_the_log() -> None:
    client, answer = Client(), Answer("resp_1")
    client.session.attach(Attach(response_id="resp_1", mode="snapshot", stream_id="a"), answer)
    answer.log.append("response.created")
    answer.log.append("response.in_progress")
    assert [event["sequence_number"] for event in client.heard()[1:]] == [0, 1]


@given(st.lists(st.sampled_from(["delta", "other"])), st.integers(0, 20))
def test_who_joins_by_snapshot_at_any_moment_has_the_whole_text(
    steps: list[str], joined: int
) -> None:
    client, answer = Client(), Answer("resp_1")
    for index, step in enumerate([*steps, "end"]):
        if index == min(joined, len(steps)):
            command = Attach(response_id="resp_1", mode="snapshot", stream_id="a")
            client.session.attach(command, answer)
        if step == "delta":
            delta(answer, f"{index} ")
        elif step == "end":
            answer.end()
        else:
            answer.log.append("response.in_progress")
    events = [event for event in client.heard() if "stream_id" in event][1:]
    whole = "".join(event.delta for event in answer.log.events)
    numbers = [int(str(event["sequence_number"])) for event in events]
    assert "".join(str(event.get("delta", "")) for event in events) == whole
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == answer.log.last_sequence_number


def test_an_attach_on_a_busy_lane_is_refused() -> None:
    client = Client(extension=True)
    client.start("resp_1", "a")

    with pytest.raises(InvalidRequest):
        client.session.attach(Attach(response_id="resp_2", stream_id="a"), Answer("resp_2"))


def test_an_attach_on_a_lane_whose_create_is_being_accepted_is_refused() -> None:
    client = Client(extension=True)
    client.create("a")
    client.next()

    with pytest.raises(InvalidRequest):
        client.session.attach(Attach(response_id="resp_2", stream_id="a"), Answer("resp_2"))


def test_a_detach_stops_reading_and_the_response_goes_on() -> None:
    client = Client(extension=True)
    answer = client.start("resp_1", "a")
    client.send("tokenwire:response.detach", stream_id="a")
    answer.log.append("response.created")

    assert client.heard() == []
    assert (answer.readers, answer.log.watchers) == (0, [])


def test_what_waits_behind_a_detached_response_is_started_without_another_word() -> None:
    client = Client(extension=True)
    client.start("one", "a")
    client.create("a")
    client.session.take()
    wakes = client.wakes
    client.send("tokenwire:response.detach", stream_id="a")
    assert client.wakes > wakes
    assert client.next().stream_id == "a"


def test_a_detach_where_nothing_is_read_is_refused() -> None:
    client = Client(extension=True)
    client.send("tokenwire:response.detach", stream_id="a")

    assert code_of(client.refusal()) == "response_not_found"


def test_a_connection_that_is_gone_reads_nothing_and_starts_nothing() -> None:
    client = Client()
    answers = [client.start("resp_1", "a"), client.start("resp_2")]
    client.create("a")
    client.session.close()

    assert [answer.readers for answer in answers] == [0, 0]
    assert [answer.log.watchers for answer in answers] == [[], []]
    assert client.session.next_create() is None


def test_a_session_is_idle_when_no_lane_reads_starts_or_waits() -> None:
    client = Client()
    assert client.session.idle
    client.create("a")
    assert not client.session.idle
    create = client.next()
    assert not client.session.idle
    answer = Answer("resp_1")
    client.session.started(create, answer)
    assert not client.session.idle
    answer.end()
    client.heard()
    assert client.session.idle


# The connection cache of responses that are not stored


def test_a_response_that_is_not_stored_is_remembered_by_the_connection() -> None:
    client = Client()
    client.run("resp_1", "a")

    assert client.session.cached("resp_1") == [{"of": "resp_1"}]
    assert client.session.cached("resp_2") is None


def test_a_response_that_is_stored_is_not_remembered_by_the_connection() -> None:
    client = Client()
    client.start("resp_1").end()
    client.heard()

    assert client.session.cached("resp_1") is None


def test_a_response_that_was_cut_can_be_continued_but_one_that_failed_can_not() -> None:
    client = Client()
    client.run("resp_1", status="incomplete")
    client.run("resp_2", status="failed")

    assert client.session.cached("resp_1") is not None
    assert client.session.cached("resp_2") is None


def test_the_connection_forgets_what_was_used_longest_ago() -> None:
    client = Client(max_cached=2)
    client.run("resp_1")
    client.run("resp_2")
    client.session.cached("resp_1")
    client.run("resp_3")

    known = [name for name in ("resp_1", "resp_2", "resp_3") if client.session.cached(name)]
    assert known == ["resp_1", "resp_3"]


def test_a_continuation_that_is_refused_evicts_its_parent_on_the_same_lane() -> None:
    client = Client()
    client.run("resp_1", "a")
    client.create("a", previous_response_id="resp_1")
    client.session.failed(client.next(), ModelNotFound("No."))

    assert client.session.cached("resp_1") is None


def test_a_continuation_that_fails_evicts_its_parent_on_the_same_lane() -> None:
    client = Client()
    client.run("resp_1", "a")
    client.run("resp_2", "a", status="failed", previous_response_id="resp_1")

    assert client.session.cached("resp_1") is None


def test_a_continuation_that_can_not_be_read_evicts_its_parent_on_the_same_lane() -> None:
    client = Client()
    client.run("resp_1", "a")
    wrong = [{"type": "function_call_output", "call_id": "none"}]
    client.send("response.create", stream_id="a", previous_response_id="resp_1", input=wrong)

    assert client.refusal()["stream_id"] == "a"
    assert client.session.cached("resp_1") is None


def test_a_fork_that_fails_on_another_lane_keeps_the_parent() -> None:
    client = Client()
    client.run("resp_1", "a")
    client.create("b", previous_response_id="resp_1")
    client.session.failed(client.next(), ModelNotFound("No."))
    client.run("resp_2", "b", status="failed", previous_response_id="resp_1")
    client.send("response.create", stream_id="b", previous_response_id="resp_1", input=5)

    assert client.session.cached("resp_1") is not None


def test_a_continuation_that_succeeds_keeps_its_parent() -> None:
    client = Client()
    client.run("resp_1", "a")
    client.run("resp_2", "a", previous_response_id="resp_1")

    assert client.session.cached("resp_1") is not None


# Frames


def test_a_standard_frame_is_one_event() -> None:
    client = Client()
    answer = client.start("resp_1")
    for _ in range(3):
        answer.log.append("response.output_text.delta")

    assert [isinstance(json.loads(frame), dict) for frame in client.session.take()] == [True] * 3


def test_a_page_frame_is_all_that_was_ready() -> None:
    client = Client(extension=True)
    answer = client.start("resp_1", "a")
    for _ in range(3):
        answer.log.append("response.output_text.delta")
    client.send("tokenwire:ping", t=1)

    (frame,) = client.session.take()
    assert len(json.loads(frame)) == 4


def test_a_page_frame_of_one_event_is_that_event() -> None:
    client = Client(extension=True)
    client.send("tokenwire:ping", t=1)

    (frame,) = client.session.take()
    assert json.loads(frame)["type"] == "tokenwire:pong"


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(["", "x" * 30, "é" * 40, "日本" * 30, "👋" * 25]), max_size=30))
def test_a_page_frame_of_several_events_keeps_to_its_bound_in_bytes(texts: list[str]) -> None:
    client = Client(extension=True, max_frame_bytes=512)
    answer = client.start("resp_1", "a")
    for text in texts:
        answer.log.append("response.output_text.delta", text)

    frames = client.session.take()

    heard: list[Json] = []
    for frame in frames:
        events = unframed(frame)
        heard += events
        assert len(events) == 1 or len(frame.encode()) <= 512
    assert [event["text"] for event in heard] == texts


def test_an_event_that_is_larger_than_a_frame_goes_alone() -> None:
    client = Client(extension=True, max_frame_bytes=100)
    answer = client.start("resp_1", "a")
    for text in ("", "x" * 500, ""):
        answer.log.append("response.output_text.delta", text)

    assert len(client.session.take()) == 3


LANES = ("a", "b", None)
STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "take", "end", "create"]), st.sampled_from(LANES)),
    max_size=80,
)


@settings(deadline=None, max_examples=200)
@given(STEPS, st.booleans())
def test_any_interleaving_delivers_each_log_once_and_in_order(
    steps: list[tuple[str, str | None]], extension: bool
) -> None:
    client = Client(extension=extension, max_frame_bytes=200)
    running: dict[str | None, Answer] = {}
    written: dict[str | None, list[int]] = {lane: [] for lane in LANES}
    heard: dict[str | None, list[int]] = {lane: [] for lane in LANES}

    def take() -> None:
        for event in client.heard():
            lane, number = event.get("stream_id"), event["sequence_number"]
            assert isinstance(lane, str | None)
            assert isinstance(number, int)
            heard[lane].append(number)

    def begin() -> None:
        while (create := client.session.next_create()) is not None:
            answer = running[create.stream_id] = Answer("resp")
            client.session.started(create, answer)

    for step, lane in [*steps, *(("end", lane) for lane in LANES), ("take", None)]:
        answer = running.get(lane)
        if step == "create":
            client.create(lane)
        elif step == "append" and answer and not answer.log.closed:
            written[lane].append(len(answer.log.events))
            answer.log.append("response.output_text.delta")
        elif step == "end" and answer and not answer.log.closed:
            written[lane].append(len(answer.log.events))
            answer.end()
        elif step == "take":
            take()
        begin()
    take()

    assert heard == written


def test_what_cannot_be_found_to_attach_is_said_on_its_lane() -> None:
    client = Client(extension=True)
    client.session.refuse(ResponseNotFound("None.", param="response_id"), "a")

    error = client.refusal()
    assert (error["status"], error["stream_id"]) == (404, "a")


def test_a_lane_is_held_for_one_response_and_an_older_one_does_not_free_it() -> None:
    client = Client(extension=True)
    session = client.session
    old = client.start("resp_1", "a")
    session.hold("a", old.id)
    client.send("tokenwire:response.detach", stream_id="a")
    new = client.start("resp_2", "a")
    session.hold("a", new.id)
    client.create("a", model="waits")
    new.end()
    client.heard()

    session.release("a", old.id)
    assert session.next_create() is None
    follower = Answer("resp_3")
    create = Create(input=[], stream_id="a")
    assert session.follow("a", old.id, create, Answer("resp_x")) is None
    session.follow("a", new.id, create, follower)
    follower.end()
    assert [event["stream_id"] for event in client.heard()] == ["a"]
    assert client.next().model == "waits"


def test_what_is_told_of_an_older_response_does_not_wait_for_the_lane() -> None:
    client = Client(extension=True)
    told: list[str] = []
    first = client.start("resp_1", "a")
    client.session.hold("a", first.id)
    client.session.after_read("a", first.id, lambda: told.append("first"))
    client.session.after_read("a", "resp_0", lambda: told.append("older"))
    assert told == ["older"]
    first.end()
    client.heard()
    assert told == ["older", "first"]
