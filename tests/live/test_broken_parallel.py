"""A model that is spread over two processes and can't be loaded: the one that finds out says why,
whether it was forked or spawned, and nothing is left of them."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from support.engines import open_engines
from support.model import make_model
from support.server import engines_of, wait_gone
from tokenwire.engine.launch import VllmEngines
from tokenwire.engine.models import ModelInfo, Stage
from tokenwire.engine.options import ModelOptions
from tokenwire.errors import ModelUnavailable


pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]

WEIGHTS = "model.safetensors"
# vLLM accepts that it is missing, and speaks noise.
LINEAR = "model.layers.1.self_attn.o_proj.weight"
CORES = {"VLLM_CPU_OMP_THREADS_BIND": "0|1"}


def spread(**environment: str) -> ModelOptions:
    return ModelOptions(
        engine_args={"tensor_parallel_size": 2}, environment={**CORES, **environment}
    )


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Generator[VllmEngines]:
    models = {"forked": spread(), "spawned": spread(VLLM_WORKER_MULTIPROC_METHOD="spawn")}
    with open_engines(tmp_path_factory.mktemp("run"), models) as engines:
        yield engines


@pytest.mark.parametrize("model", ["forked", "spawned"])
async def test_a_rank_that_misses_a_weight_says_so(
    model: str, engines: VllmEngines, tmp_path: Path
) -> None:
    folder = make_model(tmp_path / "m")
    weights = load_file(folder / WEIGHTS)
    del weights[LINEAR]
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    info = ModelInfo(id=model, path=str(folder), context_length=1024, size_bytes=1 << 20)
    stages = list[Stage]()

    with pytest.raises(ModelUnavailable) as refused:
        await engines.start(info, stages.append)
    assert str(refused.value) == (
        f"{model} could not be loaded: Its weights are incomplete: {LINEAR} is not there."
    )
    assert [stage.name for stage in stages][-1] == "weights"
    assert not wait_gone(engines_of(os.getpid()), 5)
