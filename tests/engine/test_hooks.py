"""An answer that goes on from its ids: the detokenizer stands where the lost one stood, and the
engine's request looks preempted. vLLM's own values, no engine."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportPrivateUsage=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer
from vllm import SamplingParams
from vllm.parser.engine.adapters import ParserEngineReasoningAdapter
from vllm.parser.engine.parser_engine import ReasoningEnd
from vllm.v1.attention.backends import cpu_attn
from vllm.v1.engine import EngineCoreRequest
from vllm.v1.engine.output_processor import RequestState
from vllm.v1.request import Request
from vllm.v1.structured_output import StructuredOutputManager
from vllm.v1.worker.gpu_input_batch import CachedRequestState

from support.model import DEMO
from tokenwire.engine import hooks
from tokenwire.engine.environment import EXACT_ISA, ISA
from tokenwire.engine.hooks import AnswerComplete, install_hooks, install_resume


TEXT = "Grüße, 世界! The sky is 🟦 and STOP here."
TOKENIZER: Any = AutoTokenizer.from_pretrained(DEMO)
IDS: list[int] = TOKENIZER.encode(TEXT, add_special_tokens=False)
PROMPT: list[int] = TOKENIZER.encode("Say it: ", add_special_tokens=False)


def request(ids: list[int] | None = None, **values: Any) -> EngineCoreRequest:
    extra = {"resume_ids": ids} if ids else None
    given: dict[str, Any] = {"max_tokens": 500} | values
    params = SamplingParams(**given, extra_args=extra)
    made = EngineCoreRequest("a", list(PROMPT), None, params, None, 0.0, None, None, None)
    made.external_req_id = "a"
    return made


def state(wanted: EngineCoreRequest) -> RequestState:
    install_resume()
    return RequestState.from_new_request(
        tokenizer=TOKENIZER,
        request=wanted,
        prompt=None,
        parent_req=None,
        request_index=0,
        queue=None,
        log_stats=False,
        stream_interval=1,
    )


def step(reader: RequestState, token: int) -> str:
    detokenizer = reader.detokenizer
    assert detokenizer is not None
    detokenizer.update([token], stop_terminated=False)
    return detokenizer.get_next_output_text(finished=False, delta=True)


@pytest.mark.parametrize("stop", [None, ["XYZ", "no such text"]])
def test_from_any_token_on_the_text_is_what_it_would_have_been(stop: list[str] | None) -> None:
    whole = state(request(stop=stop))
    texts = [step(whole, token) for token in IDS]
    assert "".join(texts) == (TEXT if stop is None else TEXT[: -(len("no such text") - 1)])
    assert sum(not text for text in texts) > 3, "no cut inside a character, or held back"

    for cut in range(1, len(IDS)):
        again = state(request(IDS[:cut], stop=stop))
        first, *rest = [step(again, token) for token in IDS[cut:]]
        assert (first, rest) == ("".join(texts[: cut + 1]), texts[cut + 1 :]), cut


@pytest.mark.parametrize(
    ("values", "finish", "text"),
    [
        ({"stop": ["STOP"]}, "stop", TEXT[: TEXT.index("STOP")]),
        ({"stop_token_ids": [IDS[-1]]}, "stop", TEXT[:-1]),
        ({"max_tokens": len(IDS)}, "length", TEXT),
        ({"max_tokens": 2}, "length", TEXT),
    ],
)
def test_an_answer_that_has_ended_does_not_begin_again(
    values: dict[str, Any], finish: str, text: str
) -> None:
    with pytest.raises(AnswerComplete) as caught:
        state(request(IDS, **values))
    assert (caught.value.finish, caught.value.text) == (finish, text)


def test_an_end_of_text_token_has_ended_it_unless_it_is_to_be_ignored() -> None:
    wanted = request(IDS)
    assert wanted.sampling_params is not None
    wanted.sampling_params.update_from_generation_config({}, IDS[-1])
    with pytest.raises(AnswerComplete):
        state(wanted)

    wanted = request(IDS, ignore_eos=True)
    assert wanted.sampling_params is not None
    wanted.sampling_params.update_from_generation_config({}, IDS[-1])
    assert step(state(wanted), IDS[0]) == TEXT + TEXT[0]


def test_a_request_that_begins_is_as_ever() -> None:
    assert step(state(request()), IDS[0]) == TEXT[0]
    install_hooks()
    begun = Request.from_engine_core_request(request(), None)
    assert (begun.num_output_tokens, begun.prefill_stats is None) == (0, False)


def test_in_the_engine_it_is_born_with_its_output() -> None:
    install_hooks()
    born = Request.from_engine_core_request(request(IDS[:4]), None)
    assert list(born.output_token_ids) == IDS[:4]
    assert list(born.all_token_ids) == PROMPT + IDS[:4]
    assert born.num_prompt_tokens == len(PROMPT)
    # With them a prefix cache hit beyond the prompt would end the engine.
    assert born.prefill_stats is None


def test_in_the_worker_its_generator_has_drawn_for_each_of_its_tokens() -> None:
    install_hooks()
    mine = torch.Generator().manual_seed(5)
    params = request(IDS[:4], seed=5).sampling_params
    worker = CachedRequestState("a", PROMPT, [], params, mine, ([],), 0, [])
    assert worker.output_token_ids == IDS[:4]

    lone = torch.Generator().manual_seed(5)
    draws = [torch.randint(0, 2**31, (1,), generator=lone).item() for _ in range(6)]
    resumed = [torch.randint(0, 2**31, (1,), generator=worker.generator).item() for _ in range(2)]
    assert resumed == draws[4:]
    assert worker.generator is not None
    # vLLM rewinds it after a prefill that was cut into chunks.
    worker.generator.set_offset(worker.generator.get_offset() - 4)
    assert torch.randint(0, 2**31, (1,), generator=worker.generator).item() == draws[4]


class Thinker:
    """A reasoning parser whose thoughts end with the token 2."""

    def is_reasoning_end(self, ids: list[int]) -> bool:
        return 2 in ids

    def extract_content_ids(self, ids: list[int]) -> list[int]:
        return ids[ids.index(2) + 1 :]


class EngineThinker(ParserEngineReasoningAdapter):
    """One of vLLM's newer parsers: a call, the token 3, ends them too."""

    def __init__(self) -> None: ...

    @property
    def reasoning_end_token_ids(self) -> frozenset[int]:
        return frozenset({2, 3})

    def is_reasoning_end(self, input_ids: Sequence[int]) -> bool:
        return 2 in input_ids

    def find_reasoning_end(self, token_ids: Sequence[int]) -> ReasoningEnd:
        found = (n for n, id in enumerate(token_ids) if id in self.reasoning_end_token_ids)
        offset = next(found, len(token_ids))
        return ReasoningEnd(offset, token_ids[offset : offset + 1] == [3])


