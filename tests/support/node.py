"""Runs a file of node tests against a server, and shows what node said when one fails."""

from __future__ import annotations

import os
import subprocess

from support.server import ROOT


def run_node_tests(
    *files: str, url: str | None = None, seconds: float = 300, **variables: str
) -> str:
    """Run `node --test` on files of the project, with these environment variables. Raises
    AssertionError with its output.
    """
    environment = {**os.environ, **({"TOKENWIRE_URL": url} if url else {}), **variables}
    done = subprocess.run(
        ["node", "--test", "--test-reporter=spec", *files],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "fail 0" in output, output
    assert "pass 0" not in output, output
    return output
