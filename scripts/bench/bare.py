"""AsyncLLM in a script: what the engine's own front end costs when nobody serves anything. A
process that reads orders as JSON lines on stdin and answers each with a line: the peer that
Tokenwire is held against.

It has the engine settings of Tokenwire and none of its code on the path of a token. Its engine is
its own, or one that `host.py` runs for several of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop
from load import Stream, quantile, statistics

from tokenwire.engine import environment
from tokenwire.engine.arguments import engine_arguments
from tokenwire.engine.launch import EngineOptions
from tokenwire.engine.models import ModelInfo


async def one(llm: Any, name: str, tokens: int, salt: str, index: int) -> Stream:
    from vllm import SamplingParams
    from vllm.renderers import ChatParams
    from vllm.sampling_params import RequestOutputKind

    stream = Stream(time.perf_counter())
    messages = [{"role": "user", "content": f"Tell me a story about {name}."}]
    params = ChatParams(chat_template_kwargs={"add_generation_prompt": True})
    _, (prompt,) = await llm.renderer.render_chat_async([messages], params)
    sampling = SamplingParams(
        temperature=0,
        max_tokens=tokens,
        ignore_eos=True,
        output_kind=RequestOutputKind.DELTA,
        skip_clone=True,
    )
    async for output in llm.generate(prompt, sampling, f"{salt}-{index}"):
        if output.outputs[0].text:
            stream.times.append(time.perf_counter())
    stream.ended = time.perf_counter()
    return stream


def engine_config(model: str, folder: Path) -> Any:
    """Tokenwire's settings for a model, as vLLM's configuration."""
    from vllm import AsyncEngineArgs

    info = ModelInfo(id="m", path=model, context_length=2048)
    arguments = engine_arguments(EngineOptions(run_dir=folder), info, folder / "progress")
    return AsyncEngineArgs(**arguments).create_engine_config()


def addresses(folder: Path, index: int) -> dict[str, str]:
    """Where the client `index` of an engine that is shared meets it."""
    return {f"{way}_address": f"ipc://{folder}/{way}{index}" for way in ("input", "output")}


async def main(model: str, shared: str = "", index: str = "0", count: str = "1") -> None:
    """`shared`: the folder of the engine that has `count` clients, of which this is one."""
    from vllm.v1.engine.async_llm import AsyncLLM

    with tempfile.TemporaryDirectory() as folder:
        place: dict[str, Any] = {"client_count": int(count), "client_index": int(index)}
        if shared:
            place["client_addresses"] = addresses(Path(shared), int(index))
        llm = await asyncio.to_thread(
            AsyncLLM.from_vllm_config,
            engine_config(model, Path(folder)),
            disable_log_stats=True,
            **place,
        )
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        try:
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                order = json.loads(line)
                began = time.perf_counter()
                names = [f"{order['salt']} {index}" for index in range(order["streams"])]
                streams = await asyncio.gather(
                    *(
                        one(llm, name, order["tokens"], order["salt"], index)
                        for index, name in enumerate(names)
                    )
                )
                gaps = [b - a for s in streams for a, b in zip(s.times, s.times[1:], strict=False)]
                result = {
                    "seconds": max(s.ended for s in streams) - began,
                    "ttft": statistics.median(s.times[0] - s.asked for s in streams if s.times),
                    "gap_p50": quantile(gaps, 0.5),
                    "gap_p99": quantile(gaps, 0.99),
                }
                print(json.dumps(result), flush=True)
        finally:
            llm.shutdown(timeout=1)


@contextmanager
def quiet_vllm() -> Generator[None]:
    """vLLM as Tokenwire imports it, saying nothing."""
    with tempfile.TemporaryDirectory() as run_dir:
        environment.prepare(Path(run_dir), log_level="error")
        logging.getLogger("vllm").setLevel("ERROR")
        yield


if __name__ == "__main__":
    with quiet_vllm(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
