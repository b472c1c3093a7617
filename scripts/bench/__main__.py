"""The benches: `scripts/bench WHAT`. Each holds Tokenwire against a peer in the same run, taking
turns, and puts what it found into docs/performance.md. This file is the command line alone.
"""

from __future__ import annotations

import argparse

import tokens


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("tokens", help="what a streamed token costs, by each door")
    command.add_argument("--crowds", default="1,16,64,256", help="answers at once")
    command.add_argument("--tokens", type=int, default=128, help="tokens of each answer")
    command.add_argument("--pairs", type=int, default=5, help="turns of each")
    command.add_argument("--only", default="", help="only ways whose name has one of these, a,b")
    command.set_defaults(
        run=lambda given: tokens.run(
            [int(crowd) for crowd in given.crowds.split(",")], given.tokens, given.pairs, given.only
        )
    )
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
