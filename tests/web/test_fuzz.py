"""HTTP, fuzzed: thousands of requests made from the server's own document, right ones and wrong
ones, to a house in a process of its own. Each is answered as described, nothing fails inside, and
the memory stays flat.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast

import httpx
import hypothesis
import hypothesis.strategies as st
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode

from support.opened import Opened, opened
from support.promised import HTTP, SSE, check_exchange, check_streamed
from support.scripted import MODEL


Json = dict[str, Any]
# schemathesis says too little of its types.
Case = Any
Cases = st.SearchStrategy[Case]

ROUNDS = 5
LEAST = 2000
# Cases of one operation in one round: with a body, with parameters, without either.
WITH_BODY, WITH_PARAMETERS, PLAIN = 13, 6, 1
# What a round may leave behind: caches that fill, pages that the allocator keeps.
GROWTH_KIB = 8 * 1024
# To make a body takes long, and that is all right.
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
# It never ends, and takes nothing that could be wrong.
ENDLESS = "/v1/events"
DAMAGE = st.none() | st.tuples(st.integers(0, 1000), st.binary(max_size=3))
SCHEMA: Any = schemathesis.openapi.from_dict(HTTP)


@dataclass(slots=True)
class Visitor:
    """Sends requests to a house, some of them about what is there, and counts the answers."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    known: dict[str, str] = field(default_factory=dict[str, str])

    def settle(self) -> None:
        """Make something that requests can be about."""
        with httpx.Client(base_url=self.url, trust_env=False) as http:
            said = {"items": [{"role": "user", "content": "Hi"}]}
            conversation = http.post("/v1/conversations", json=said).json()["id"]
            asked = {"input": "Hi", "conversation": conversation}
            response = http.post("/v1/responses", json=asked).json()["id"]
            items = http.get(f"/v1/conversations/{conversation}/items").json()
        self.known |= {
            "conversation_id": conversation,
            "conversation": conversation,
            "response_id": response,
            "previous_response_id": response,
            "item_id": items["last_id"],
            "after": items["last_id"],
            "model_id": MODEL,
            "model": MODEL,
        }

    @contextmanager
    def feed(self) -> Generator[None, None, None]:
        """A feed that requests can be about, and another when it has ended."""
        begun, over = Event(), Event()

        def read() -> None:
            # It says nothing for as long as nothing happens.
            with httpx.Client(base_url=self.url, trust_env=False, timeout=60) as http:
                while not over.is_set():
                    with http.stream("GET", ENDLESS) as stream:
                        for line in stream.iter_lines():
                            if '"tokenwire:hello"' in line:
                                told = json.loads(line.removeprefix("data: "))
                                self.known["connection_id"] = told["connection_id"]
                                begun.set()
                            if over.is_set():
                                break

        thread = Thread(target=read)
        thread.start()
        assert begun.wait(10)
        try:
            yield
        finally:
            over.set()
            # News, so that it looks up.
            self.settle()
            thread.join(20)

    def familiar(self, values: Any) -> Any:
        """The same values, but for names, which are those of things that are there."""
        if not isinstance(values, dict):
            return values
        return {
            key: self.known[key] if key in self.known and isinstance(value, str) else value
            for key, value in cast("Json", values).items()
        }

    def visit(self, case: Case, damage: tuple[int, bytes] | None) -> None:
        """Send a case as it was made, then about what is there, then perhaps damaged."""
        self.send(case)
        made = case.path_parameters, case.query, case.body
        case.path_parameters, case.query, case.body = map(self.familiar, made)
        if (case.path_parameters, case.query, case.body) != made:
            self.send(case)
        if damage is not None and case.body:
            self.send(case, damage)

    def send(self, case: Case, damage: tuple[int, bytes] | None = None) -> None:
        sent = self.session.prepare_request(
            requests.Request(**case.as_transport_kwargs(base_url=self.url))
        )
        if damage is not None and isinstance(sent.body, bytes):
            sent.body = damaged(sent.body, *damage)
            sent.headers["Content-Length"] = str(len(sent.body))
        answer = self.session.send(sent, timeout=20)
        try:
            self.check(sent, answer)
        except AssertionError as fault:
            fault.add_note(f"{sent.method} {sent.url}\n{sent.headers}\n{sent.body!r}")
            raise
        self.statuses[f"{sent.method} {case.operation.path}", answer.status_code] += 1
        if sent.method == "DELETE" and answer.ok:
            self.settle()

    def check(self, sent: requests.PreparedRequest, answer: requests.Response) -> None:
        method, path = sent.method or "", httpx.URL(answer.url).path
        assert answer.status_code < 500 or path == "/readyz", answer.text
        kind = answer.headers.get("Content-Type", "")
        check_exchange(method, path, None, answer.status_code, kind, answer.content)
        if kind.startswith(SSE):
            for line in answer.text.splitlines():
                if line.startswith("data: {"):
                    check_streamed(method, path, json.loads(line.removeprefix("data: ")))


def damaged(body: bytes, place: int, other: bytes) -> bytes:
    """A body that something happened to on its way."""
    place %= len(body)
    return body[:place] + other + body[place + 1 :]


def chosen(cases: Cases) -> Cases:
    return cases


def most(operation: Json) -> int:
    if "requestBody" in operation:
        return WITH_BODY
    return WITH_PARAMETERS if operation["parameters"] else PLAIN


def fuzz(visitor: Visitor, method: str, path: str, number: int) -> None:
    """One round of one operation."""
    operation: Any = SCHEMA[path][method]
    right: Cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    examples = most(HTTP["paths"][path][method])
    cases = right
    if examples > PLAIN:
        wrong: Cases = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        cases = st.sampled_from((right, right, wrong)).flatmap(chosen)

    @hypothesis.seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=SLOW,
    )
    @given(case=cases, damage=DAMAGE)
    def run(case: Case, damage: tuple[int, bytes] | None) -> None:
        visitor.visit(case, damage)

    run()


@pytest.mark.timeout(300)
def test_http_holds_whatever_it_is_sent(tmp_path: Path) -> None:
    with opened(tmp_path) as house:
        visitor = Visitor(house.url)
        visitor.session.trust_env = False
        held: list[int] = []
        with visitor.feed():
            for number in range(ROUNDS):
                visitor.settle()
                for path, methods in HTTP["paths"].items():
                    for method in methods:
                        if path != ENDLESS:
                            fuzz(visitor, method, path, number)
                held.append(house.resident_kib)
    statuses = visitor.statuses
    assert sum(statuses.values()) >= LEAST
    assert held[-1] - held[1] < GROWTH_KIB, held
    assert faults_in(house) == []
    # All that has a body was right at least once, or this says little.
    taken = {key for key, status in statuses if status < 300}
    assert taken >= {f"POST {path}" for path, one in HTTP["paths"].items() if "post" in one}


def faults_in(house: Opened) -> list[str]:
    log = house.log.read_text().splitlines()
    return [line for line in log if "[INFO]" not in line and not line.startswith("INFO:")]
