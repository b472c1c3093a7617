"""AsyncLLM behind the Engine protocol: start an engine process, render a chat, stream an answer,
end it.

With recovery.py, executor.py, parsing.py and preload.py the only importer of vLLM. It refuses to
know users, responses and sockets. The import itself takes six seconds, so it happens inside
`start`, in a thread.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false, reportUnusedImport=false, reportPrivateImportUsage=false

from __future__ import annotations

import asyncio
import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tokenwire.engine.base import (
    Delta,
    EngineLimits,
    FinishReason,
    ModelInfo,
    Prompt,
    Resume,
    Sampling,
    Stage,
)
from tokenwire.engine.environment import is_cpu_build
from tokenwire.engine.progress import MIB, PROGRESS_KEY, LoadingProgress
from tokenwire.errors import ContextLengthExceeded, EngineDead, InvalidRequest, ModelUnavailable


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from vllm import SamplingParams
    from vllm.config import VllmConfig
    from vllm.v1.engine.async_llm import AsyncLLM


log = logging.getLogger(__name__)

EXECUTOR = "tokenwire.engine.executor.TokenwireExecutor"
CPU_KV_TOKENS = 65_536
CPU_MAX_CONTEXT = 32_768
SHUTDOWN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How to start engines. `max_running` requests at once; `engine_args` go to AsyncEngineArgs
    as they are.
    """

    run_dir: Path
    max_running: int = 256
    max_model_len: int | None = None
    kv_cache_bytes: int | None = None
    engine_args: dict[str, Any] = field(default_factory=dict[str, Any])


class VllmEngines:
    """Starts engines. Owns the one thread that engine processes are started and ended in."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._started = 0

    def preimport(self) -> None:
        """Begin to import vLLM in the engine thread, so that the first start finds it done."""
        self._thread.submit(_import_vllm)

    async def start(self, info: ModelInfo, on_stage: Callable[[Stage], None]) -> VllmEngine:
        """Start an engine process for `info` and wait until it can generate.

        `on_stage` is called on the event loop. Raises ModelUnavailable with a sentence for a
        person.
        """
        loop = asyncio.get_running_loop()
        self._started += 1
        path = self._options.run_dir / f"progress-{self._started}"
        on_stage(Stage("importing", detail="Loading vLLM"))
        with LoadingProgress(path, info.size_bytes, on_stage):
            starting = loop.run_in_executor(self._thread, self._start, info, path)
            try:
                # Shielded: a start can't be interrupted, and its process must not be forgotten.
                llm = await asyncio.shield(starting)
            except asyncio.CancelledError:
                starting.add_done_callback(_shutdown_late)
                raise
            except Exception as error:
                log.exception("Model %s could not be loaded", info.id)
                raise ModelUnavailable(_why(info, error)) from error
        return VllmEngine(llm, self._options.max_running)

    def close(self) -> None:
        """Start no more. A start under way is not waited for: its process ends with this one."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _start(self, info: ModelInfo, progress: Path) -> AsyncLLM:
        _import_vllm()
        from vllm.v1.engine.async_llm import AsyncLLM

        config = self._config(info, progress)
        return AsyncLLM.from_vllm_config(config, disable_log_stats=True)

    def _config(self, info: ModelInfo, progress: Path) -> VllmConfig:
        from vllm import AsyncEngineArgs

        options = self._options
        args: dict[str, Any] = {
            "model": info.path,
            "max_num_seqs": options.max_running,
            "scheduling_policy": "priority",
            "distributed_executor_backend": EXECUTOR,
            "additional_config": {PROGRESS_KEY: str(progress)},
            "enable_log_requests": False,
            "use_tqdm_on_load": False,
        }
        if is_cpu_build():
            context = min(options.max_model_len or CPU_MAX_CONTEXT, info.context_length or 2048)
            args |= {
                "dtype": "bfloat16",
                "enforce_eager": True,
                "max_model_len": context,
                "max_num_batched_tokens": 2048,
                # vLLM's 128 would never find a short chat in the prefix cache: it keeps whole
                # blocks only. 32 is the least that the CPU kernels take.
                "block_size": 32,
                "kv_cache_memory_bytes": options.kv_cache_bytes or _cpu_kv_bytes(info, context),
            }
        elif options.max_model_len:
            args["max_model_len"] = options.max_model_len
        return AsyncEngineArgs(**(args | options.engine_args)).create_engine_config()


