"""What vLLM is asked for, as plain values: the arguments of an engine, and those of one answer.

It knows vLLM's names for them and refuses to import vLLM.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tokenwire.engine.adapters import adapter_arguments, read_adapters
from tokenwire.engine.budget import (
    Terms,
    free_memory,
    kv_bytes_per_token,
    overhead_of,
    weight_bytes,
)
from tokenwire.engine.environment import ENVIRONMENT_KEY, is_cpu_build
from tokenwire.engine.options import NO_OPTIONS, WrongSetting
from tokenwire.engine.progress import MIB, PROGRESS_KEY


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tokenwire.engine.adapters import Adapter
    from tokenwire.engine.base import EngineLimits, Form, JsonObject, Prompt, Sampling
    from tokenwire.engine.launch import EngineOptions
    from tokenwire.engine.models import ModelInfo


EXECUTOR = "tokenwire.engine.executor.TokenwireExecutor"
PARALLEL_EXECUTOR = "tokenwire.engine.executor.TokenwireParallelExecutor"
WORKER = "tokenwire.engine.worker.Worker"
CPU_KV_TOKENS = 65_536
CPU_MAX_CONTEXT = 32_768
# vLLM's own, where it is not said.
_LORA_RANK = 16
_PLAIN = Terms()
# How far an engine process that computes on the server's own cores goes behind the server.
CPU_NICE = 5
# As /proc/cpuinfo names them, on x86 and on ARM.
_BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16", " bf16")

_SAME_NAME = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
)


def engine_arguments(options: EngineOptions, info: ModelInfo, progress: Path) -> dict[str, Any]:
    """The keywords of AsyncEngineArgs: ours, over them those that are set for all models, over them
    those of this one. `progress` is the path of the loading's socket.
    """
    own = options.models.get(info.id, NO_OPTIONS)
    given = {**options.engine_args, **own.engine_args}
    args: dict[str, Any] = {
        "model": info.path,
        "max_num_seqs": options.max_running,
        "scheduling_policy": "priority",
        "distributed_executor_backend": EXECUTOR,
        "enable_log_requests": False,
        "use_tqdm_on_load": False,
    }
    args |= adapter_arguments(adapters := read_adapters(own.adapters))
    if terms_of(given).ranks > 1:
        args["distributed_executor_backend"] = PARALLEL_EXECUTOR
        args["worker_extension_cls"] = WORKER
    if is_cpu_build():
        args |= _cpu_arguments(options, info, terms_of(args | given, adapters))
    elif options.max_model_len:
        args["max_model_len"] = options.max_model_len
    ours = {PROGRESS_KEY: str(progress), ENVIRONMENT_KEY: dict(own.environment)}
    return args | given | {"additional_config": {**(given.get("additional_config") or {}), **ours}}


def terms_of(args: Mapping[str, Any], adapters: Iterable[Adapter] = (), context: int = 0) -> Terms:
    """What of an engine's arguments its size hangs on. `context`: the model's own."""
    places = args.get("max_loras", 1) if args.get("enable_lora") else 0
    return Terms(
        dtype=str(args.get("dtype", "auto")),
        context=args.get("max_model_len") or context,
        running=args.get("max_num_seqs", _PLAIN.running),
        ranks=args.get("tensor_parallel_size", 1) * args.get("pipeline_parallel_size", 1),
        gpu_share=args.get("gpu_memory_utilization", _PLAIN.gpu_share),
        places=places,
        rank=args.get("max_lora_rank", _LORA_RANK),
        # As many are kept beside their places as there are places.
        adapters=sum(sorted((adapter.size for adapter in adapters), reverse=True)[:places]),
    )


def _cpu_arguments(options: EngineOptions, info: ModelInfo, terms: Terms) -> dict[str, Any]:
    context = min(options.max_model_len or CPU_MAX_CONTEXT, info.context_length or 2048)
    dtype = cpu_dtype(info)
    kv_bytes = options.kv_cache_bytes or _cpu_kv_bytes(info, context, terms._replace(dtype=dtype))
    return {
        "dtype": dtype,
        "enforce_eager": True,
        "max_model_len": context,
        "max_num_batched_tokens": 2048,
        # vLLM's 128 would never find a short chat in the prefix cache: it keeps whole
        # blocks only. 32 is the least that the CPU kernels take.
        "block_size": 32,
        # Each rank takes as much, for its part of the model.
        "kv_cache_memory_bytes": kv_bytes // terms.ranks,
    }


def refuse_unknown(arguments: Iterable[str], known: Collection[str]) -> None:
    """Raises WrongSetting for the first that no engine has."""
    for name in arguments:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise WrongSetting(f"vLLM has no engine argument {name!r}{hint}")


def with_system(messages: list[JsonObject], prompt: str | None) -> list[JsonObject]:
    """The messages, begun by `prompt` where nothing of its kind is among them."""
    if prompt is None or any(message["role"] in ("system", "developer") for message in messages):
        return messages
    return [{"role": "system", "content": prompt}, *messages]


def template_keywords(form: Form) -> dict[str, Any]:
    """The keywords of a chat template."""
    keywords: dict[str, Any] = {**form.template, "add_generation_prompt": not form.continues}
    if form.continues:
        keywords["continue_final_message"] = True
    if form.offers_tools:
        keywords["tools"] = chat_tools(form)
    return keywords


def chat_tools(form: Form) -> list[dict[str, Any]]:
    """The tools in the words of chat completions, which templates and parsers are written for."""
    return [
        {
            "type": "function",
            "function": {
                name: value
                for name, value in tool.items()
                if name != "type" and (value is not None or name == "parameters")
            },
        }
        for tool in form.tools
    ]


def sampling_arguments(limits: EngineLimits, prompt: Prompt, sampling: Sampling) -> dict[str, Any]:
    """The keywords of SamplingParams, complete: the model's defaults under what was asked for."""
    defaults = limits.defaults
    room = limits.context_length - len(prompt.token_ids)
    wanted = sampling.before + (sampling.max_tokens or defaults.get("max_tokens") or room)
    least = sampling.min_tokens and sampling.before + sampling.min_tokens
    values: dict[str, Any] = dict(defaults)
    for name in _SAME_NAME:
        if (value := getattr(sampling, name)) is not None:
            values[name] = value
    return values | {
        "stop": list(sampling.stop) or None,
        "stop_token_ids": list(sampling.stop_token_ids) or None,
        "ignore_eos": sampling.ignore_eos,
        "min_tokens": min(least, int(min(wanted, room))),
        "max_tokens": int(min(wanted, room)),
        "skip_special_tokens": sampling.skip_special_tokens,
        "skip_clone": True,
        "logprobs": sampling.logprobs,
    }


