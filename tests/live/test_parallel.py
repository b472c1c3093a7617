"""A model that is spread over two processes by the settings file alone, each layer or one after the
other: it says what it says in one, goes on after a death, and leaves nothing behind. The real
server, with the real engine."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest

from support.model import make_model
from support.server import Server, descendants, start_server, wait_gone


pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

SETTINGS = """
model = "one"
max_loaded_models = 2

[engine_args]
# What several ranks add up in another order would else differ where two tokens are as likely.
dtype = "float32"

[models.tensor]
engine_args = {tensor_parallel_size = 2}
environment = {VLLM_CPU_OMP_THREADS_BIND = "0|1"}

[models.pipeline]
engine_args = {pipeline_parallel_size = 2}
environment = {VLLM_CPU_OMP_THREADS_BIND = "0|1"}
"""
TOKENS = 40
KINDS: dict[str, dict[str, object]] = {
    "greedy": {"temperature": 0},
    "seeded": {"temperature": 1, "seed": 7},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    folder = tmp_path_factory.mktemp("parallel")
    make_model(folder / "data" / "models" / "one")
    for name in ("tensor", "pipeline"):
        (folder / "data" / "models" / name).symlink_to(folder / "data" / "models" / "one")
    (folder / "settings.toml").write_text(SETTINGS)
    running = start_server(folder / "data", f"--config={folder / 'settings.toml'}")
    try:
        running.wait_ready()
        yield running
    finally:
        left = descendants(running.pid)
        running.stop()
        assert not wait_gone(left, 10)


def pieces(server: Server, model: str, kind: str) -> Iterator[str]:
    """An answer, as it comes."""
    create = {
        "model": model,
        "input": "Tell me of the sea.",
        "max_output_tokens": TOKENS,
        "ignore_eos": True,
        "stream": True,
        **KINDS[kind],
    }
    url = f"{server.url}/v1/responses"
    with httpx.Client(timeout=120, trust_env=False) as client:
        with client.stream("POST", url, json=create) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    event = json.loads(line.removeprefix("data: "))
                    assert event["type"] != "response.failed", event
                    if event["type"] == "response.output_text.delta":
                        yield event["delta"]


def shared(pid: int) -> list[str]:
    """The memory that a rank has in common with the others, as the kernel names it."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return [line.split(maxsplit=5)[5] for line in lines if "/dev/shm/vllm_dist_" in line]


def workers(server: Server, name: str) -> list[int]:
    """The processes of the ranks of a model, in their order."""
    return sorted(pid for pid in descendants(server.pid) if f"Worker_{name}" in title(pid))


def title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


@pytest.fixture(scope="module")
def alone(server: Server) -> dict[str, str]:
    """What one process says."""
    answers = {kind: "".join(pieces(server, "one", kind)) for kind in KINDS}
    assert len(set(answers.values())) == len(KINDS)
    return answers


@pytest.mark.parametrize(("model", "name"), [("tensor", "TP"), ("pipeline", "PP")])
def test_two_ranks_say_what_one_says_also_after_a_death(
    model: str, name: str, server: Server, alone: dict[str, str]
) -> None:
    assert {kind: "".join(pieces(server, model, kind)) for kind in KINDS} == alone

    for kind in KINDS:
        ranks = workers(server, name)
        assert [os.sched_getaffinity(pid) for pid in ranks] == [{0}, {1}]
        # What has no name any more goes with those who have it.
        names = [name for pid in ranks for name in shared(pid)]
        assert names
        assert all(name.endswith(" (deleted)") for name in names)
        answer = pieces(server, model, kind)
        begun = next(answer)
        os.kill(parent(ranks[0]), signal.SIGKILL)
        assert not wait_gone(ranks, 3)
        assert begun + "".join(answer) == alone[kind]
        assert len(begun) < len(alone[kind])
        assert not set(workers(server, name)) & set(ranks)
