"""The real server is killed under a client, and another one goes on where it was."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from support.server import start_server
from support.terminal import start_script


@pytest.mark.live
@pytest.mark.timeout(180)
async def test_a_stored_answer_goes_on_after_kill_9_of_the_server(tmp_path: Path) -> None:
    server = await asyncio.to_thread(start_server, tmp_path / "data")
    try:
        await asyncio.to_thread(server.wait_ready)
        process = await start_script("run", "Count to 200.", "--store", "--url", server.url)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.close()
        begun = await process.stdout.readuntil(b"20, ")
        server.kill()
        away = await process.stderr.readline()
        port = urlsplit(server.url).port
        server = await asyncio.to_thread(start_server, tmp_path / "data", f"--port={port}")
        rest, errors = await process.communicate()
        assert away == b"tokenwire: The server went away; waiting for it.\n"
        assert (process.returncode, errors) == (0, b"")
        with closing(sqlite3.connect(tmp_path / "data" / "tokenwire.db")) as connection:
            ((response_id,),) = connection.execute("SELECT id FROM response")
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            kept = (await http.get(f"/v1/responses/{response_id}")).json()
        assert (begun + rest).decode() == kept["output"][0]["content"][0]["text"] + "\n"
        assert kept["tokenwire"]["taken_up"] == 1
    finally:
        await asyncio.to_thread(server.stop)
