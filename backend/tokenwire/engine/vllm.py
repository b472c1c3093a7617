"""One running model: AsyncLLM behind the Engine protocol. Render a chat, stream an answer, end it.

It refuses to know users, responses and sockets, and how the engine process was started.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from tokenwire.engine.adapters import read_adapters
from tokenwire.engine.answer import ENDED, Answer
from tokenwire.engine.arguments import sampling_arguments, template_keywords, with_system
from tokenwire.engine.base import PLAIN, Delta, EngineLimits, FinishReason, Form, Prompt
from tokenwire.engine.checkpoint import NO_CHAT_TEMPLATE
from tokenwire.engine.options import NO_OPTIONS, WrongSetting
from tokenwire.errors import ContextLengthExceeded, EngineDead, InvalidRequest, ModelUnavailable


if TYPE_CHECKING:
    from collections.abc import Callable

    from vllm import SamplingParams
    from vllm.lora.request import LoRARequest
    from vllm.v1.engine.async_llm import AsyncLLM
    from vllm.v1.engine.output_processor import RequestOutputCollector

    from tokenwire.engine.adapters import Adapter
    from tokenwire.engine.base import Resume, Sampling
    from tokenwire.engine.models import EngineTotals, LiveNumbers
    from tokenwire.engine.options import ModelOptions
    from tokenwire.engine.parsing import Parsers
    from tokenwire.engine.recovery import RecoveringClient


log = logging.getLogger(__name__)

SHUTDOWN_S = 1.0


class VllmEngine:
    """One running model: the Engine protocol over AsyncLLM. In its `options` the chat template is
    the text of it.
    """

    def __init__(
        self,
        llm: AsyncLLM,
        parsers: Parsers,
        *,
        max_running: int,
        let_go_s: float,
        options: ModelOptions = NO_OPTIONS,
    ) -> None:
        self._llm = llm
        self._parsers = parsers
        self._options = options
        # AsyncLLM was built with ours in the place of vLLM's client.
        self._core = cast("RecoveringClient", llm.engine_core)
        self._let_go_s = let_go_s
        self._closed = False
        config, cache = llm.model_config, llm.vllm_config.cache_config
        self._limits = EngineLimits(
            context_length=config.max_model_len,
            max_running=max_running,
            kv_tokens=cache.kv_cache_size_tokens or 0,
            defaults={**(config.get_diff_sampling_param() or {}), **options.sampling},
            capabilities=parsers.capabilities,
        )
        self._adapters: dict[str, LoRARequest] = {}
        self._broken: dict[str, str] = {}
        # Else a death before the first request would be noticed by that request.
        llm._run_output_handler()  # pyright: ignore[reportPrivateUsage]

    @property
    def limits(self) -> EngineLimits:
        return self._limits

    @property
    def alive(self) -> bool:
        return not self._closed and not self._llm.errored

    async def render(self, messages: list[dict[str, object]], form: Form = PLAIN) -> Prompt:
        from vllm.exceptions import VLLMClientError
        from vllm.renderers import ChatParams
        from vllm.renderers.chat_utils import ChatTemplateResolutionError
        from vllm.renderers.inputs.preprocess import parse_model_prompt

        self._parsers.check(form)
        renderer: Any = self._llm.renderer
        try:
            if form.raw:
                text = "".join(str(message["content"]) for message in messages)
                parsed = parse_model_prompt(self._llm.model_config, text)
                prompts = await renderer.render_cmpl_async([parsed])
            else:
                params = ChatParams(
                    chat_template=self._options.chat_template,
                    chat_template_kwargs=template_keywords(form),
                )
                chat = with_system(messages, self._options.system_prompt)
                _, prompts = await renderer.render_chat_async([chat], params)
        except ChatTemplateResolutionError as error:
            raise InvalidRequest(NO_CHAT_TEMPLATE) from error
        except (VLLMClientError, ValueError, TypeError) as error:
            raise _refusal(error, "The model's chat template refused the messages: ") from error
        return Prompt(tuple(prompts[0]["prompt_token_ids"]), form)

    async def try_settings(self) -> None:
        """Load the adapters. Raises WrongSetting for a template that would fail each chat."""
        if self._options.chat_template is not None:
            try:
                await self.render([{"role": "user", "content": "Hello"}])
            except Exception as error:  # whatever Jinja makes of it
                raise WrongSetting(f"its chat_template can't be used: {error}") from error
        for number, adapter in enumerate(read_adapters(self._options.adapters), 1):
            await self._load_adapter(number, adapter)

    async def _load_adapter(self, number: int, adapter: Adapter) -> None:
        """One that can't be loaded is remembered with the reason: the model and the others can."""
        from vllm.lora.request import LoRARequest

        problem, request = adapter.problem, LoRARequest(adapter.name, number, adapter.path)
        if problem is None:
            try:
                # Else the first answer would find out, in the engine's step, which would end it.
                await self._core.call_utility_async("add_lora", request)
            except Exception as error:
                log.warning("The adapter %s could not be loaded.", adapter.name, exc_info=True)
                told = str(error).removeprefix("Call to add_lora method failed: ")
                problem = told.strip().partition("\n")[0] or type(error).__name__
        if problem is None:
            self._adapters[adapter.name] = request
        else:
            self._broken[adapter.name] = problem

    def adapted(self, name: str) -> AdaptedEngine:
        if request := self._adapters.get(name):
            return AdaptedEngine(self, request)
        problem = self._broken.get(name, "it is not among those of its model")
        raise ModelUnavailable(f"The adapter {name} can't be loaded: {problem.rstrip('.')}.")

    async def generate(
        self,
        prompt: Prompt,
        sampling: Sampling,
        request_id: str,
        take: Callable[[Delta], None],
        resume: Resume | None = None,
        adapter: LoRARequest | None = None,
    ) -> None:
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        from tokenwire.engine.hooks import AnswerComplete

        take = self._parsers.reader(prompt, resume, take)
        answer = Answer(take, sampling.logprobs or 0)
        queue = None
        try:
            # AsyncLLM.generate puts two generators and a wake-up between each token and us.
            queue = await self._llm.add_request(
                request_id,
                {"type": "token", "prompt_token_ids": list(prompt.token_ids)},
                self._params(prompt, sampling, resume),
                priority=sampling.priority,
                **_keywords(prompt.form, adapter),
            )
            await answer.stand_in_for(queue, self._llm.output_processor)
        except asyncio.CancelledError:
            if not answer.finished:
                await self._let_go(queue, request_id)
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

    async def _let_go(self, queue: RequestOutputCollector | None, request_id: str) -> None:
        """Abort, and wait until the engine has done it."""
        await self._abort(queue, request_id)
        try:
            async with asyncio.timeout(self._let_go_s):
                await self._core.settle()
        except TimeoutError:
            log.warning("The engine did not say that it let go of %s.", request_id)

    def live(self) -> LiveNumbers:
        return self._core.stats.live(self._llm.output_processor.get_num_unfinished_requests())

    def totals(self) -> EngineTotals:
        return self._core.stats.totals()

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

        from tokenwire.engine.hooks import RESUME_IDS

        extra = None
        if resume is not None and resume.token_ids:
            extra = {RESUME_IDS: list(resume.token_ids)}
        bounds = self._parsers.constraints(prompt.form)
        arguments = sampling_arguments(self._limits, prompt, sampling)
        if bounds.keeps_special_tokens:
            arguments["skip_special_tokens"] = False
        return SamplingParams(
            **arguments,
            structured_outputs=bounds.structured_outputs,
            output_kind=RequestOutputKind.DELTA,
            extra_args=extra,
        )


