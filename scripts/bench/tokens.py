"""What a streamed token costs: bare AsyncLLM, `vllm serve` twice, and Tokenwire by each door, under
the same load, taking turns.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import contestants
from contestants import Contestant
from measure import cpu_s, median, publish, ratio, table


# A WebSocket carries at most so many answers at once.
LANES = 16
BARE, SERVE, SERVE_OURS = "bare AsyncLLM", "vllm serve", "vllm serve, our settings"


@dataclass(frozen=True)
class Way:
    """One way to ask a contestant."""

    name: str
    contestant: Contestant
    door: str
    lanes: int = 1


def ways(house: ExitStack, only: str) -> list[Way]:
    def wanted(*names: str) -> bool:
        return not only or any(part in name for part in only.split(",") for name in names)

    found: list[Way] = []
    if wanted(BARE):
        found.append(Way(BARE, contestants.bare(house), ""))
    if wanted(SERVE):
        found.append(Way(SERVE, contestants.vllm_serve_plain(house), "chat"))
    if wanted(SERVE_OURS):
        found.append(Way(SERVE_OURS, contestants.vllm_serve_ours(house), "chat"))
    ours = contestants.tokenwire(house)
    found += [
        Way("Tokenwire, WebSocket lanes", ours, "ws", LANES),
        Way("Tokenwire, a WebSocket each", ours, "ws"),
        Way("Tokenwire, SSE", ours, "sse"),
        Way("Tokenwire, chat completions", ours, "chat"),
    ]
    return [way for way in found if wanted(way.name)]


def measure(way: Way, streams: int, tokens: int, salt: str) -> dict[str, Any]:
    lanes = min(way.lanes, streams)
    before = cpu_s(way.contestant.pid)
    result = way.contestant.load(
        door=way.door, streams=streams, tokens=tokens, lanes=lanes, salt=salt
    )
    spent = cpu_s(way.contestant.pid) - before
    made = streams * tokens
    return result | {"cpu_us": 1e6 * spent / made, "tok_s": made / result["seconds"]}


def run(crowds: list[int], tokens: int, pairs: int, only: str) -> None:
    """One table for each number of concurrent answers."""
    with ExitStack() as house:
        found = ways(house, only)
        for way in found:
            measure(way, LANES, 32, "warm")
        for crowd in crowds:
            got: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for turn, way in itertools.product(range(pairs), found):
                got[way.name].append(measure(way, crowd, tokens, f"{crowd} {turn} {way.name}"))
                print(".", end="", flush=True)
            _publish(crowd, tokens, pairs, got)


def _publish(crowd: int, tokens: int, pairs: int, got: dict[str, list[dict[str, Any]]]) -> None:
    def values(name: str, key: str) -> list[float]:
        return [result[key] for result in got[name]]

    def against(name: str, peer: str, key: str) -> str:
        return f"{ratio(values(name, key), values(peer, key)):.2f}" if peer in got else "-"

    rows = [
        (
            name,
            f"{median(values(name, 'cpu_us')):.1f}",
            against(name, BARE, "cpu_us"),
            against(name, SERVE, "cpu_us"),
            f"{median(values(name, 'tok_s')):.0f}",
            against(name, BARE, "tok_s"),
            against(name, SERVE, "tok_s"),
            against(name, SERVE_OURS, "tok_s"),
            f"{1000 * median(values(name, 'ttft')):.1f}",
            f"{1000 * median(values(name, 'gap_p50')):.0f}",
            f"{1000 * median(values(name, 'gap_p99')):.0f}",
        )
        for name in got
    ]
    head = (
        "",
        "CPU µs/token",
        "/ bare",
        "/ serve",
        "tokens/s",
        "/ bare",
        "/ serve",
        "/ serve, ours",
        "first token ms",
        "gap p50 ms",
        "gap p99 ms",
    )
    note = f"{crowd} answers at once, {tokens} tokens each, medians of {pairs} turns."
    publish(f"tokens {crowd}", f"{note}\n\n{table(head, rows)}", {"got": got})
