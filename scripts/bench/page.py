"""The page in a real browser (`page.mjs`), before a real server with a scripted engine: a long
answer that streams, and a long chat that is opened. This file makes the server and the chat, and
the table; what happens in the browser it refuses to know.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import prose
from contestants import HERE
from measure import publish, spread, table

from support.server import start_server


Json = dict[str, Any]
RUN_S = 600
SHORT = (40, 120, 240, 400)
KINDS = 60


def run(runs: int, tokens: int, rate: int, messages: int) -> None:
    """`tokens` of one answer at `rate` a second, and a chat of so many messages."""
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "data", Path(folder) / "script.json"
        script.write_text(json.dumps(answers(tokens)))
        with served(data, script, 0) as url:
            chat = long_chat(url, messages)
        with served(data, script, 1 / rate) as url:
            streamed = [_each_second(measured("stream", url), tokens) for _ in range(runs)]
            opened = [measured("chat", url, chat, str(messages // 2)) for _ in range(runs)]
    _publish(streamed, opened, tokens, rate, messages)


def answers(tokens: int) -> list[list[str]]:
    """What the scripted engine says: the long answer, then those of the chat."""
    writer = prose.Writer(1)
    return [
        writer.answer(tokens)[:tokens],
        *(writer.answer(SHORT[number % len(SHORT)]) for number in range(KINDS)),
    ]


@contextmanager
def served(data: Path, script: Path, step_s: float) -> Generator[str]:
    server = start_server(
        data,
        program=(str(HERE / "scripted.py"),),
        environment={"BENCH_STEP_S": str(step_s), "BENCH_SCRIPT": str(script)},
    )
    try:
        server.wait_ready()
        yield server.url
    finally:
        server.stop()


def long_chat(url: str, messages: int) -> str:
    """Its id. Each exchange is two messages, made by the server itself."""
    writer = prose.Writer(2)
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        made = client.post("/v1/conversations", json={"title": "A long chat"}).json()["id"]
        for number in range(messages // 2):
            question = f"{writer.question()} {1 + number % KINDS}"
            body = {"model": "tokenwire-demo", "input": question, "conversation": made}
            client.post("/v1/responses", json=body).raise_for_status()
    return made


def measured(what: str, *arguments: str) -> Json:
    """What one visit found; the browser is a new one each time."""
    done = subprocess.run(
        ["node", str(HERE / "page.mjs"), what, *arguments],
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"page.mjs failed:\n{done.stdout}{done.stderr}")
    print(".", end="", flush=True)
    return json.loads(done.stdout)


def _each_second(visit: Json, tokens: int) -> Json:
    """With what comes of it for a second."""
    seconds = visit["seconds"]
    return visit | {
        "script_each": visit["script_s"] / seconds,
        "layout_each": visit["layout_s"] / seconds,
        "rate": tokens / seconds,
    }


def _publish(
    streamed: list[Json], opened: list[Json], tokens: int, rate: int, messages: int
) -> None:
    head = ("", "found", "bound")
    stream = [
        ("long tasks (over 50 ms) while it streams", _of(streamed, "long_tasks"), "0"),
        ("frames missed", _of(streamed, "missed_share", 100, " %"), "< 1 %"),
        ("of these before it begins", _of(streamed, "calm.missed_share", 100, " %"), ""),
        ("script for a token, last third / first third", _of(streamed, "growth"), "<= 1.3"),
        ("script, of a second", _of(streamed, "script_each", 1000, " ms"), ""),
        ("style and layout, of a second", _of(streamed, "layout_each", 1000, " ms"), ""),
        ("the main thread is busy", _of(streamed, "busy", 100, " %"), ""),
        ("tokens a second, as they came", _of(streamed, "rate"), ""),
    ]
    chat = [
        ("first text after the click in the list", _of(opened, "opened_ms", 1, " ms"), "< 500 ms"),
        ("first text after its address, nothing cached", _of(opened, "link.ms", 1, " ms"), ""),
        ("all of it is in the page after", _of(opened, "whole_ms", 1, " ms"), ""),
        ("longest task of that", _of(opened, "opening.longest_task_ms", 1, " ms"), ""),
        (
            "longest task while it is scrolled to its top",
            _of(opened, "scrolled.longest_task_ms", 1, " ms"),
            "<= 100 ms",
        ),
        ("the same by the Home key", _of(opened, "jump.longest_task_ms", 1, " ms"), "<= 100 ms"),
        ("requests; kB fetched", _fetched(opened[-1]), ""),
        ("core scripts, gzipped", f"{opened[-1]['core_bytes']:,} B", "<= 45,000 B"),
    ]
    text = (
        f"{tokens:,} tokens of one answer at {rate} a second, in Chromium"
        f" {streamed[-1]['chromium']}.\n"
        f"\n{table(head, stream)}\n\nA chat of {messages:,} messages.\n\n{table(head, chat)}"
    )
    publish("page", text, {"streamed": streamed, "opened": opened})


def _of(visits: list[Json], name: str, scale: float = 1, unit: str = "") -> str:
    """A number of each visit: the median, and from where to where."""
    return spread([scale * _number(visit, name) for visit in visits]) + unit


def _number(visit: Json, name: str) -> float:
    value: Any = visit
    for part in name.split("."):
        value = value[part]
    return float(value)


def _fetched(visit: Json) -> str:
    sizes = [size for _, size in visit["fetched"]]
    return f"{len(sizes)}; {sum(sizes) / 1000:,.0f}"
