"""Starts engine processes: AsyncLLM over a client that outlives them, its stages told on the way.

It knows what an engine needs before it can be asked anything; it refuses to know what it is asked.
The import of vLLM takes six seconds, so it happens in a thread.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false, reportUnusedImport=false, reportPrivateImportUsage=false

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tokenwire.engine.adapters import read_adapters
from tokenwire.engine.arguments import (
    PARALLEL_EXECUTOR,
    engine_arguments,
    refuse_unknown,
    terms_of,
)
from tokenwire.engine.birth import Birth
from tokenwire.engine.budget import need_of
from tokenwire.engine.checkpoint import architecture_problem, problem_of
from tokenwire.engine.environment import is_cpu_build, lent
from tokenwire.engine.failures import Failure, sentence
from tokenwire.engine.families import parser_names
from tokenwire.engine.interval import StreamInterval
from tokenwire.engine.ledger import RecoveryPolicy
from tokenwire.engine.models import ModelInfo, Stage
from tokenwire.engine.options import NO_OPTIONS, ModelOptions
from tokenwire.engine.progress import LoadingProgress
from tokenwire.engine.stats import LiveStats
from tokenwire.engine.vllm import VllmEngine
from tokenwire.errors import ModelUnavailable


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vllm.config import VllmConfig
    from vllm.v1.engine.async_llm import AsyncLLM

    from tokenwire.engine.parsing import Parsers

    # A running engine, and what is set for its model: the chat template as text.
    _Started = tuple[AsyncLLM, Parsers, ModelOptions]


log = logging.getLogger(__name__)

# A killed engine process is waited for as long.
ENDED_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How to start engines. `max_running` requests at once; `engine_args` go to AsyncEngineArgs
    as they are; `recovery` is how hard one is kept alive; `models` is what is set for a model, by
    its id.
    """

    run_dir: Path
    max_running: int = 256
    max_model_len: int | None = None
    kv_cache_bytes: int | None = None
    engine_args: dict[str, Any] = field(default_factory=dict[str, Any])
    recovery: RecoveryPolicy = field(default_factory=RecoveryPolicy)
    models: Mapping[str, ModelOptions] = field(default_factory=dict[str, ModelOptions])


