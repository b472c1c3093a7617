"""What a test asks the worker of a real engine: vLLM mixes this into it by the engine argument
`worker_extension_cls`. It refuses to change anything there.
"""

from __future__ import annotations

import os

import torch


class Told:
    """The words to ask it with, by `collective_rpc`."""

    def told_variable(self, name: str) -> str | None:
        return os.environ.get(name)

    def told_threads(self) -> int:
        return torch.get_num_threads()
