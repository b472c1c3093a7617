"""The engine room as the server opens it, in the process of a test: real engines, and nothing of
the server around them. It refuses to know what a test does with them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.server import ROOT
from tokenwire.engine import environment
from tokenwire.engine.base import Delta, Engine, Prompt, Resume, Sampling
from tokenwire.engine.launch import EngineOptions, VllmEngines
from tokenwire.engine.ledger import RecoveryPolicy
from tokenwire.engine.options import ModelOptions


POLICY = RecoveryPolicy(starts=20, backoff_s=0.01)


@contextmanager
def open_engines(
    folder: Path,
    models: Mapping[str, ModelOptions] | None = None,
    policy: RecoveryPolicy = POLICY,
) -> Generator[VllmEngines]:
    """The room, with what is set for its models."""
    before = dict(os.environ)
    # What the forkserver imports is this package, not one that is installed.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "backend"), str(ROOT / "tests")])
    run_dir = environment.run_directory(folder)
    environment.prepare(run_dir, log_level="info")
    environment.start_forkserver()
    engines = VllmEngines(EngineOptions(run_dir=run_dir, recovery=policy, models=models or {}))
    try:
        yield engines
    finally:
        engines.close()
        environment.stop_forkserver()
        os.environ.clear()
        os.environ.update(before)


async def answer(
    engine: Engine,
    prompt: Prompt,
    sampling: Sampling,
    heard: Callable[[Delta], object] = lambda _: None,
    resume: Resume | None = None,
) -> str:
    """The text of an answer; `heard` gets each piece of it as it comes."""
    texts = list[str]()

    def take(delta: Delta) -> None:
        texts.append(delta.text)
        heard(delta)

    await engine.generate(prompt, sampling, "answer", take, resume)
    return "".join(texts)
