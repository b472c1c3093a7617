"""The servers that are measured, each a process of its own with the same model: bare AsyncLLM,
`vllm serve` in two ways, and Tokenwire. All are up at once, so that runs can take turns.

It knows how each is started and asked. It refuses to know what is measured.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx


ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "backend")]

from support.server import descendants, start_server, wait_gone  # noqa: E402
from tokenwire.engine.arguments import CPU_NICE, cpu_dtype  # noqa: E402
from tokenwire.engine.catalogue import describe  # noqa: E402


HERE = Path(__file__).parent
MODEL = ROOT / "backend" / "tokenwire" / "demo_model"
KV_BYTES = 256 << 20
START_S = 240
Result = dict[str, Any]


class Contestant:
    """One server. `pid` is the process whose cost counts; its engine is a child of it."""

    def __init__(
        self, process: subprocess.Popen[str], url: str, data_dir: Path | None = None
    ) -> None:
        self.data_dir = data_dir
        self.process = process
        self.url = url
        self.pid = process.pid
        self._client = Client()

    def load(
        self, *, door: str, streams: int, tokens: int, lanes: int, salt: str, **more: object
    ) -> Result:
        """Run one load, with `more` fields in its requests, and wait for its end."""
        fields: dict[str, Any] = {
            **more,
            "model": "tokenwire-demo",
            "max_output_tokens": tokens,
            "ignore_eos": True,
            "temperature": 0,
        }
        order = {"url": self.url, "door": door, "streams": streams, "lanes": lanes}
        return self._client.ask({**order, "fields": fields, "salt": salt})

    def stop(self) -> None:
        self._client.stop()
        left = descendants(self.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        for pid in wait_gone(left, 5):
            os.kill(pid, signal.SIGKILL)


class Client:
    """A process that asks (`load.py`), started with the first order."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, order: Result) -> Result:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, str(HERE / "load.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return ask(self._process, order)

    def stop(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=10)


def ask(process: subprocess.Popen[str], order: Result) -> Result:
    """What a process says to an order, both lines of JSON."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    if not (line := process.stdout.readline()):
        raise RuntimeError("the process that was asked has ended")
    return json.loads(line)


class Script(Contestant):
    """A script of ours that takes orders on its stdin and says "ready" first."""

    def load(
        self, *, door: str, streams: int, tokens: int, lanes: int, salt: str, **more: object
    ) -> Result:
        del door, lanes, more
        return ask(self.process, {"streams": streams, "tokens": tokens, "salt": salt})

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{self.process.args} did not start")

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        super().stop()


def script(house: ExitStack, name: str, *arguments: str) -> Script:
    process = subprocess.Popen(
        [sys.executable, str(HERE / name), str(MODEL), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=_log(house),
        text=True,
        env=_environment(),
    )
    contestant = Script(process, "")
    house.callback(contestant.stop)
    return contestant


def bare(house: ExitStack) -> Contestant:
    """AsyncLLM in a script, with the engine settings of Tokenwire."""
    contestant = script(house, "bare.py")
    contestant.wait_ready()
    let_behind(descendants(contestant.pid))
    return contestant


def let_behind(pids: Sequence[int]) -> None:
    """Let engines go behind, as Tokenwire's does: it is one of its settings."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), CPU_NICE)


def vllm_serve(house: ExitStack, *options: str, **environment: str) -> Contestant:
    """`vllm serve`, as a machine without GPU starts it."""
    port = _free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(MODEL), "--served-model-name", "tokenwire-demo"]
    command += ["--host", "127.0.0.1", "--port", str(port), *options]
    log = _log(house)
    process = subprocess.Popen(
        command, stdout=log, stderr=log, text=True, env=_environment() | environment
    )
    contestant = Contestant(process, f"http://127.0.0.1:{port}")
    house.callback(contestant.stop)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{contestant.url}/health", trust_env=False).status_code == 200:
                return contestant
        except httpx.TransportError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError(f"vllm serve did not start: {Path(log.name).read_text()[-2000:]}")


def vllm_serve_plain(house: ExitStack) -> Contestant:
    """`vllm serve` with nothing but the model. It takes 92 % of the memory unless it is told."""
    return vllm_serve(house, "--gpu-memory-utilization=0.1")


def vllm_serve_ours(house: ExitStack) -> Contestant:
    """`vllm serve` with the engine settings of Tokenwire, as far as it takes them."""
    settings = {
        "dtype": cpu_dtype(describe(MODEL, "m")),
        "max-model-len": 2048,
        "max-num-batched-tokens": 2048,
        "max-num-seqs": 256,
        "block-size": 32,
        "kv-cache-memory-bytes": KV_BYTES,
        "scheduling-policy": "priority",
        "distributed-executor-backend": "uni",
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    return vllm_serve(
        house,
        "--enforce-eager",
        *options,
        VLLM_ENABLE_V1_MULTIPROCESSING="0",
        OMP_NUM_THREADS=str(len(os.sched_getaffinity(0))),
    )


def tokenwire(house: ExitStack, *options: str) -> Contestant:
    folder = house.enter_context(tempfile.TemporaryDirectory())
    server = start_server(Path(folder) / "data", *options)
    contestant = Contestant(server.process, server.url, server.data_dir)
    house.callback(contestant.stop)
    server.wait_ready()
    return contestant


def scripted(
    house: ExitStack,
    *,
    step_s: float,
    adaptive: bool = True,
    delays: Path | None = None,
    **settings: object,
) -> Contestant:
    """Tokenwire with a scripted engine that makes a step each `step_s`, 0 for as fast as it can.
    `adaptive`: tokens come a few together under load. `delays`: where it writes how long events
    waited for the journal. `settings` are as in the settings file.
    """
    folder = house.enter_context(tempfile.TemporaryDirectory())
    named = {f"TOKENWIRE_{name.upper()}": str(value) for name, value in settings.items()}
    server = start_server(
        Path(folder) / "data",
        program=(str(HERE / "scripted.py"),),
        environment={
            "BENCH_STEP_S": str(step_s),
            "BENCH_INTERVAL": str(int(adaptive)),
            "BENCH_DELAYS": str(delays or ""),
            **named,
        },
    )
    contestant = Contestant(server.process, server.url, server.data_dir)
    house.callback(contestant.stop)
    server.wait_ready()
    return contestant


def python(*arguments: str) -> str:
    """What a Python with Tokenwire's modules says on its error stream."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def _environment() -> dict[str, str]:
    quiet = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    return {**os.environ, **quiet, "PYTHONPATH": str(ROOT / "backend")}


def _log(house: ExitStack) -> Any:
    return house.enter_context(tempfile.NamedTemporaryFile("w", suffix=".log"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