@pytest.mark.parametrize(
    ("reasoner", "prompt", "ids", "bound"),
    [
        (None, [9], [], None),
        (None, [9], [5, 6], [5, 6]),
        (Thinker(), [9], [5, 6], []),
        (Thinker(), [9], [5, 2, 6], [6]),
        (Thinker(), [9, 2], [5, 6], [5, 6]),
        (EngineThinker(), [9], [5, 6], []),
        (EngineThinker(), [9], [5, 2, 6], [6]),
        (EngineThinker(), [9], [5, 2], []),
        (EngineThinker(), [9], [5, 3, 6], [3, 6]),
        (EngineThinker(), [9, 2], [5, 6], [5, 6]),
    ],
)
def test_its_grammar_has_taken_those_of_its_tokens_that_it_binds(
    reasoner: Thinker | EngineThinker | None,
    prompt: list[int],
    ids: list[int],
    bound: list[int] | None,
) -> None:
    install_hooks()
    taken = list[tuple[str, list[int]]]()
    grammar = SimpleNamespace(accept_tokens=lambda id, ids: taken.append((id, ids)))
    manager: Any = SimpleNamespace(
        backend=SimpleNamespace(compile_grammar=lambda *_, **__: grammar),
        _get_reasoner=lambda _: reasoner,
        enable_in_reasoning=False,
    )
    asked: Any = SimpleNamespace(
        request_id="a",
        prompt_token_ids=prompt,
        sampling_params=request(ids or None).sampling_params,
        structured_output_request=SimpleNamespace(
            structured_output_key=("json", "{}"), reasoning_ended=None
        ),
    )
    assert StructuredOutputManager._create_grammar(manager, asked) is grammar
    assert taken == ([] if bound is None else [("a", bound)])
    if reasoner is not None and 2 not in prompt:
        ended = asked.structured_output_request.reasoning_ended
        assert ended == bool({2, 3}.intersection(ids))


@pytest.mark.parametrize(
    ("limit", "kernels"), [(EXACT_ISA, "vec"), ("AVX512_CORE_AMX", "amx"), (None, "amx")]
)
def test_attention_uses_amx_where_the_user_has_asked_for_it_only(
    limit: str | None, kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(cpu_attn, "_get_attn_isa", cpu_attn._get_attn_isa)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_init_amx", lambda: asked.append("amx"))
    monkeypatch.setenv(ISA, EXACT_ISA)
    hooks._hook_attention()
    # As a model's own environment comes, in the process that is forked from this one.
    if limit is None:
        monkeypatch.delenv(ISA)
    else:
        monkeypatch.setenv(ISA, limit)

    # Somebody else's code may use it: the system is asked for it once, before any thread.
    assert asked == ["amx"]
    assert cpu_attn._get_attn_isa(torch.bfloat16, 32, 64) == kernels
    assert cpu_attn._get_attn_isa(torch.bfloat16, 32, 80) == "vec16"
