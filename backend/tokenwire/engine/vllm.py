"""AsyncLLM behind the Engine protocol: start an engine process, render a chat, stream an answer,
end it.

With answer.py, core.py, recovery.py, hooks.py, executor.py, parsing.py and preload.py the only
importer of vLLM. It refuses to know users, responses and sockets. The import itself takes six
seconds, so it happens inside `start`, in a thread.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false, reportUnusedImport=false, reportPrivateImportUsage=false

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from tokenwire.engine.answer import ENDED, Answer
from tokenwire.engine.arguments import engine_arguments, sampling_arguments
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
from tokenwire.engine.interval import StreamInterval
from tokenwire.engine.ledger import RecoveryPolicy
from tokenwire.engine.progress import LoadingProgress
from tokenwire.errors import ContextLengthExceeded, EngineDead, InvalidRequest, ModelUnavailable


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vllm import SamplingParams
    from vllm.v1.engine.async_llm import AsyncLLM
    from vllm.v1.engine.output_processor import RequestOutputCollector

    from tokenwire.engine.recovery import RecoveringClient


log = logging.getLogger(__name__)

SHUTDOWN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How to start engines. `max_running` requests at once; `engine_args` go to AsyncEngineArgs
    as they are; `recovery` is how hard one is kept alive.
    """

    run_dir: Path
    max_running: int = 256
    max_model_len: int | None = None
    kv_cache_bytes: int | None = None
    engine_args: dict[str, Any] = field(default_factory=dict[str, Any])
    recovery: RecoveryPolicy = field(default_factory=RecoveryPolicy)


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
            starting = loop.run_in_executor(self._thread, self._start, info, path, on_stage)
            try:
                # Shielded: a start can't be interrupted, and its process must not be forgotten.
                llm = await asyncio.shield(starting)
            except asyncio.CancelledError:
                starting.add_done_callback(_shutdown_late)
                raise
            except Exception as error:
                log.exception("Model %s could not be loaded", info.id)
                raise ModelUnavailable(_why(info, error)) from error
        engine = VllmEngine(llm, self._options)
        try:
            # AsyncLLM asks its engine for this before its first request, once: were the engine to
            # die in that moment, the request would die with it instead of being gone on with.
            await llm.get_supported_tasks()
        except BaseException as error:
            await engine.close()
            if isinstance(error, Exception):
                raise ModelUnavailable(_why(info, error)) from error
            raise
        return engine

    def close(self) -> None:
        """Start no more. A start under way is not waited for: its process ends with this one."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _start(
        self, info: ModelInfo, progress: Path, on_stage: Callable[[Stage], None]
    ) -> AsyncLLM:
        _import_vllm()
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        from tokenwire.engine.core import engine_cores_from
        from tokenwire.engine.recovery import RecoveringClient

        interval = StreamInterval()
        arguments = engine_arguments(self._options, info, progress)
        config = AsyncEngineArgs(**arguments).create_engine_config()
        client = partial(
            RecoveringClient,
            thread=self._thread,
            policy=self._options.recovery,
            tell=on_stage,
            stepped=interval.stepped,
            loading=partial(LoadingProgress, progress, info.size_bytes, on_stage),
        )
        with engine_cores_from(client):
            llm = AsyncLLM.from_vllm_config(config, disable_log_stats=True)
        llm.output_processor.stream_interval = cast("Any", interval)
        return llm


class VllmEngine:
    """One running model: the Engine protocol over AsyncLLM."""

    def __init__(self, llm: AsyncLLM, options: EngineOptions) -> None:
        self._llm = llm
        # AsyncLLM was built with ours in the place of vLLM's client.
        self._core = cast("RecoveringClient", llm.engine_core)
        self._let_go_s = options.recovery.let_go_s
        self._closed = False
        config, cache = llm.model_config, llm.vllm_config.cache_config
        self._limits = EngineLimits(
            context_length=config.max_model_len,
            max_running=options.max_running,
            kv_tokens=cache.kv_cache_size_tokens or 0,
            defaults=dict(config.get_diff_sampling_param() or {}),
        )
        # Else a death before the first request would be noticed by that request.
        llm._run_output_handler()  # pyright: ignore[reportPrivateUsage]

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
        self,
        prompt: Prompt,
        sampling: Sampling,
        request_id: str,
        take: Callable[[Delta], None],
        resume: Resume | None = None,
    ) -> None:
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        from tokenwire.engine.hooks import AnswerComplete

        answer = Answer(take)
        queue = None
        try:
            # AsyncLLM.generate puts two generators and a wake-up between each token and us.
            queue = await self._llm.add_request(
                request_id,
                {"type": "token", "prompt_token_ids": list(prompt.token_ids)},
                self._params(prompt, sampling, resume),
                priority=sampling.priority,
            )
            await answer.stand_in_for(queue, self._llm.output_processor)
        except asyncio.CancelledError:
            if not answer.finished:
                await self._abort(queue, request_id)
                await self._let_go(request_id)
            raise
        except AnswerComplete as done:
            take(Delta(done.text, (), cast("FinishReason", done.finish)))
        except (EngineDeadError, EngineDead) as error:
            raise error if isinstance(error, EngineDead) else EngineDead(ENDED) from error
        except Exception as error:
            if queue is None and isinstance(error, (VLLMClientError, ValueError)):
                raise _refusal(error) from error
            await self._abort(queue, request_id)
            raise

    async def _abort(self, queue: RequestOutputCollector | None, request_id: str) -> None:
        if queue is not None:
            await self._llm.abort(queue.request_id, internal=True)
        else:
            # It may be in the engine already, under a name that nobody has been told.
            await self._llm.abort(request_id)

    async def _let_go(self, request_id: str) -> None:
        """Wait until the engine has done the abort, which was sent when the stream closed."""
        try:
            async with asyncio.timeout(self._let_go_s):
                await self._core.settle()
        except TimeoutError:
            log.warning("The engine did not say that it let go of %s.", request_id)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._llm.output_handler is not None:
            # Else it takes the end of the process that it reads from for a crash.
            self._llm.output_handler.cancel()
        # Not in the engine thread: that may be busy with another model's start.
        await asyncio.to_thread(self._llm.shutdown, timeout=SHUTDOWN_S)

    def _params(self, prompt: Prompt, sampling: Sampling, resume: Resume | None) -> SamplingParams:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        from tokenwire.engine.hooks import RESUME_IDS, RESUME_SENT

        extra = None
        if resume is not None and resume.token_ids:
            extra = {RESUME_IDS: list(resume.token_ids), RESUME_SENT: resume.sent}
        return SamplingParams(
            **sampling_arguments(self._limits, prompt, sampling),
            output_kind=RequestOutputKind.DELTA,
            extra_args=extra,
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

    from tokenwire.engine.hooks import install_resume

    install_resume()


def _refusal(error: Exception, prefix: str = "") -> InvalidRequest:
    """vLLM's refusal of a request, in our words where the cause is a prompt that is too long."""
    message = str(error).split(" (parameter=", 1)[0]
    if getattr(error, "parameter", None) == "input_tokens":
        return ContextLengthExceeded(message, param="input")
    return InvalidRequest(prefix + message, param=getattr(error, "parameter", None))


def _shutdown_late(starting: asyncio.Future[AsyncLLM]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().shutdown(timeout=0)


def _why(info: ModelInfo, error: Exception) -> str:
    first = str(error).strip().split("\n", 1)[0] or type(error).__name__
    return f"{info.id} could not be loaded: {first}"
