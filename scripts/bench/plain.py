"""The cheapest server of frames that there can be on this event loop: it writes the same bytes to
each of its connections, so many times. What any server of frames must cost at least.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop


class Peer(asyncio.Protocol):
    """A connection that is only written to."""

    def __init__(self, peers: list[asyncio.Transport]) -> None:
        self.peers = peers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.peers.append(transport)  # type: ignore[arg-type]


async def main() -> None:
    loop = asyncio.get_running_loop()
    peers: list[asyncio.Transport] = []
    server = await loop.create_server(lambda: Peer(peers), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        before = time.process_time()
        for _ in range(order["rounds"]):
            frame = bytes(order["size"])
            for peer in peers:
                peer.write(frame)
            await asyncio.sleep(order["every"])
        print(json.dumps({"cpu": time.process_time() - before, "peers": len(peers)}), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
