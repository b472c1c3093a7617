"""What could run on this machine: the demo model, the models folder, the Hugging Face cache, one
named folder.

A directory scan that reads config files only. It refuses to know what is running; a folder that
can't be served is listed with the reason, not hidden.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tokenwire.engine.base import Capabilities
from tokenwire.engine.families import parser_names, read_object
from tokenwire.engine.models import ModelInfo
from tokenwire.engine.options import NO_OPTIONS


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tokenwire.engine.families import ParserNames
    from tokenwire.engine.options import ModelOptions


DEMO_ID = "tokenwire-demo"
DEMO_PATH = Path(__file__).resolve().parent.parent / "demo_model"
_DEMO_DESCRIPTION = (
    "A tiny model that ships with Tokenwire: it chats, counts, remembers and explains Tokenwire."
)


def find_models(
    data_dir: Path, named: str | None = None, options: Mapping[str, ModelOptions] | None = None
) -> tuple[list[ModelInfo], str]:
    """All models that could run, and the id of the default one.

    `named` is what the user asked for with --model: an id in the list, a folder, or a repository
    in the Hugging Face cache. Raises LookupError with a sentence when it is none of these.
    `options` are what the user has set for a model.
    """

    def found(folder: Path, model_id: str) -> ModelInfo:
        return describe(folder, model_id, (options or {}).get(model_id, NO_OPTIONS).parsers)

    demo = replace(found(DEMO_PATH, DEMO_ID), owned_by="tokenwire", description=_DEMO_DESCRIPTION)
    models = {demo.id: demo}
    for folder in _folders(data_dir / "models"):
        models.setdefault(folder.name, found(folder, folder.name))
    for name, folder in _hugging_face_cache():
        models.setdefault(name, found(folder, name))
    if named is None:
        return list(models.values()), DEMO_ID
    if named not in models:
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise LookupError(
                f"There is no model {named!r}: it is no folder, not in {data_dir / 'models'} "
                "and not in the Hugging Face cache."
            )
        folder = folder.resolve()
        models[folder.name] = found(folder, folder.name)
        named = folder.name
    return list(models.values()), named


def describe(folder: Path, model_id: str, parsers: ParserNames | None = None) -> ModelInfo:
    """What a folder in the Hugging Face format says of itself, `problem` set when it can't be
    served. `parsers` are believed, where they were named, rather than the folder.
    """
    # The Hugging Face cache links to its files; a link whose file is gone is no weight.
    weights = [file for file in sorted(folder.glob("*.safetensors")) if file.is_file()]
    info = ModelInfo(
        id=model_id,
        path=str(folder),
        size_bytes=sum(file.stat().st_size for file in weights) or None,
    )
    try:
        found: object = json.loads((folder / "config.json").read_text())
    except FileNotFoundError:
        return replace(info, problem="There is no config.json in the folder.")
    except (OSError, ValueError) as error:
        return replace(info, problem=f"config.json can't be read: {error}")
    if not isinstance(found, dict):
        return replace(info, problem="config.json can't be read: it is not a JSON object")
    config = cast("dict[str, object]", found)
    inner = config.get("text_config")
    text = cast("dict[str, object]", inner) if isinstance(inner, dict) else config
    context = text.get("max_position_embeddings")
    created = int((folder / "config.json").stat().st_mtime)
    info = replace(
        info, created=created, context_length=context if isinstance(context, int) else None
    )
    if not weights:
        return replace(info, problem="There are no .safetensors weights in the folder.")
    if not any((folder / name).exists() for name in ("tokenizer.json", "tokenizer.model")):
        return replace(info, problem="There is no tokenizer in the folder.")
    return replace(
        info,
        max_output_tokens=_max_output_tokens(folder),
        capabilities=_capabilities(parsers or parser_names(folder)),
    )


def _max_output_tokens(folder: Path) -> int | None:
    most = read_object(folder / "generation_config.json").get("max_new_tokens")
    return most if isinstance(most, int) and most > 0 else None


def _capabilities(parsers: ParserNames) -> Capabilities:
    """A grammar can bind any model; the rest is what there is a parser for."""
    return Capabilities(
        tools=parsers.tool is not None,
        reasoning=parsers.reasoning is not None,
        structured_output=True,
    )


def _folders(parent: Path) -> list[Path]:
    return sorted(p for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []


def _hugging_face_cache() -> Iterator[tuple[str, Path]]:
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    for repo in _folders(hub):
        if not repo.name.startswith("models--"):
            continue
        main = repo / "refs" / "main"
        if main.is_file() and (folder := repo / "snapshots" / main.read_text().strip()).is_dir():
            yield repo.name.removeprefix("models--").replace("--", "/"), folder
