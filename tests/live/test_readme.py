"""Runs the code blocks of README.md against the real server, and holds its table against the
settings.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from support.server import ROOT, Server
from tokenwire.config import Model, Settings, load_settings


README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
# Of clients that are no part of the test packages; what is written there was tried by hand.
NEEDING = re.findall(r"^```(\w+) needs=([\w,-]+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
WRITTEN = "127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    return [body for name, body in BLOCKS if name == language]


def run(command: list[str], server: Server, source: str, **options: str) -> str:
    assert WRITTEN in source
    done = subprocess.run(
        [*command, source.replace(WRITTEN, server.url.removeprefix("http://"))],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=ROOT,
        env={**os.environ, **options},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.live
@pytest.mark.timeout(120)
@pytest.mark.parametrize("source", [block for block in blocks("bash") if "curl" in block])
def test_the_curl_lines_stream_an_answer(server: Server, source: str) -> None:
    output = run(["bash", "-euo", "pipefail", "-c"], server, source)
    assert "event: response.output_text.delta" in output
    assert "event: response.completed" in output
    assert "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20" in output
    assert output.endswith("data: [DONE]\n\n")
    if "starting_after=0" in source:
        assert re.findall(r'"sequence_number":(\d+)', output)[0] == "1"


@pytest.mark.live
@pytest.mark.timeout(120)
def test_the_terminal_lines_answer(server: Server) -> None:
    (source,) = (block for block in blocks("bash") if "curl" not in block)
    text, response = run(["bash", "-euo", "pipefail", "-c"], server, source).splitlines()
    assert text.startswith("1, 2, 3, 4, 5, 6, 7, 8, 9, 10")
    assert json.loads(response)["status"] == "completed"


@pytest.mark.live
@pytest.mark.timeout(120)
@pytest.mark.parametrize("source", blocks("python"))
def test_the_python_blocks_run(server: Server, source: str) -> None:
    output = run([sys.executable, "-c"], server, source)
    if "connect()" in source:
        assert {line.split(":")[0] for line in output.splitlines()} == {"one", "two", "three"}
    elif "schema" in source:
        assert json.loads(output)["color"] in ("red", "green", "blue")
    else:
        assert ("1, 2, 3, 4, 5" if "anthropic" in source else "Ada") in output


@pytest.mark.live
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("module", "source"), [(needs, body) for name, needs, body in NEEDING if name == "python"]
)
def test_the_blocks_of_other_clients_run_where_those_are_installed(
    server: Server, module: str, source: str
) -> None:
    compile(source, "README.md", "exec")
    pytest.importorskip(module)
    assert "1, 2, 3, 4, 5" in run([sys.executable, "-c"], server, source)


@pytest.mark.live
@pytest.mark.timeout(120)
def test_the_browser_block_runs(server: Server, tmp_path: Path) -> None:
    (source,) = blocks("js")
    # Node 20 has no WebSocket of its own; `ws` has the browser's interface.
    given = 'import WebSocket from "ws";\n' + source
    output = run(["node", "--input-type=module", "-e"], server, given)
    assert output.strip()


def test_every_setting_is_in_the_table() -> None:
    rows = re.findall(r"^\| (`[^|]*) \| [^|]* \| [^|]* \|$", README, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {setting.name for setting in msgspec.structs.fields(Settings)}


def test_the_two_commands_are_there() -> None:
    for command in blocks("sh"):
        assert os.access(ROOT / command.strip(), os.X_OK)


def test_every_block_is_of_a_language_that_is_run() -> None:
    assert {name for name, _ in BLOCKS} == {"sh", "bash", "python", "js", "toml"}


def test_the_settings_of_a_model_are_settings(tmp_path: Path) -> None:
    (source,) = blocks("toml")
    file = tmp_path / "settings.toml"
    # Also what stands there for those who need it.
    file.write_text(source.replace("# path", "path"))
    (model,) = load_settings({}, {}, file).models.values()
    shown = {name for name in msgspec.structs.asdict(model) if f"{name} = " in source}
    assert shown == {field.name for field in msgspec.structs.fields(Model)}


def test_what_other_clients_are_told_names_this_server() -> None:
    assert NEEDING
    assert README.count("```") == 2 * (len(BLOCKS) + len(NEEDING))
    assert all(WRITTEN in body for _, _, body in NEEDING)
