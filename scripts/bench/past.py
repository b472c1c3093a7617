"""Past one process: how the work beside the engine divides when several processes share one engine,
by vLLM's own means (`host.py`). Of AsyncLLM alone, as no server of ours is built so yet.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from contestants import Result, let_behind, script
from measure import cpu_s, publish, ratio, spread, table

from support.server import descendants


COUNTS = (1, 2)


class Clients:
    """So many AsyncLLM on one engine, each a process."""

    def __init__(self, house: ExitStack, count: int) -> None:
        folder = house.enter_context(tempfile.TemporaryDirectory())
        host = script(house, "host.py", folder, str(count))
        self._clients = [
            script(house, "bare.py", folder, str(index), str(count)) for index in range(count)
        ]
        for each in (host, *self._clients):
            each.wait_ready()
        let_behind(descendants(host.pid))

    def load(self, streams: int, tokens: int, salt: str) -> Result:
        """The answers, divided evenly. `busiest` and `all`: microseconds of CPU for each token of
        all answers, in the process that has most and in all but the engine.
        """
        share = streams // len(self._clients)

        def one(index: int) -> tuple[float, float]:
            client = self._clients[index]
            before = cpu_s(client.pid)
            fields = {"streams": share, "tokens": tokens, "salt": f"{salt} {index}"}
            result = client.load(door="", lanes=0, **fields)
            return cpu_s(client.pid) - before, result["seconds"]

        with ThreadPoolExecutor(len(self._clients)) as pool:
            spent, took = zip(*pool.map(one, range(len(self._clients))), strict=True)
        made = share * len(self._clients) * tokens
        return {
            "tok_s": made / max(took),
            "busiest": 1e6 * max(spent) / made,
            "all": 1e6 * sum(spent) / made,
        }


def past(streams: int, tokens: int, pairs: int) -> None:
    got: dict[int, list[Result]] = {count: [] for count in COUNTS}
    with ExitStack() as house:
        found = {count: Clients(house, count) for count in COUNTS}
        for clients in found.values():
            clients.load(16, 32, "warm")
        for turn in range(pairs):
            for count, clients in found.items():
                got[count].append(clients.load(streams, tokens, f"{turn}"))
                print(".", end="", flush=True)

    def values(count: int, key: str) -> list[float]:
        return [result[key] for result in got[count]]

    rows = [
        (
            count,
            spread(values(count, "busiest")),
            f"{ratio(values(count, 'busiest'), values(1, 'busiest')):.2f}",
            spread(values(count, "all")),
            f"{ratio(values(count, 'all'), values(1, 'all')):.2f}",
            f"{ratio(values(count, 'tok_s'), values(1, 'tok_s')):.2f}",
        )
        for count in COUNTS
    ]
    head = (
        "processes on the engine",
        "CPU µs/token, the busiest",
        "/ one process",
        "all of them",
        "/ one process",
        "tokens/s, / one process",
    )
    note = f"{streams} answers at once, {tokens} tokens each, medians of {pairs} turns."
    publish("past", f"{note}\n\n{table(head, rows)}", {"got": got})
