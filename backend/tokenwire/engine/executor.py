"""Runs inside the engine-core process: dies with the server, reports the loading stages, installs
the hooks.

vLLM finds `TokenwireExecutor` by its dotted path. This file refuses to know the server: it speaks
to it by datagrams to a socket whose path comes in the environment or in `additional_config`, and
a report that can't be sent is dropped, so progress never breaks a load.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false, reportUnusedImport=false, reportPrivateImportUsage=false

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from vllm.model_executor.model_loader.default_loader import DefaultModelLoader
from vllm.v1.executor.uniproc_executor import UniProcExecutor

from tokenwire.engine.hooks import install_hooks
from tokenwire.engine.progress import PROGRESS_KEY


if TYPE_CHECKING:
    from collections.abc import Generator

    import torch
    from vllm.config import ModelConfig


REPORT_EVERY_S = 0.1

_watching = False


def die_with_server() -> None:
    """Kill this process when the server is gone, however it went.

    PR_SET_PDEATHSIG does not do under a forkserver (the parent is the forkserver, and a living
    child keeps that alive); the sentinel of the parent process is a pipe that only the server
    holds.
    """
    global _watching
    parent = multiprocessing.parent_process()
    if _watching or parent is None:
        return
    _watching = True

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="server-watch").start()


class _Reporter:
    """Sends stages to the server; drops what can't be sent."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if path else None
        if self._socket is not None:
            self._socket.settimeout(0)

    def __call__(self, stage: str, **values: object) -> None:
        if self._socket is None or self._path is None:
            return
        try:
            self._socket.sendto(json.dumps({"stage": stage, **values}).encode(), self._path)
        except OSError:
            return


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


class TokenwireExecutor(UniProcExecutor):
    """vLLM's single-process executor with our stages around its own."""

    def _init_executor(self) -> None:
        die_with_server()
        install_hooks()
        extra = self.vllm_config.additional_config
        path = extra.get(PROGRESS_KEY) if isinstance(extra, dict) else None
        self._report = _Reporter(path if isinstance(path, str) else None)
        _count_weight_bytes(self._report)
        self._report("init_device")
        super()._init_executor()

    def determine_available_memory(self) -> list[int]:
        self._report("profile")
        return super().determine_available_memory()

    def initialize_from_config(self, kv_cache_configs: list[Any]) -> Any:
        self._report("kv_alloc")
        return super().initialize_from_config(kv_cache_configs)

    def compile_or_warm_up_model(self) -> Any:
        self._report("warmup")
        return super().compile_or_warm_up_model()
