"""Imported by the forkserver only: everything heavy that an engine process needs, loaded once and
shared.

Every engine is then born from this template in seconds. This file also makes each engine process
die with the server from its first moment. It refuses to know which model will run.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false, reportUnusedImport=false, reportPrivateImportUsage=false

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

# Imported for the processes that are forked from this one.
import torch._dynamo
import transformers.models.auto  # noqa: F401
import vllm.model_executor.model_loader.default_loader
import vllm.model_executor.models.llama
import vllm.v1.engine.async_llm
import vllm.v1.executor.uniproc_executor
from vllm.platforms import current_platform
from vllm.v1.engine.core import EngineCoreProc

from tokenwire.engine import executor, hooks
from tokenwire.engine.arguments import CPU_NICE
from tokenwire.engine.environment import take_environment


if TYPE_CHECKING:
    from collections.abc import Callable


if current_platform.is_cpu():
    import vllm.v1.attention.backends.cpu_attn
    import vllm.v1.worker.cpu_worker  # noqa: F401


def _own_process(run: Callable[..., Any]) -> Callable[..., Any]:
    # wraps() keeps __qualname__ and __module__: multiprocessing pickles the target by that name.
    @functools.wraps(run)
    def run_engine_core(*args: Any, **kwargs: Any) -> Any:
        # A group of its own, so that Ctrl-C in the terminal reaches the server, which drains first.
        os.setpgid(0, 0)
        executor.die_with_server()
        if current_platform.is_cpu():
            # It computes on every core. What the server has to do for a token is short, and a
            # reader waits for it: it goes first.
            os.nice(CPU_NICE)
        own = take_environment(kwargs["vllm_config"].additional_config)
        if threads := own.get("OMP_NUM_THREADS"):
            # OpenMP has read it when it was loaded, which was in the forkserver.
            torch.set_num_threads(int(threads))
        return run(*args, **kwargs)

    return run_engine_core


EngineCoreProc.run_engine_core = staticmethod(_own_process(EngineCoreProc.run_engine_core))
hooks.install_hooks()
