"""Runs inside the engine-core process: dies with the server, reports the loading stages, installs
the hooks; and sees to the processes of a model that is spread over several.

vLLM finds the executors by their dotted paths. This file refuses to know the server: it speaks
to it by datagrams to a socket whose path comes in the environment or in `additional_config`, and
a report that can't be sent is dropped, so progress never breaks a load.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false, reportUnusedImport=false, reportPrivateImportUsage=false

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from vllm.distributed.parallel_state import get_pp_group
from vllm.model_executor.model_loader.default_loader import DefaultModelLoader
from vllm.platforms import current_platform
from vllm.utils.ompmultiprocessing import OMPProcessManager
from vllm.v1.engine.core import EngineCoreProc
from vllm.v1.executor.abstract import Executor
from vllm.v1.executor.multiproc_executor import MultiprocExecutor, WorkerProc
from vllm.v1.executor.uniproc_executor import UniProcExecutor

from tokenwire.engine.cores import FILE as CORES_FILE
from tokenwire.engine.cores import Share
from tokenwire.engine.environment import ENVIRONMENT_KEY
from tokenwire.engine.hooks import install_hooks
from tokenwire.engine.progress import FAILED, PROGRESS_KEY


if TYPE_CHECKING:
    from collections.abc import Generator

    from vllm.config import ModelConfig, VllmConfig


REPORT_EVERY_S = 0.1
START_METHOD = "VLLM_WORKER_MULTIPROC_METHOD"
# Of an error's text: some list every architecture there is, and a datagram has an end.
FAILURE_CHARS = 4000

# vLLM's worker takes it from torch when its threads are bound to cores, which ours are not.
_set_num_threads = torch.set_num_threads

_NUMBER = re.compile(r"\.\d+\b")

# The process that watches: one that is forked from it does not.
_watching = 0


def die_with_server() -> None:
    """Kill this process when the one that started it is gone, however it went: the server or, of a
    worker, the engine process.

    PR_SET_PDEATHSIG does not do under a forkserver (the parent is the forkserver, and a living
    child keeps that alive); the sentinel of the parent process is a pipe that only the parent
    holds, and the siblings that were forked from it later, which go first.
    """
    global _watching
    parent = multiprocessing.parent_process()
    if _watching == os.getpid() or parent is None:
        return
    _watching = os.getpid()

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="server-watch").start()


class _Reporter:
    """Sends stages to the server; drops what can't be sent."""

    # One of the workers tells how far all are.
    silent: ClassVar[bool] = False

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if path else None
        if self._socket is not None:
            self._socket.settimeout(0)

    def __call__(self, stage: str, **values: object) -> None:
        if not self.silent:
            self._send({"stage": stage, **values})

    def failed(self, error: Exception) -> None:
        text = str(error)[:FAILURE_CHARS]
        self._send({FAILED: {"type": type(error).__name__, "text": text}})

    def _send(self, message: dict[str, object]) -> None:
        if self._socket is None or self._path is None:
            return
        try:
            self._socket.sendto(json.dumps(message).encode(), self._path)
        except OSError:
            return


def _reporter(config: VllmConfig) -> _Reporter:
    extra = config.additional_config
    path = extra.get(PROGRESS_KEY) if isinstance(extra, dict) else None
    return _Reporter(path if isinstance(path, str) else None)


def _tell_failures(process: Any) -> None:
    """Let a process that can't start tell the server why: vLLM tells its log alone."""
    original = process.__init__

    @functools.wraps(original)
    def init(self: Any, vllm_config: VllmConfig, *args: Any, **kwargs: Any) -> None:
        try:
            original(self, vllm_config, *args, **kwargs)
        except Exception as error:
            _reporter(vllm_config).failed(error)
            raise

    process.__init__ = init


def _watch_loading(report: _Reporter) -> None:
    """In the process that loads the weights."""
    _count_weight_bytes(report)
    _miss_weights()


def _miss_weights() -> None:
    """Let a load fail that leaves a weight as the memory was: vLLM accepts that in every layer that
    could be quantized.
    """
    original = DefaultModelLoader.track_weights_loading

    def track(
        self: DefaultModelLoader,
        model: torch.nn.Module,
        loaded_weights: set[str] | None,
        quantized: bool = False,  # noqa: FBT001, FBT002 - vLLM's signature
    ) -> None:
        names = {name for name, _ in model.named_parameters()}
        if torn := torn_weights(names, loaded_weights or set()):
            raise ValueError(f"Following weights were not initialized from checkpoint: {torn}")
        original(self, model, loaded_weights, quantized)

    DefaultModelLoader.track_weights_loading = track


