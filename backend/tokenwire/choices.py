"""From the settings to what the engine room is made with.

Part of the composition root: the settings know no engine, and the engine room no settings.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from tokenwire.engine.budget import fits as budget_fits
from tokenwire.engine.budget import fits_machine, free_memory, total_memory
from tokenwire.engine.cores import Cores, cores_file
from tokenwire.engine.downloads import Downloads
from tokenwire.engine.environment import is_cpu_build
from tokenwire.engine.families import ParserNames
from tokenwire.engine.launch import EngineOptions
from tokenwire.engine.library import LocalLibrary
from tokenwire.engine.options import ModelOptions
from tokenwire.engine.residents import Bounds


if TYPE_CHECKING:
    from pathlib import Path

    from tokenwire.config import Model, Settings


def engine_options(settings: Settings, run_dir: Path) -> EngineOptions:
    return EngineOptions(
        run_dir=run_dir,
        max_running=settings.max_running,
        max_model_len=settings.max_model_len,
        kv_cache_bytes=settings.kv_cache_bytes,
        engine_args=settings.engine_args,
        models={id: _model_options(model) for id, model in settings.models.items()},
    )


def _model_options(model: Model) -> ModelOptions:
    parsers, sampling = model.parsers, msgspec.structs.asdict(model.sampling)
    return ModelOptions(
        path=model.path,
        engine_args=model.engine_args,
        environment=model.environment,
        chat_template=model.chat_template,
        parsers=ParserNames(parsers.tool, parsers.reasoning) if parsers else None,
        sampling={name: value for name, value in sampling.items() if value is not None},
        system_prompt=model.system_prompt,
        aliases=model.aliases,
        pinned=model.pinned,
        keep_alive_s=model.keep_alive,
        adapters=model.adapters,
    )


def bounds(settings: Settings, run_dir: Path) -> Bounds:
    cores = Cores(cores_file(run_dir), len(os.sched_getaffinity(0))) if is_cpu_build() else None
    most = settings.memory_bytes

    def fits(needed: int) -> str | None:
        total = total_memory()
        return fits_machine(needed, total if most is None or total is None else min(most, total))

    def free(needed: int, held: int) -> str | None:
        free = free_memory()
        if most is not None:
            free = most - held if free is None else min(most - held, free)
        return budget_fits(needed, free)

    return Bounds(
        max_loaded=settings.max_loaded_models,
        keep_alive_s=settings.keep_alive,
        fits=fits,
        free=free,
        computing=cores.share if cores else lambda _: None,
    )


def local_library(settings: Settings, options: EngineOptions) -> LocalLibrary:
    """Raises LookupError where the default model that was named is nothing."""
    return LocalLibrary(
        settings.data_path,
        Downloads(),
        named=settings.model,
        options=options.models,
        folders=settings.model_folders,
    )