class VllmEngine:
    """One running model: the Engine protocol over AsyncLLM."""

    def __init__(self, llm: AsyncLLM, max_running: int) -> None:
        self._llm = llm
        self._closed = False
        config, cache = llm.model_config, llm.vllm_config.cache_config
        self._limits = EngineLimits(
            context_length=config.max_model_len,
            max_running=max_running,
            kv_tokens=cache.kv_cache_size_tokens or 0,
            defaults=dict(config.get_diff_sampling_param() or {}),
        )

    @property
    def limits(self) -> EngineLimits:
        return self._limits

    @property
    def alive(self) -> bool:
        return not self._closed and not self._llm.errored

    async def render(self, messages: list[dict[str, object]]) -> Prompt:
        from vllm.exceptions import VLLMClientError
        from vllm.renderers import ChatParams

        params = ChatParams(chat_template_kwargs={"add_generation_prompt": True})
        try:
            _, prompts = await self._llm.renderer.render_chat_async(cast("Any", [messages]), params)
        except (VLLMClientError, ValueError, TypeError) as error:
            raise _refusal(error, "The model's chat template refused the messages: ") from error
        return Prompt(tuple(cast("Any", prompts[0])["prompt_token_ids"]))

    async def generate(
        self, prompt: Prompt, sampling: Sampling, request_id: str, resume: Resume | None = None
    ) -> AsyncGenerator[Delta, None]:
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            params = self._params(prompt, sampling)
            stream = self._llm.generate(
                {"type": "token", "prompt_token_ids": list(prompt.token_ids)},
                params,
                request_id,
                priority=sampling.priority,
            )
            async with aclosing(stream):
                async for output in stream:
                    step = output.outputs[0]
                    yield Delta(
                        step.text,
                        tuple(step.token_ids),
                        cast("FinishReason | None", step.finish_reason),
                        output.num_cached_tokens,
                    )
        except EngineDeadError as error:
            raise EngineDead("The engine process ended while it was answering.") from error
        except (VLLMClientError, ValueError) as error:
            raise _refusal(error) from error

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._llm.output_handler is not None:
            # Else it takes the end of the process that it reads from for a crash.
            self._llm.output_handler.cancel()
        # Not in the engine thread: that may be busy with another model's start.
        await asyncio.to_thread(self._llm.shutdown, timeout=SHUTDOWN_S)

    def _params(self, prompt: Prompt, sampling: Sampling) -> SamplingParams:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        defaults = self._limits.defaults
        room = self._limits.context_length - len(prompt.token_ids)
        wanted = sampling.max_tokens or defaults.get("max_new_tokens") or room
        values: dict[str, Any] = {k: v for k, v in defaults.items() if k != "max_new_tokens"}
        for name in (
            "temperature",
            "top_p",
            "top_k",
            "min_p",
            "seed",
            "repetition_penalty",
            "presence_penalty",
            "frequency_penalty",
            "logit_bias",
        ):
            if (value := getattr(sampling, name)) is not None:
                values[name] = value
        return SamplingParams(
            **values,
            stop=list(sampling.stop) or None,
            stop_token_ids=list(sampling.stop_token_ids) or None,
            ignore_eos=sampling.ignore_eos,
            min_tokens=min(sampling.min_tokens, int(min(wanted, room))),
            max_tokens=int(min(wanted, room)),
            skip_special_tokens=sampling.skip_special_tokens,
            output_kind=RequestOutputKind.DELTA,
            skip_clone=True,
        )


def _import_vllm() -> None:
    # Its own settings are read only half-way through the import.
    logging.getLogger("vllm").setLevel(os.environ.get("VLLM_LOGGING_LEVEL", "ERROR"))
    import vllm.v1.engine.async_llm  # noqa: F401

    if is_cpu_build():
        import multiprocessing

        import vllm.v1.engine.utils as engine_utils

        # vLLM refuses the name "forkserver" in its settings; the process manager looks this one up.
        engine_utils.get_mp_context = lambda: multiprocessing.get_context("forkserver")


def _refusal(error: Exception, prefix: str = "") -> InvalidRequest:
    """vLLM's refusal of a request, in our words where the cause is a prompt that is too long."""
    message = str(error).split(" (parameter=", 1)[0]
    if getattr(error, "parameter", None) == "input_tokens":
        return ContextLengthExceeded(message, param="input")
    return InvalidRequest(prefix + message, param=getattr(error, "parameter", None))


def _shutdown_late(starting: asyncio.Future[AsyncLLM]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().shutdown(timeout=0)


def _cpu_kv_bytes(info: ModelInfo, context: int) -> int:
    """Bytes for the KV cache: enough for CPU_KV_TOKENS, at most a quarter of the free memory."""
    config = json.loads((Path(info.path) / "config.json").read_text())
    text = config.get("text_config", config)
    heads = text.get("num_attention_heads", 1)
    head_dim = text.get("head_dim") or text.get("hidden_size", 0) // heads
    kv_heads = text.get("num_key_value_heads") or heads
    per_token = 2 * 2 * text.get("num_hidden_layers", 1) * kv_heads * head_dim
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    wanted = max(CPU_KV_TOKENS, 2 * context) * per_token
    return max(min(wanted, free // 4), context * per_token, 64 * MIB)


def _why(info: ModelInfo, error: Exception) -> str:
    first = str(error).strip().split("\n", 1)[0]
    return f"{info.id} could not be loaded: {first or type(error).__name__}"