class AdaptedEngine:
    """A running model with a LoRA adapter in each answer: all else is that of the model."""

    def __init__(self, base: VllmEngine, adapter: LoRARequest) -> None:
        self._base, self._adapter = base, adapter

    @property
    def limits(self) -> EngineLimits:
        return self._base.limits

    @property
    def alive(self) -> bool:
        return self._base.alive

    async def render(self, messages: list[dict[str, object]], form: Form = PLAIN) -> Prompt:
        return await self._base.render(messages, form)

    async def generate(
        self,
        prompt: Prompt,
        sampling: Sampling,
        request_id: str,
        take: Callable[[Delta], None],
        resume: Resume | None = None,
    ) -> None:
        # Recovery and a restart give the engine the whole request again, its adapter in it.
        await self._base.generate(prompt, sampling, request_id, take, resume, self._adapter)


def _keywords(form: Form, adapter: LoRARequest | None) -> dict[str, Any]:
    """The adapter, and what the engine's own parser must know, which says where a grammar begins to
    bind.
    """
    keywords: dict[str, Any] = {"lora_request": adapter}
    if form.offers_tools or form.is_json:
        keywords["reasoning_parser_kwargs"] = {"chat_template_kwargs": dict(form.template)}
    return keywords


def _refusal(error: Exception, prefix: str = "") -> InvalidRequest:
    """vLLM's refusal of a request, in our words where the cause is a prompt that is too long."""
    message = str(error).split(" (parameter=", 1)[0]
    if getattr(error, "parameter", None) == "input_tokens":
        return ContextLengthExceeded(message, param="input")
    return InvalidRequest(prefix + message, param=getattr(error, "parameter", None))
