"""What the house measures, by the names that Prometheus shows.

Part of the composition root: it reads the rooms and decides nothing.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenwire.engine.supervisor import Supervisor
    from tokenwire.generation.generations import Generations
    from tokenwire.metrics import Metrics


_LIVE: Final = {
    "running": "Requests in the batch",
    "waiting": "Requests that the engine has not begun",
    "kv_cache_usage": "Share of the KV cache in use",
    "prefix_cache_hit_rate": "Share of the prompts that the prefix cache had",
    "tokens_per_second": "Tokens made lately",
}
_TOTALS: Final = {
    "generation_tokens": "Tokens made",
    "prompt_tokens": "Tokens read",
    "prefix_queries": "Tokens looked up in the prefix cache",
    "prefix_hits": "Tokens found in the prefix cache",
}
_LOADED: Final = ("ready", "recovering", "draining")


def install(metrics: Metrics, generations: Generations, models: Supervisor) -> None:
    """Have them all read when the page is."""
    metrics.gauge("tokenwire_running", "Answers that are being made", lambda: generations.running)
    metrics.gauge("tokenwire_tasks", "Tasks of the event loop", lambda: len(asyncio.all_tasks()))
    metrics.gauge("tokenwire_waiting", "Requests in the line", lambda: generations.waiting)
    metrics.family("tokenwire_model_loaded", "gauge", "Models in memory", partial(_loaded, models))
    for name, text in _LIVE.items():
        metrics.family(f"tokenwire_engine_{name}", "gauge", text, partial(_live, models, name))
    for name, text in _TOTALS.items():
        whole = f"tokenwire_engine_{name}_total"
        metrics.family(whole, "counter", text, partial(_total, models, name))


def _loaded(models: Supervisor) -> Iterator[tuple[dict[str, str], float]]:
    for state in models.states():
        if state.info.path and not state.info.base:
            yield {"model": state.info.id}, float(state.phase in _LOADED)


def _live(models: Supervisor, name: str) -> Iterator[tuple[dict[str, str], float]]:
    for state in models.states():
        # An adapter's engine is its base model's, which is in the list too.
        value: float | None = getattr(state.live, name, None)
        if value is not None and not state.info.base:
            yield {"model": state.info.id}, value


def _total(models: Supervisor, name: str) -> Iterator[tuple[dict[str, str], float]]:
    for model, done in models.totals().items():
        yield {"model": model}, getattr(done, name)
