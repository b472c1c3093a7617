"""The LoRA adapters of a model: their folders, read as far as an engine must know before it loads
them, and what it is asked for because of them.

It reads one small file of each and refuses to import vLLM.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from tokenwire.engine.families import read_object


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


# What vLLM has room for: the least that is enough is taken.
RANKS: Final = (8, 16, 32, 64, 128, 256, 320, 512)
# So many different ones may be in one step; each takes room. Others wait for it.
MOST_AT_ONCE: Final = 8


class Adapter(NamedTuple):
    """One adapter: its name, its folder, the rank of its matrices and the bytes of its weights;
    `problem` is why it can't be loaded, in words that stand after its name.
    """

    name: str
    path: str
    rank: int = 0
    size: int = 0
    problem: str | None = None


def read_adapters(folders: Mapping[str, str]) -> list[Adapter]:
    """Those that are set for a model, broken ones among them: it is loaded without these."""
    return [_read(name, Path(folder).expanduser().absolute()) for name, folder in folders.items()]


def adapter_arguments(adapters: Sequence[Adapter]) -> dict[str, Any]:
    """The keywords of AsyncEngineArgs that these need; none where there is none to load."""
    sound = [adapter for adapter in adapters if adapter.problem is None]
    if not sound:
        return {}
    most = max(adapter.rank for adapter in sound)
    return {
        "enable_lora": True,
        "max_loras": min(len(sound), MOST_AT_ONCE),
        "max_lora_rank": next(rank for rank in RANKS if rank >= most),
    }


def _read(name: str, folder: Path) -> Adapter:
    config = read_object(folder / "adapter_config.json")
    weights = [folder / f"adapter_model.{ending}" for ending in ("safetensors", "bin", "pt")]
    ranks = [config.get("r")]
    if isinstance(pattern := config.get("rank_pattern"), dict):
        ranks += cast("dict[str, object]", pattern).values()
    if not config:
        problem = f"there is no adapter_config.json in {folder} that can be read"
    elif config.get("peft_type", "LORA") != "LORA":
        problem = f"it is no LoRA adapter but {config['peft_type']}"
    elif not all(isinstance(rank, int) and 0 < rank <= RANKS[-1] for rank in ranks):
        problem = f"its rank `r` is not between 1 and {RANKS[-1]}"
    elif not any(file.is_file() for file in weights):
        problem = f"there are no weights in {folder}"
    else:
        size = next(file.stat().st_size for file in weights if file.is_file())
        return Adapter(name, str(folder), max(cast("list[int]", ranks)), size)
    return Adapter(name, str(folder), problem=problem)
