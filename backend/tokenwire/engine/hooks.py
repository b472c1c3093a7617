"""What lets vLLM go on with an answer that was begun before: by its token ids, wherever it stood.

`install_hooks` runs where the model runs and makes a request with `resume_ids` look preempted and
resumed; `install_resume` runs in the server and brings a fresh detokenizer to where the lost one
was. Both wrap vLLM's own functions, once per process. They refuse to know who died, and when.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false, reportPrivateUsage=false

from __future__ import annotations

import copy
import os
import weakref
from typing import TYPE_CHECKING, Any

import torch
from vllm.parser.engine.adapters import ParserEngineReasoningAdapter
from vllm.platforms import current_platform
from vllm.v1.engine.output_processor import RequestState
from vllm.v1.request import Request
from vllm.v1.structured_output import StructuredOutputManager
from vllm.v1.worker.gpu_input_batch import CachedRequestState

from tokenwire.engine.environment import EXACT_ISA, ISA


if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.v1.engine import EngineCoreRequest


# In `SamplingParams.extra_args`: the ids that the answer already has. No client can set them: they
# would put words in the model's mouth.
RESUME_IDS = "resume_ids"

_hooked = False
_resuming = False


class AnswerComplete(Exception):  # noqa: N818 - a refusal is named for what is wrong
    """The ids to go on from already end the answer. `text` is all of it."""

    def __init__(self, finish: str, text: str) -> None:
        super().__init__("The answer had already ended.")
        self.finish = finish
        self.text = text


def resumed_ids(params: SamplingParams | None) -> list[int]:
    """The ids that a request goes on from; none for a request that begins."""
    extra: dict[str, Any] = (params.extra_args if params is not None else None) or {}
    return list(extra.get(RESUME_IDS) or ())


def resumed_request(request: EngineCoreRequest, ids: list[int], name: str) -> EngineCoreRequest:
    """The request as the engine gets it: always from the original, so that a later death is as
    good as the first.
    """
    params = request.sampling_params
    if name == request.request_id and ids == resumed_ids(params):
        return request
    again = copy.copy(request)
    again.request_id = name
    if params is not None and ids:
        again.sampling_params = params = params.clone()
        params.prompt_logprobs = None
        params.extra_args = {**(params.extra_args or {}), RESUME_IDS: list(ids)}
    return again


class ReplayGenerator(torch.Generator):
    """A CPU generator that can be rewound: its state is its seed and one draw per token of the
    answer.

    vLLM 0.32 rewinds the generator of a seeded request whose prefill was cut into chunks by
    `set_offset`, which CPU generators refuse with an error that ends the engine process.
    """

    def bind(self, state: CachedRequestState) -> ReplayGenerator:
        self._state = weakref.ref(state)
        self.set_offset(0)
        return self

    def get_offset(self) -> int:
        return 0

    def set_offset(self, offset: int) -> torch.Generator:
        del offset
        state = self._state()
        if state is None or state.sampling_params is None:
            return self
        self.manual_seed(int(state.sampling_params.seed or 0))
        if drawn := len(state.output_token_ids):
            # The CPU sampler draws one int64 per sampled token; n at once give the same stream.
            torch.randint(0, 2**31, (drawn,), generator=self, dtype=torch.long)
        return self


def install_hooks() -> None:
    """Let a request be born with its output, every seeded CPU request be rewound, and a CPU round
    the same whatever else it computes.

    In the process that runs the model, before its first request.
    """
    global _hooked
    if _hooked:
        return
    _hooked = True
    _hook_scheduler()
    _hook_worker()
    _hook_grammar()
    if current_platform.is_cpu() and torch.cpu._is_amx_tile_supported():
        _hook_attention()


def _hook_scheduler() -> None:
    original = Request.from_engine_core_request.__func__

    def from_engine_core_request(
        cls: type[Request], request: EngineCoreRequest, block_hasher: Any
    ) -> Request:
        born = original(cls, request, block_hasher)
        if (ids := resumed_ids(request.sampling_params)) and not born.num_output_tokens:
            born.append_output_token_ids(ids)
            # A prefix cache hit beyond the prompt fails an assertion of these statistics, which
            # ends the engine process, and again after each restart.
            born.prefill_stats = None
        return born

    Request.from_engine_core_request = classmethod(from_engine_core_request)  # pyright: ignore[reportAttributeAccessIssue]


def _hook_worker() -> None:
    original = CachedRequestState.__post_init__

    def post_init(self: CachedRequestState) -> None:
        if (ids := resumed_ids(self.sampling_params)) and not self.output_token_ids:
            self.output_token_ids = ids
        if self.generator is not None and self.generator.device.type == "cpu":
            self.generator = ReplayGenerator().bind(self)
        original(self)

    CachedRequestState.__post_init__ = post_init


def _hook_grammar() -> None:
    original = StructuredOutputManager._create_grammar

    def create_grammar(self: StructuredOutputManager, request: Request) -> Any:
        grammar = original(self, request)
        if ids := resumed_ids(request.sampling_params):
            grammar.accept_tokens(request.request_id, _bound(self, request, ids))
        return grammar

    StructuredOutputManager._create_grammar = create_grammar


def _hook_attention() -> None:
    # Linux lets a process have AMX when it asks for it, which vLLM leaves to whatever else in a
    # model needs it. Without, its attention is an illegal instruction.
    from vllm.v1.attention.backends import cpu_attn

    torch.cpu._init_amx()
    original = cpu_attn._get_attn_isa

    def get_attn_isa(*args: Any, **kwargs: Any) -> str:
        isa = original(*args, **kwargs)
        # Asked for each time: a model's own environment comes after this.
        return "vec" if isa == "amx" and os.environ.get(ISA) == EXACT_ISA else isa

    cpu_attn._get_attn_isa = get_attn_isa


def _bound(manager: StructuredOutputManager, request: Request, ids: list[int]) -> list[int]:
    """Those of `ids` that a grammar binds: what comes after the thoughts."""
    asked: Any = request.structured_output_request
    reasoner: Any = manager._get_reasoner(request)
    if reasoner is None or manager.enable_in_reasoning or asked.reasoning_ended:
        return ids
    if reasoner.is_reasoning_end(request.prompt_token_ids or []):
        return ids
    if isinstance(reasoner, ParserEngineReasoningAdapter) and reasoner.reasoning_end_token_ids:
        end = reasoner.find_reasoning_end(ids)
        # It stands behind them all where none of them ends the thoughts.
        asked.reasoning_ended = end is not None and end.offset < len(ids)
        return ids[end.offset + (not end.implicit) :] if asked.reasoning_ended and end else []
    asked.reasoning_ended = reasoner.is_reasoning_end(ids)
    return reasoner.extract_content_ids(ids) if asked.reasoning_ended else []


def install_resume() -> None:
    """Let a new request take up an answer whose detokenizer is lost. In the server's process.

    Adding such a request raises AnswerComplete when there is nothing left to make.
    """
    global _resuming
    if _resuming:
        return
    _resuming = True
    original = RequestState.from_new_request.__func__

    def from_new_request(cls: type[RequestState], **arguments: Any) -> RequestState:
        state = original(cls, **arguments)
        params = arguments["request"].sampling_params
        if ids := resumed_ids(params):
            _prime(state, params, ids)
        return state

    RequestState.from_new_request = classmethod(from_new_request)  # pyright: ignore[reportAttributeAccessIssue]


def _prime(state: RequestState, params: SamplingParams, ids: list[int]) -> None:
    """Step the detokenizer through `ids`, so that its UTF-8 state, its text and what it holds back
    for a stop string are those of the one that is lost. Ids in its prompt would not do: they say
    the whole prompt again if they end inside a character.
    """
    detokenizer: Any = state.detokenizer
    stopped = ids[-1] == params.eos_token_id or ids[-1] in (params.stop_token_ids or ())
    if detokenizer.update(list(ids), stop_terminated=stopped) is not None or stopped:
        raise AnswerComplete("stop", _whole(detokenizer))
    if params.max_tokens is not None and len(ids) >= params.max_tokens:
        raise AnswerComplete("length", _whole(detokenizer))
    state.sent_tokens_offset = len(ids)


def _whole(detokenizer: Any) -> str:
    return detokenizer.get_next_output_text(finished=True, delta=False)