class VllmEngines:
    """Starts engines. Owns the one thread that engine processes are started and ended in."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._started = 0

    def preimport(self) -> None:
        """Begin to import vLLM in the engine thread, so that the first start finds it done."""
        self._thread.submit(_import_vllm)

    async def check(self, info: ModelInfo) -> None:
        """Look at what lies in its folder. Raises ModelUnavailable."""
        if problem := await asyncio.to_thread(problem_of, Path(info.path)):
            raise _broken(info, problem)

    async def architectures(self) -> frozenset[str]:
        """The names of all architectures that vLLM can run. Waits for its import."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _architectures)

    def need(self, info: ModelInfo) -> int | None:
        """Bytes of memory that an engine for `info` would take if it were started now; on a GPU, of
        each. None: nobody can say. Cheap; at the first call it reads the headers of the weights.
        """
        if info.size_bytes is None:
            return None
        try:
            args = engine_arguments(self._options, info, Path())
            own = self._options.models.get(info.id, NO_OPTIONS)
            terms = terms_of(args, read_adapters(own.adapters), info.context_length or 0)
            return need_of(info, kv_bytes=args.get("kv_cache_memory_bytes"), terms=terms)
        except (ValueError, TypeError):
            # A setting is nonsense, which the load will say.
            return None

    async def start(self, info: ModelInfo, on_stage: Callable[[Stage], None]) -> VllmEngine:
        """Start an engine process for `info` and wait until it can generate. Cancelled, it ends
        that process at once.

        `on_stage` is called on the event loop. Raises ModelUnavailable with a sentence for a
        person.
        """
        birth = Birth()
        llm, parsers, own = await self._born(info, on_stage, birth)
        engine = VllmEngine(
            llm,
            parsers,
            max_running=self._options.max_running,
            let_go_s=self._options.recovery.let_go_s,
            options=own,
        )
        try:
            # AsyncLLM asks its engine for this before its first request, once: were the engine to
            # die in that moment, the request would die with it instead of being gone on with.
            await llm.get_supported_tasks()
            await engine.try_settings()
        except BaseException as error:
            if isinstance(error, Exception):
                await engine.close()
                raise ModelUnavailable(sentence(info.id, _failure(error))) from error
            birth.end()
            await engine.close()
            raise
        return engine

    async def _born(
        self, info: ModelInfo, on_stage: Callable[[Stage], None], birth: Birth
    ) -> _Started:
        loop = asyncio.get_running_loop()
        self._started += 1
        path = self._options.run_dir / f"progress-{self._started}"
        on_stage(Stage("importing", detail="Loading vLLM"))
        with LoadingProgress(path, info.size_bytes, on_stage) as progress:
            starting = loop.run_in_executor(self._thread, self._start, info, path, on_stage, birth)
            try:
                # Shielded: the thread goes on, and its process must not be forgotten.
                return await asyncio.shield(starting)
            except asyncio.CancelledError:
                starting.add_done_callback(_shutdown_late)
                if birth.end():
                    # So that whoever cancelled it finds its memory free.
                    await asyncio.wait([starting], timeout=ENDED_S)
                raise
            except ModelUnavailable:
                raise
            except Exception as error:
                log.exception("Model %s could not be loaded", info.id)
                failure = progress.failure() or _failure(error)
                raise ModelUnavailable(sentence(info.id, failure)) from error

    def _parsers(self, info: ModelInfo, own: ModelOptions, config: VllmConfig) -> Parsers:
        from vllm.tokenizers import cached_tokenizer_from_config

        from tokenwire.engine.parsing import Parsers

        names = own.parsers or parser_names(Path(info.path), own.chat_template)
        tokenizer = cast("Any", cached_tokenizer_from_config(config.model_config))
        return Parsers(config, tokenizer, names, sure=own.parsers is not None)

    def close(self) -> None:
        """Start no more. A start under way is not waited for: its process ends with this one."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _start(
        self, info: ModelInfo, progress: Path, on_stage: Callable[[Stage], None], birth: Birth
    ) -> _Started:
        birth.check()
        _import_vllm()
        if problem := architecture_problem(Path(info.path), _architectures()):
            raise _broken(info, problem)
        from vllm.v1.engine.async_llm import AsyncLLM

        from tokenwire.engine.core import engine_cores_from
        from tokenwire.engine.recovery import RecoveringClient

        own = self._options.models.get(info.id, NO_OPTIONS)
        own = replace(own, chat_template=own.template())
        interval = StreamInterval()

        def client(start: Callable[[], Any]) -> RecoveringClient:
            return RecoveringClient(
                lent(own.environment)(start),
                thread=self._thread,
                policy=self._options.recovery,
                tell=on_stage,
                stats=LiveStats(interval.stepped),
                loading=partial(LoadingProgress, progress, info.size_bytes, on_stage),
            )

        with lent(own.environment):
            config = self._config(info, progress)
            parsers = self._parsers(info, own, config)
            structured = config.structured_outputs_config
            if not structured.reasoning_parser and parsers.reasoning is not None:
                # So that a grammar binds what comes after the thoughts. Only one that suits the
                # tokenizer: the engine process makes its own, and would end.
                structured.reasoning_parser = parsers.reasoning
            with engine_cores_from(client, birth):
                llm = AsyncLLM.from_vllm_config(config, disable_log_stats=True)
        llm.output_processor.stream_interval = cast("Any", interval)
        return llm, parsers, own

    def _config(self, info: ModelInfo, progress: Path) -> VllmConfig:
        from vllm import AsyncEngineArgs

        arguments = engine_arguments(self._options, info, progress)
        refuse_unknown(arguments, [field.name for field in fields(AsyncEngineArgs)])
        executor = arguments["distributed_executor_backend"]
        if executor == PARALLEL_EXECUTOR:
            # Which it is; by another name vLLM refuses a pipeline, and several nodes.
            arguments["distributed_executor_backend"] = "mp"
        config = AsyncEngineArgs(**arguments).create_engine_config()
        if executor == PARALLEL_EXECUTOR:
            config.parallel_config.distributed_executor_backend = executor
        if "structured_outputs_config" not in arguments:
            # Where a grammar lets it, a small model writes spaces to the end of its context. Not an
            # argument: as one, vLLM takes it only with its backend named.
            config.structured_outputs_config.disable_any_whitespace = True
        return config


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


@cache
def _architectures() -> frozenset[str]:
    _import_vllm()
    from transformers.models.auto import modeling_auto
    from vllm import ModelRegistry

    names = set(ModelRegistry.get_supported_archs())
    # vLLM runs those of transformers too, slower.
    for mapping in (
        modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    ):
        for name in mapping.values():
            names.update((name,) if isinstance(name, str) else name)
    return frozenset(names)


def _shutdown_late(starting: asyncio.Future[_Started]) -> None:
    """The net: whatever still came to be of a start that was cancelled is ended."""
    if not starting.cancelled() and starting.exception() is None:
        starting.result()[0].shutdown(timeout=0)


def _broken(info: ModelInfo, problem: str) -> ModelUnavailable:
    return ModelUnavailable(f"{info.id} could not be loaded: {problem}")


def _failure(error: Exception) -> Failure:
    return Failure(type(error).__name__, str(error))
