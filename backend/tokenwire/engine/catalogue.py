"""What could run on this machine: the demo model, the models folder, the Hugging Face cache, one
named folder.

A directory scan that reads config files only. It refuses to know what is running; a folder that
can't be served is listed with the reason, not hidden.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from tokenwire.engine.base import Capabilities
from tokenwire.engine.checkpoint import (
    architecture_problem,
    note_of,
    outer_problem,
    weight_files,
)
from tokenwire.engine.curated import CURATED
from tokenwire.engine.families import parser_names, read_object
from tokenwire.engine.hub_cache import whole_models
from tokenwire.engine.models import ModelInfo
from tokenwire.engine.options import NO_OPTIONS


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tokenwire.engine.families import ParserNames
    from tokenwire.engine.options import ModelOptions


# How the hub names a model.
REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
DEMO_ID = "tokenwire-demo"
DEMO_PATH = Path(__file__).resolve().parent.parent / "demo_model"
_DEMO_DESCRIPTION = (
    "A tiny model that ships with Tokenwire: it chats, counts, remembers and explains Tokenwire."
)


def find_models(
    data_dir: Path,
    named: str | None = None,
    options: Mapping[str, ModelOptions] | None = None,
    folders: Iterable[str] = (),
    architectures: frozenset[str] | None = None,
) -> tuple[list[ModelInfo], str]:
    """All models that could run or be fetched, and the id of the default one.

    `named` is what the user asked for with --model: an id in the list or another name for it, a
    folder, or a repository of the hub. Raises LookupError with a sentence when it is none of these.
    `options` are what the user has set for a model, `folders` further places to look in, and
    `architectures` those that can be served, once that is known.
    """
    options = options or {}
    models: dict[str, ModelInfo] = {}

    def found(folder: Path, id: str, **known: Any) -> None:
        if id not in models:
            info = describe(folder, id, options.get(id, NO_OPTIONS).parsers)
            if not info.problem and architectures is not None:
                known["problem"] = architecture_problem(folder, architectures)
            models[id] = replace(info, **known)

    for id, folder, known in _here(data_dir, options, folders):
        found(folder, id, **known)
    for listed in CURATED:
        here = models.get(listed.id, listed)
        models[listed.id] = replace(
            here,
            description=here.description or listed.description,
            licence=listed.licence,
            modalities=listed.modalities,
        )
    default = _default(models, options, named, found)
    for id in options.keys() & models.keys():
        models |= _as_set(models[id], options[id])
    return list(models.values()), default


def _here(
    data_dir: Path, options: Mapping[str, ModelOptions], folders: Iterable[str]
) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """Every folder of a model: its id, the folder, and what is known of it beside. The first of a
    name counts.
    """
    demo = {"source": "demo", "owned_by": "tokenwire", "description": _DEMO_DESCRIPTION}
    yield DEMO_ID, DEMO_PATH, demo
    for id, option in options.items():
        if option.path is not None:
            yield id, Path(option.path).expanduser(), {}
    for parent in (data_dir / "models", *(Path(folder).expanduser() for folder in folders)):
        yield from ((folder.name, folder, {}) for folder in _folders(parent))
    for name, folder in whole_models():
        yield name, folder, {"source": "cache", "owned_by": name.split("/", 1)[0]}


def _default(
    models: dict[str, ModelInfo],
    options: Mapping[str, ModelOptions],
    named: str | None,
    found: Callable[[Path, str], None],
) -> str:
    if named is None:
        return DEMO_ID
    other_names = {alias: id for id, option in options.items() for alias in option.aliases}
    named = other_names.get(named, named)
    if named in models:
        return named
    if (folder := Path(named).expanduser()).is_dir():
        folder = folder.resolve()
        found(folder, folder.name)
        return folder.name
    if not REPOSITORY.fullmatch(named):
        raise LookupError(
            f"There is no model {named!r}: it is no folder, not in the models folder of the data "
            "folder, not in the Hugging Face cache, and no name of the hub (owner/name)."
        )
    models[named] = ModelInfo(id=named, path="", source="hub", owned_by=named.split("/", 1)[0])
    return named


def _as_set(info: ModelInfo, option: ModelOptions) -> dict[str, ModelInfo]:
    """A model as a person has set it, and its adapters."""
    info = replace(
        info,
        aliases=option.aliases,
        pinned=option.pinned,
        keep_alive_s=option.keep_alive_s,
        # It speaks of a template that is missing.
        note=None if option.chat_template else info.note,
    )
    models = {info.id: info}
    for name, folder in option.adapters.items():
        path = Path(folder).expanduser()
        missing = not (path / "adapter_config.json").is_file()
        adapter = replace(
            info,
            id=f"{info.id}:{name}",
            path=str(path),
            source="adapter",
            base=info.id,
            aliases=(),
            pinned=False,
            size_bytes=_weight_bytes(path),
            description=f"{info.id} with the adapter {name}.",
            problem=f"There is no adapter_config.json in {path}." if missing else info.problem,
        )
        models[adapter.id] = adapter
    return models


def _weight_bytes(folder: Path) -> int | None:
    return sum(file.stat().st_size for file in weight_files(folder)) or None


def describe(folder: Path, model_id: str, parsers: ParserNames | None = None) -> ModelInfo:
    """What a folder in the Hugging Face format says of itself, `problem` set when it can't be
    served. `parsers` are believed, where they were named, rather than the folder.
    """
    config = read_object(folder / "config.json")
    inner = config.get("text_config")
    text = cast("dict[str, object]", inner) if isinstance(inner, dict) else config
    context = text.get("max_position_embeddings")
    info = ModelInfo(
        id=model_id,
        path=str(folder),
        context_length=context if isinstance(context, int) else None,
        size_bytes=_weight_bytes(folder),
        created=int((folder / "config.json").stat().st_mtime) if config else 0,
        problem=outer_problem(folder),
    )
    if info.problem:
        return info
    return replace(
        info,
        note=note_of(folder),
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
