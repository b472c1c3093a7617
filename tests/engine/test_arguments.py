"""What an engine is asked for: the arguments of all models and of one, how a CPU computes, and what
an answer has where its request says nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tokenwire.engine.arguments import (
    EXECUTOR,
    PARALLEL_EXECUTOR,
    WORKER,
    cpu_dtype,
    engine_arguments,
    refuse_unknown,
    sampling_arguments,
    with_system,
)
from tokenwire.engine.base import EngineLimits, JsonObject, Prompt, Sampling
from tokenwire.engine.environment import ENVIRONMENT_KEY
from tokenwire.engine.launch import EngineOptions
from tokenwire.engine.models import ModelInfo
from tokenwire.engine.options import ModelOptions, WrongSetting
from tokenwire.engine.progress import PROGRESS_KEY


CONFIG = {"num_attention_heads": 4, "hidden_size": 256, "num_hidden_layers": 4}


@pytest.fixture
def info(tmp_path: Path) -> ModelInfo:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return ModelInfo(id="m", path=str(tmp_path), context_length=2048)


def arguments(info: ModelInfo, own: ModelOptions | None = None, **of_all: Any) -> dict[str, Any]:
    models = {info.id: own} if own is not None else {}
    options = EngineOptions(run_dir=Path("run"), engine_args=of_all, models=models)
    return engine_arguments(options, info, Path("progress"))


def test_what_is_set_for_a_model_goes_over_what_is_set_for_all(info: ModelInfo) -> None:
    own = ModelOptions(engine_args={"dtype": "float32", "seed": 3})

    plain, given = arguments(info), arguments(info, own, dtype="float16", block_size=64)

    assert (plain["model"], plain["max_num_seqs"]) == (info.path, 256)
    assert plain["distributed_executor_backend"] == EXECUTOR
    assert (given["dtype"], given["seed"], given["block_size"]) == ("float32", 3, 64)
    assert arguments(info, dtype="float16")["dtype"] == "float16"


def test_what_is_set_for_another_model_is_not_asked_for(info: ModelInfo) -> None:
    models = {"other": ModelOptions(engine_args={"seed": 3})}
    options = EngineOptions(run_dir=Path("run"), models=models)

    assert "seed" not in engine_arguments(options, info, Path("progress"))


def test_its_environment_travels_with_the_configuration(info: ModelInfo) -> None:
    own = ModelOptions(
        environment={"VLLM_A": "1"}, engine_args={"additional_config": {"theirs": True}}
    )

    assert arguments(info, own)["additional_config"] == {
        "theirs": True,
        PROGRESS_KEY: "progress",
        ENVIRONMENT_KEY: {"VLLM_A": "1"},
    }


@pytest.mark.parametrize("name", ["tensor_parallel_size", "pipeline_parallel_size"])
def test_a_model_of_several_ranks_has_a_process_for_each(
    name: str, info: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENWIRE_DEVICE", "cpu")
    ray = {name: 2, "distributed_executor_backend": "ray"}

    alone, two = arguments(info), arguments(info, ModelOptions(engine_args={name: 2}))

    assert "worker_extension_cls" not in alone
    assert two["distributed_executor_backend"] == PARALLEL_EXECUTOR
    assert two["worker_extension_cls"] == WORKER
    # Each has room for all tokens, of its part of the model.
    assert two["kv_cache_memory_bytes"] == alone["kv_cache_memory_bytes"] // 2
    assert arguments(info, ModelOptions(engine_args=ray))["distributed_executor_backend"] == "ray"


def test_an_argument_that_no_engine_has_is_refused_by_its_name() -> None:
    known = ["tensor_parallel_size", "dtype"]
    refuse_unknown(["dtype"], known)
    with pytest.raises(WrongSetting, match="'tensor_size'; did you mean 'tensor_parallel_si"):
        refuse_unknown(["dtype", "tensor_size"], known)
    with pytest.raises(WrongSetting, match=r"no engine argument 'xyz'\.$"):
        refuse_unknown(["xyz"], known)


@pytest.mark.parametrize(
    ("flags", "size_bytes", "dtype"),
    [
        ("flags : fpu avx512f avx512_bf16 amx_tile", 1 << 20, "bfloat16"),
        ("Features : fp asimd i8mm bf16 sme", 1 << 20, "bfloat16"),
        ("flags : fpu avx512f avx512_vnni", 1 << 20, "float32"),
        ("flags : fpu avx512f avx512_vnni", None, "float32"),
        ("", 1 << 20, "float32"),
        # Twice as large in memory, it would not fit.
        ("flags : fpu avx512f avx512_vnni", 1 << 50, "bfloat16"),
    ],
)
def test_a_cpu_without_bfloat16_computes_in_float32_where_that_fits(
    flags: str, size_bytes: int | None, dtype: str
) -> None:
    assert cpu_dtype(ModelInfo(id="m", path="nowhere", size_bytes=size_bytes), flags) == dtype


def test_a_request_that_says_nothing_has_the_defaults_of_its_model() -> None:
    defaults: dict[str, float | int] = {"temperature": 0.25, "top_k": 7, "max_tokens": 12}
    limits = EngineLimits(context_length=100, max_running=1, kv_tokens=100, defaults=defaults)

    silent = sampling_arguments(limits, Prompt((1, 2)), Sampling())
    asked = sampling_arguments(limits, Prompt((1, 2)), Sampling(temperature=0.0, max_tokens=40))
    long = sampling_arguments(limits, Prompt((1,) * 95), Sampling())

    assert (silent["temperature"], silent["top_k"], silent["max_tokens"]) == (0.25, 7, 12)
    assert (asked["temperature"], asked["top_k"], asked["max_tokens"]) == (0.0, 7, 40)
    assert long["max_tokens"] == 5


def test_the_tokens_that_an_answer_was_begun_with_are_not_counted() -> None:
    defaults: dict[str, float | int] = {"max_tokens": 12}
    limits = EngineLimits(context_length=100, max_running=1, kv_tokens=100, defaults=defaults)

    def bounds(**fields: Any) -> tuple[int, int]:
        made = sampling_arguments(limits, Prompt((1, 2)), Sampling(**fields))
        return made["min_tokens"], made["max_tokens"]

    assert bounds(before=30) == (0, 42)
    assert bounds(before=30, max_tokens=5, min_tokens=3) == (33, 35)
    # All of it has to fit.
    assert bounds(before=95, max_tokens=5, min_tokens=5) == (98, 98)


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_chat_without_instructions_gets_those_of_its_model(role: str) -> None:
    chat: list[JsonObject] = [{"role": "user", "content": "Hi"}]
    told: list[JsonObject] = [{"role": role, "content": "Be loud."}, *chat]

    assert with_system(chat, "Be brief.") == [{"role": "system", "content": "Be brief."}, *chat]
    assert with_system(told, "Be brief.") is told
    assert with_system(chat, None) is chat