def cpu_dtype(info: ModelInfo, flags: str | None = None) -> Literal["bfloat16", "float32"]:
    """How a CPU computes. `flags`: what it says it can do, its own by default.

    One that only imitates bfloat16 needs three times as long for a prompt, or for eight answers at
    once, as in float32 (measured; one answer alone is 1.5 times as fast in bfloat16, where the
    weights are larger than the caches). So float32, if the weights then leave room for the rest.
    """
    if any(name in (_cpu_flags() if flags is None else flags) for name in _BFLOAT16_UNITS):
        return "bfloat16"
    fits = weight_bytes(info, "float32") <= (free_memory() or 0) // 3
    return "float32" if fits else "bfloat16"


@cache
def _cpu_flags() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def _cpu_kv_bytes(info: ModelInfo, context: int, terms: Terms) -> int:
    """Bytes for the KV cache: enough for CPU_KV_TOKENS, at most a quarter of the free memory and
    half of what the rest of the engine leaves of it.
    """
    free = free_memory() or 0
    per_token = kv_bytes_per_token(info, terms.dtype)
    wanted = max(CPU_KV_TOKENS, 2 * context) * per_token
    left = free - weight_bytes(info, terms.dtype) - overhead_of(info, terms)
    return max(min(wanted, free // 4, left // 2), context * per_token, 64 * MIB)
