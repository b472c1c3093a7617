"""What a model needs of the memory, what of it is free, and what KV cache a CPU gets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.weights import names_of, write_weights
from tokenwire.engine import arguments, budget
from tokenwire.engine.arguments import engine_arguments
from tokenwire.engine.budget import (
    CPU_ENGINE_BYTES,
    GPU_ENGINE_BYTES,
    Memory,
    Terms,
    adapter_bytes,
    fits,
    free_memory,
    kv_bytes_per_token,
    need_of,
    overhead_of,
    total_memory,
    weight_bytes,
)
from tokenwire.engine.catalogue import describe
from tokenwire.engine.launch import EngineOptions, VllmEngines
from tokenwire.engine.machine import machine_memory
from tokenwire.engine.models import ModelInfo
from tokenwire.engine.options import ModelOptions
from tokenwire.engine.progress import MIB


CONFIG: dict[str, object] = {
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 1000,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
NUMBERS = len(names_of()) * 1024 * 1024


@pytest.fixture(autouse=True)
def _on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENWIRE_DEVICE", "cpu")


def make_info(folder: Path, *, stored: str = "BF16", **config: object) -> ModelInfo:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    (folder / "tokenizer.json").write_text("{}")
    write_weights(folder / "model.safetensors", names_of(), stored, (1024, 1024))
    return describe(folder, "m")


def has(monkeypatch: pytest.MonkeyPatch, free: int, total: int | None = None) -> None:
    """The machine has so much."""

    def found() -> Memory:
        return Memory(free, total or free)

    monkeypatch.setattr(budget, "memory", found)


@pytest.mark.parametrize("stored", ["BF16", "F32", "F16"])
def test_weights_count_as_they_will_be_loaded(tmp_path: Path, stored: str) -> None:
    info = make_info(tmp_path / stored, stored=stored)

    assert weight_bytes(info, "bfloat16") == weight_bytes(info, "auto") == 2 * NUMBERS
    assert weight_bytes(info, "float32") == 4 * NUMBERS


def test_what_is_no_float_stays_as_it_is(tmp_path: Path) -> None:
    info = make_info(tmp_path / "m", stored="U8")

    assert weight_bytes(info, "float32") == weight_bytes(info, "bfloat16") == NUMBERS


def test_weights_that_can_not_be_read_count_as_files(tmp_path: Path) -> None:
    info = make_info(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"broken")

    assert weight_bytes(replace(info, size_bytes=1000), "bfloat16") == 1000
    assert weight_bytes(replace(info, size_bytes=1000), "float32") == 2000


@pytest.mark.parametrize(
    ("config", "per_token"),
    [
        ({}, 2 * 2 * 3 * 2 * 16),
        ({"num_key_value_heads": None}, 2 * 2 * 3 * 4 * 16),
        ({"head_dim": 128}, 2 * 2 * 3 * 2 * 128),
        ({"text_config": CONFIG | {"num_hidden_layers": 5}}, 2 * 2 * 5 * 2 * 16),
        # Latent attention keeps one vector for keys and values.
        ({"kv_lora_rank": 512, "qk_rope_head_dim": 64}, 2 * 3 * 576),
    ],
)
def test_a_token_in_the_kv_cache(tmp_path: Path, config: dict[str, object], per_token: int) -> None:
    info = make_info(tmp_path / "m", **{"num_key_value_heads": 2, **config})  # pyright: ignore[reportArgumentType]

    assert kv_bytes_per_token(info, "bfloat16") == per_token
    assert kv_bytes_per_token(info, "float32") == 2 * per_token


def test_the_need_on_a_cpu_is_weights_cache_and_process(tmp_path: Path) -> None:
    info = make_info(tmp_path / "m")
    head, logits = 1000 * 64 * 2, 1000 * 256 * 4
    assert overhead_of(info) == CPU_ENGINE_BYTES + 2 * head + 2 * logits
    assert need_of(info, kv_bytes=MIB) == 2 * NUMBERS + MIB + overhead_of(info)
    # Without a size: one context.
    context = Terms(context=100)
    assert need_of(info, kv_bytes=None, terms=context) == (
        2 * NUMBERS + 100 * kv_bytes_per_token(info, "auto") + overhead_of(info)
    )
    # Several processes: each has its cache, and one more leads them.
    spread = need_of(info, kv_bytes=MIB, terms=Terms(ranks=2))
    assert spread == need_of(info, kv_bytes=2 * MIB) + 2 * CPU_ENGINE_BYTES


def test_places_for_adapters_count_whatever_is_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = make_info(tmp_path / "m")
    sides, adapters = len(names_of()) * 2048, Terms(places=3, rank=16)

    def added(**terms: Any) -> int:
        plain = Terms(**terms)
        more = plain._replace(places=3, rank=16)
        return need_of(info, kv_bytes=MIB, terms=more) - need_of(info, kv_bytes=MIB, terms=plain)

    assert adapter_bytes(info, adapters) == added() == 3 * 16 * sides * 2
    read = Terms(places=3, rank=16, adapters=500)
    assert need_of(info, kv_bytes=MIB, terms=read) - need_of(info, kv_bytes=MIB) == added() + 500
    assert added(dtype="float32") == 2 * added()
    assert added(ranks=2) == 2 * added()
    monkeypatch.setenv("TOKENWIRE_DEVICE", "cuda")
    monkeypatch.setattr(budget, "memory", lambda: None)
    assert added() == 3 * 16 * sides * 2


def test_a_last_layer_that_is_tied_to_the_first_has_a_place_of_its_own(tmp_path: Path) -> None:
    info = make_info(tmp_path / "m")
    names = [name for name in names_of() if name != "lm_head.weight"]
    write_weights(tmp_path / "m" / "model.safetensors", names, "BF16", (1024, 1024))
    tied = describe(tmp_path / "m", "m")
    one = Terms(places=1, rank=1)

    assert adapter_bytes(tied, one) == adapter_bytes(info, one)


def test_on_a_gpu_vllm_takes_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENWIRE_DEVICE", "cuda")
    info = make_info(tmp_path / "m")
    has(monkeypatch, 50 << 30, 80 << 30)
    assert need_of(info, kv_bytes=MIB, terms=Terms(gpu_share=0.5)) == 40 << 30
    # A model that doesn't fit into its share needs what it needs.
    assert need_of(info, kv_bytes=100 << 30, terms=Terms(gpu_share=0.5, ranks=2)) == (
        NUMBERS + (100 << 30) + GPU_ENGINE_BYTES
    )
    monkeypatch.setattr(budget, "memory", lambda: None)
    assert need_of(info, kv_bytes=MIB) == 2 * NUMBERS + MIB + GPU_ENGINE_BYTES
    assert (free_memory(), total_memory()) == (None, None)


@pytest.mark.parametrize(
    ("need", "free", "said"),
    [
        (5_200_000_000, 3_100_000_000, "It needs 5.2 GB and 3.1 GB are free."),
        (3_149_000_000, 3_148_000_000, "It needs 3.2 GB and 3.1 GB are free."),
        (1_000_000_000, -5, "It needs 1.0 GB and 0.0 GB are free."),
        (5, 5, None),
        (5, None, None),
    ],
)
def test_what_does_not_fit_is_said_with_both_numbers(
    need: int, free: int | None, said: str | None
) -> None:
    assert fits(need, free) == said


def kernel(root: Path, files: dict[str, str]) -> Path:
    """What a kernel says."""
    meminfo = "MemTotal:       1000000 kB\nMemAvailable:    600000 kB\nHugePages_Total:       0\n"
    for name, text in {"proc/meminfo": meminfo, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


KIB = 1024
V2 = {"proc/self/cgroup": "0::/app.slice/tokenwire\n"}
V1 = {"proc/self/cgroup": "9:cpu:/\n4:memory,hugetlb:/docker/abc\n0::/\n"}
GROUPS: list[tuple[dict[str, str], tuple[int, int]]] = [
    ({}, (600_000 * KIB, 1_000_000 * KIB)),
    ({**V2, "sys/fs/cgroup/app.slice/tokenwire/memory.max": "max\n"}, (614_400_000, 1_024_000_000)),
    (
        {
            **V2,
            "sys/fs/cgroup/app.slice/memory.max": "5000\n",
            "sys/fs/cgroup/app.slice/memory.current": "4000\n",
            "sys/fs/cgroup/app.slice/memory.stat": "anon 7\ninactive_file 200\nactive_file 100\n",
        },
        (1300, 5000),
    ),
    (
        {
            **V1,
            "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes": "77\n",
            # As a container sees its own.
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9000\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "9500\n",
        },
        (0, 9000),
    ),
]


@pytest.mark.parametrize(("files", "memory"), GROUPS)
def test_the_free_memory_is_that_of_the_machine_and_of_its_groups(
    tmp_path: Path, files: dict[str, str], memory: tuple[int, int]
) -> None:
    assert machine_memory(kernel(tmp_path, files)) == memory


def test_a_kernel_that_says_nothing_is_believed(tmp_path: Path) -> None:
    assert machine_memory(tmp_path) is None


def test_this_machine_has_memory() -> None:
    free, total = free_memory(), total_memory()
    assert free is not None
    assert total is not None
    assert 0 < free < total


def kv_bytes(
    info: ModelInfo, monkeypatch: pytest.MonkeyPatch, free: int, **engine_args: object
) -> int:
    monkeypatch.setattr(arguments, "free_memory", lambda: free)
    options = EngineOptions(run_dir=Path(), engine_args={"dtype": "bfloat16", **engine_args})
    return engine_arguments(options, info, Path())["kv_cache_memory_bytes"]


def test_the_kv_cache_of_a_cpu_leaves_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "_cpu_flags", lambda: "avx512_bf16")
    info = make_info(tmp_path / "m", num_hidden_layers=60)
    per_token = kv_bytes_per_token(info, "bfloat16")
    rest = weight_bytes(info, "bfloat16") + overhead_of(info)
    assert kv_bytes(info, monkeypatch, 100 << 30) == 65_536 * per_token
    assert kv_bytes(info, monkeypatch, 1000 * MIB) == 250 * MIB
    # The weights leave less than a quarter; half of that stays free.
    assert kv_bytes(info, monkeypatch, rest + 160 * MIB) == 80 * MIB
    # So do places for adapters.
    adapters = {"enable_lora": True, "max_loras": 8, "max_lora_rank": 64}
    places = adapter_bytes(info, Terms("bfloat16", places=8, rank=64))
    assert kv_bytes(info, monkeypatch, rest + places + 160 * MIB, **adapters) == 80 * MIB
    # One context there must be, also where it doesn't fit: then nothing is started.
    assert kv_bytes(info, monkeypatch, 0) == max(4096 * per_token, 64 * MIB)


def test_engines_say_what_a_model_needs_with_its_settings(tmp_path: Path) -> None:
    info = make_info(tmp_path / "m")

    def need(adapters: dict[str, str] | None = None, **args: object) -> int | None:
        models = {"m": ModelOptions(adapters=adapters or {})}
        options = EngineOptions(run_dir=tmp_path, engine_args=args, models=models)
        return VllmEngines(options).need(info)

    fixed: dict[str, Any] = {"kv_cache_memory_bytes": MIB, "dtype": "bfloat16"}
    assert need(**fixed) == need_of(info, kv_bytes=MIB, terms=Terms("bfloat16"))
    assert need(**fixed, max_num_seqs=1) == need_of(
        info, kv_bytes=MIB, terms=Terms("bfloat16", running=1)
    )
    adapters: dict[str, Any] = {"enable_lora": True, "max_loras": 2, "max_lora_rank": 8}
    assert need(**fixed, **adapters) == need_of(
        info, kv_bytes=MIB, terms=Terms("bfloat16", places=2, rank=8)
    )
    assert need(**fixed, max_loras=2) == need(**fixed)
    folder = tmp_path / "pirate"
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"r": 9}')
    (folder / "adapter_model.safetensors").write_bytes(bytes(700))
    assert need({"pirate": str(folder)}, **fixed) == need_of(
        info, kv_bytes=MIB, terms=Terms("bfloat16", places=1, rank=16, adapters=700)
    )
    assert need(**fixed, tensor_parallel_size="two") is None
    options = EngineOptions(run_dir=tmp_path)
    assert VllmEngines(options).need(ModelInfo(id="x", path="nowhere")) is None
