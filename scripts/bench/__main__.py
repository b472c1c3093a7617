"""The benches: `scripts/bench WHAT`. Each holds Tokenwire against a peer in the same run, taking
turns, and puts what it found into docs/performance.md. This file is the command line alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import crowd
import life
import past
import tokens

import page


COMMANDS: dict[str, tuple[Callable[..., None], str, dict[str, Any]]] = {
    "tokens": (
        lambda crowds, tokens_each, pairs, only: tokens.run(
            [int(each) for each in crowds.split(",")], tokens_each, pairs, only
        ),
        "what a streamed token costs, by each door",
        {"crowds": "1,16,64,256", "tokens_each": 128, "pairs": 5, "only": ""},
    ),
    "ttft": (life.ttft, "the first token of one client", {"asks": 20, "pairs": 5}),
    "idle": (crowd.idle, "sockets that say nothing", {"count": 5000}),
    "storm": (crowd.storm, "all sockets cut at once", {"count": 1000, "rounds": 5}),
    "fanout": (crowd.fanout, "many readers of one answer", {"count": 500, "pairs": 5}),
    "ceiling": (
        crowd.ceiling,
        "tokens a second through one process",
        {"streams": 64, "tokens": 4096, "pairs": 5},
    ),
    "journal": (crowd.journal, "on disk before on the wire", {"streams": 256, "pairs": 5}),
    "past": (
        past.past,
        "several processes on one engine",
        {"streams": 256, "tokens": 128, "pairs": 5},
    ),
    "start": (life.start, "from the start to ready", {"rounds": 5}),
    "switch": (life.switch, "from one model to another", {"rounds": 5}),
    "recovery": (life.recovery, "an engine killed under streams", {"rounds": 5}),
    "page": (
        page.run,
        "a long answer and a long chat in a browser",
        {"runs": 3, "tokens": 20_000, "rate": 200, "messages": 2_000},
    ),
    "soak": (life.soak, "memory over many answers", {"scripted": 100_000, "real": 2_000}),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, (run, what, options) in COMMANDS.items():
        command = commands.add_parser(name, help=what)
        for option, default in options.items():
            command.add_argument(f"--{option}", type=type(default), default=default)
        command.set_defaults(run=run)
    given = vars(parser.parse_args())
    given.pop("run")(**given)


if __name__ == "__main__":
    main()
