"""One engine process for several AsyncLLM, each in a process of its own (`bare.py`): what vLLM has
for a server of several processes. Runs until its stdin is closed. It refuses to know what is asked.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bare import addresses, engine_config, quiet_vllm


def main(model: str, folder: str, count: str) -> None:
    from vllm.v1.engine.utils import EngineZmqAddresses, launch_core_engines
    from vllm.v1.executor import Executor

    config = engine_config(model, Path(folder))
    executor = Executor.get_class(config)
    met = [addresses(Path(folder), index) for index in range(int(count))]
    where = EngineZmqAddresses(
        inputs=[each["input_address"] for each in met],
        outputs=[each["output_address"] for each in met],
    )
    with launch_core_engines(config, executor, log_stats=False, addresses=where) as launch:
        pass
    print("ready", flush=True)
    sys.stdin.read()
    if launch.engine_manager is not None:
        launch.engine_manager.shutdown(timeout=1)


if __name__ == "__main__":
    with quiet_vllm():
        main(*sys.argv[1:])