def torn_weights(wanted: set[str], loaded: set[str]) -> set[str]:
    """Those of `wanted` that were not loaded, while another layer's of the same name was: what no
    checkpoint has, a model makes itself.
    """
    kinds = {_NUMBER.sub(".*", name) for name in loaded}
    return {name for name in wanted - loaded if _NUMBER.sub(".*", name) in kinds}


def _count_weight_bytes(report: _Reporter) -> None:
    original = DefaultModelLoader.get_all_weights

    def counted(
        self: DefaultModelLoader, model_config: ModelConfig, model: torch.nn.Module
    ) -> Generator[tuple[str, torch.Tensor], None, None]:
        done, told = 0, 0.0
        for name, tensor in original(self, model_config, model):
            done += tensor.numel() * tensor.element_size()
            if (now := time.monotonic()) - told >= REPORT_EVERY_S:
                told = now
                report("weights", done=done)
            yield name, tensor
        report("weights", done=done)

    DefaultModelLoader.get_all_weights = counted


class _WatchedExecutor(Executor):
    """What our executors do around vLLM's own stages."""

    def _init_executor(self) -> None:
        die_with_server()
        install_hooks()
        self._report = _reporter(self.vllm_config)
        self._report("init_device")
        super()._init_executor()  # pyright: ignore[reportAbstractUsage] - it is vLLM's, by the class

    def determine_available_memory(self) -> list[int]:
        self._report("profile")
        return super().determine_available_memory()

    def initialize_from_config(self, kv_cache_configs: list[Any]) -> Any:
        self._report("kv_alloc")
        return super().initialize_from_config(kv_cache_configs)

    def compile_or_warm_up_model(self) -> Any:
        self._report("warmup")
        return super().compile_or_warm_up_model()


class TokenwireExecutor(_WatchedExecutor, UniProcExecutor):
    """vLLM's single-process executor with our stages around its own."""

    def _init_executor(self) -> None:
        _watch_loading(_reporter(self.vllm_config))
        super()._init_executor()
        self._share = Share(os.environ.get(CORES_FILE), torch.get_num_threads())

    def execute_model(self, *args: Any, **kwargs: Any) -> Any:
        if self._share.changed():
            _set_num_threads(self._share.threads)
        return super().execute_model(*args, **kwargs)


class TokenwireParallelExecutor(_WatchedExecutor, MultiprocExecutor):
    """vLLM's executor of a process for each rank, with the same."""

    def _init_executor(self) -> None:
        if current_platform.is_cpu():
            # A fork of this process has all that it has imported, and its hooks: it is there at
            # once. vLLM asks for a fresh one, which imports everything again.
            extra: Any = self.vllm_config.additional_config
            os.environ[START_METHOD] = extra[ENVIRONMENT_KEY].get(START_METHOD, "fork")
        WorkerProc.worker_main = staticmethod(run_worker)
        super()._init_executor()
        if current_platform.is_cpu():
            self.collective_rpc(_unname_shared_memory)
            self.collective_rpc(_make_room_for_input)


_run_worker = WorkerProc.worker_main


def run_worker(*args: Any, **kwargs: Any) -> None:
    """A rank's process. A spawned one finds this by its name, and with it all that this file does
    as it is imported.
    """
    config: VllmConfig = kwargs["vllm_config"]
    die_with_server()
    _Reporter.silent = kwargs["rank"] > 0
    _watch_loading(_reporter(config))
    if current_platform.is_cpu():
        _bind(config, kwargs["local_rank"])
    _run_worker(*args, **kwargs)


def _unname_shared_memory(_: object) -> None:
    """In a worker, when all have opened what they share: without its name it goes with them,
    however they end. vLLM would leave it for good.
    """
    if ident := os.environ.get("VLLM_DIST_IDENT"):
        for segment in Path("/dev/shm").glob(f"{ident}-*"):
            segment.unlink(missing_ok=True)


def _make_room_for_input(worker: Any) -> None:
    """In a worker: the memory that a later stage of a pipeline takes its input in. vLLM makes it as
    it warms up, which it leaves out on a CPU that compiles nothing.
    """
    runner = worker.model_runner
    if not get_pp_group().is_first_rank:
        runner.intermediate_tensors = runner.model.make_empty_intermediate_tensors(
            batch_size=runner.max_num_tokens, dtype=runner.model_config.dtype, device=runner.device
        )


def _bind(config: VllmConfig, local_rank: int) -> None:
    """Give a worker its cores. vLLM does by variables that OpenMP reads when it is loaded, which in
    a forked process it is.
    """
    if cores := OMPProcessManager(config).cpu_lists:
        os.sched_setaffinity(0, cores[local_rank])
        torch.set_num_threads(len(cores[local_rank]))


# At the import: in a process that vLLM has spawned, nothing of ours runs before it.
_tell_failures(EngineCoreProc)
_tell_failures(WorkerProc)
