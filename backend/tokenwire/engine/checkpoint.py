"""Says in a sentence why a model's folder can't be served, before anything is started for it.

It reads names, config files and the headers of weights, and refuses to import vLLM: what vLLM
knows, it is told.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final, cast

from tokenwire.engine.families import chat_template, read_object
from tokenwire.engine.weights import BrokenFile, Weight, weights_in


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path


INDEX: Final = "model.safetensors.index.json"
NO_CHAT_TEMPLATE: Final = (
    "This model has no chat template, so it can't take a chat. Give it one in the setting "
    "`chat_template`, or send it raw text: /v1/completions takes that."
)
# Beginnings of the `model_type` of those whose chats vLLM puts together itself.
_OWN_CHATS: Final = (
    "blip-2",
    "deepseek_ocr",
    "deepseek_v4",
    "deepseek_v32",
    "deepseek_vl_v2",
    "inkling",
    "kimi_audio",
    "kimi_k3",
    "minicpmv",
    "moonshot_kimia",
    "paligemma",
    "unlimited",
)
_TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "tekken.json", "tiktoken.model")
_EMBEDS: Final = "It makes embeddings, not text."
_JUDGES: Final = "It judges texts (a classifier or a reranker); it writes none."
_DRAFTS: Final = "It only speeds up another model (speculative decoding)."
# By the end of an architecture's name, the first that fits; None: it writes text. As vLLM decides.
_KINDS: Final[tuple[tuple[tuple[str, ...], str | None], ...]] = (
    (("WhisperForConditionalGeneration",), "It writes down speech; it can't be asked anything."),
    (("ForCausalLM", "ForConditionalGeneration", "LMHeadModel"), None),
    (("ChatModel", "ChatGLMModel", "LMModel", "AudioModel", "OmniModel", "UltravoxModel"), None),
    (("MTP", "MTPModel", "DraftModel", "DSparkModel", "AssistantModel", "MedusaModel"), _DRAFTS),
    (("RewardModel", "ForRewardModeling", "Classification", "ClassificationModel"), _JUDGES),
    (("ForRanking",), _JUDGES),
    (("ForMaskedLM", "ForTextEncoding", "ForRetrieval", "Model"), _EMBEDS),
)
_SHARD: Final = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.safetensors")
# Weights that vLLM joins, and accepts when one of them is missing: what it makes then is noise.
_JOINED: Final = re.compile(
    r"(?P<block>.+)\.(?P<part>(?:q|k|v|o|gate|up|down)_proj)\.(?P<kind>\w+)"
)
_NUMBER: Final = re.compile(r"\.\d+\b")


def problem_of(folder: Path, architectures: frozenset[str] | None = None) -> str | None:
    """Why the model can't be served, None where nothing speaks against it. `architectures` are
    those that vLLM can run.

    Reads the header of each file of weights: milliseconds, also for a large model.
    """
    if problem := outer_problem(folder):
        return problem
    if architectures is not None and (problem := architecture_problem(folder, architectures)):
        return problem
    try:
        weights = all_weights(folder)
    except BrokenFile as error:
        return str(error)
    except OSError as error:
        return f"Its weights can't be read: {error.strerror}."
    if lacking := _lacking(weights, read_object(folder / "config.json")):
        return f"Its weights are incomplete: {_list(lacking)} not there."
    return None


def outer_problem(folder: Path) -> str | None:
    """The part of `problem_of` that opens no file of weights, for a look at many models."""
    if not (folder / "config.json").exists() and (problem := _other_format(folder)):
        return problem
    try:
        found: object = json.loads((folder / "config.json").read_text())
    except FileNotFoundError:
        return "There is no config.json in the folder."
    except (OSError, ValueError) as error:
        return f"config.json can't be read: {error}"
    if not isinstance(found, dict):
        return "config.json can't be read: it is not a JSON object"
    if not weight_files(folder):
        return _other_format(folder) or "There are no .safetensors weights in the folder."
    if not _has_tokenizer(folder):
        return "There is no tokenizer in the folder."
    return _not_a_writer(folder, cast("dict[str, object]", found))


def architecture_problem(folder: Path, known: frozenset[str]) -> str | None:
    """The part of `problem_of` that asks what vLLM can run."""
    config = read_object(folder / "config.json")
    names = _names(config)
    # A model with its own code is vLLM's to judge, and the settings'.
    if not names or config.get("auto_map") or any(name in known for name in names):
        return None
    return f"vLLM doesn't know its architecture, {names[0]}."


def note_of(folder: Path) -> str | None:
    """What a person should know of a model that can be served."""
    kind = str(read_object(folder / "config.json").get("model_type"))
    own = (folder / "tekken.json").exists() or kind.startswith(_OWN_CHATS)
    return None if own or chat_template(folder) else NO_CHAT_TEMPLATE


def weight_files(folder: Path) -> list[Path]:
    """Its files of weights. The Hugging Face cache links to them; a link whose file is gone is no
    weight.
    """
    return [file for file in sorted(folder.glob("*.safetensors")) if file.is_file()]


def all_weights(folder: Path) -> dict[str, Weight]:
    """All weights that would be loaded, by their names. Raises BrokenFile and OSError."""
    index = cast("dict[str, str]", read_object(folder / INDEX).get("weight_map") or {})
    files = weight_files(folder)
    names = {file.name for file in files}
    if absent := set(index.values()) - names or set(_other_shards(names)) - names:
        raise BrokenFile(f"Its weights are incomplete: {_list(absent)} not there.")
    weights = dict[str, Weight]()
    for file in files:
        # As vLLM has it: what the index doesn't name is a copy in another format.
        if not index or file.name in index.values():
            weights |= weights_in(file)
    if absent := index.keys() - weights.keys():
        raise BrokenFile(f"Its weights are incomplete: {_list(absent)} named in {INDEX} only.")
    return weights


def _other_format(folder: Path) -> str | None:
    """Weights that are there, in a form that isn't served."""
    if (folder / "adapter_config.json").exists():
        return "It is an adapter, not a model: name it in `adapters` of the model that it is for."
    if (folder / "model_index.json").exists():
        return "It makes pictures, not text."
    for ending in ("gguf", "bin", "pth", "pt"):
        if next(folder.glob(f"*.{ending}"), None) is not None:
            return f"Its weights are .{ending} files; only .safetensors can be loaded."
    return None


def _has_tokenizer(folder: Path) -> bool:
    files = any((folder / name).exists() for name in _TOKENIZERS)
    return files or all((folder / name).exists() for name in ("vocab.json", "merges.txt"))


def _not_a_writer(folder: Path, config: dict[str, object]) -> str | None:
    # As sentence-transformers marks its models, whatever their architecture.
    if (folder / "modules.json").exists() and (folder / "1_Pooling").exists():
        return _EMBEDS
    kinds = [_kind(name) for name in _names(config)]
    return None if None in kinds or not kinds else kinds[0]


def _kind(architecture: str) -> str | None:
    for endings, kind in _KINDS:
        if architecture.endswith(endings):
            return kind
    return None


def _names(config: dict[str, object]) -> list[str]:
    found = config.get("architectures")
    return [str(name) for name in cast("list[object]", found)] if isinstance(found, list) else []


def _other_shards(names: Iterable[str]) -> Iterator[str]:
    """The files of which the names say that there must be more."""
    for name in names:
        if shard := _SHARD.fullmatch(name):
            for number in range(1, int(shard[3]) + 1):
                yield f"{shard[1]}-{number:05}-of-{shard[3]}.safetensors"


def _lacking(weights: Collection[str], config: dict[str, object]) -> set[str]:
    """Weights that others say must be there."""
    lacking = set(_torn(weights))
    embedded = any("emb" in name or "wte" in name for name in weights)
    if not embedded:
        lacking.add("the embedding")
    names = [name for name in weights if name.endswith("embed_tokens.weight")]
    headless = not any("head" in name or "output" in name for name in weights)
    if names and headless and config.get("tie_word_embeddings") is False:
        lacking.add("lm_head.weight")
    return lacking


def _torn(weights: Iterable[str]) -> Iterator[str]:
    """The weights that one block of its kind lacks, and all others have."""
    blocks: defaultdict[str, set[str]] = defaultdict(set)
    having: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for name in weights:
        if joined := _JOINED.fullmatch(name):
            kind = _NUMBER.sub(".*", joined["block"])
            blocks[kind].add(joined["block"])
            having[kind, f"{joined['part']}.{joined['kind']}"].add(joined["block"])
    for (kind, part), those in having.items():
        without = blocks[kind] - those
        # Several without are a way of building: there are layers that share their keys and values.
        if len(without) == 1:
            yield f"{without.pop()}.{part}"
    for kind, all_of_it in blocks.items():
        gates, ups = having[kind, "gate_proj.weight"], having[kind, "up_proj.weight"]
        for block in (gates ^ ups) & all_of_it:
            yield f"{block}.{'up' if block in gates else 'gate'}_proj.weight"


def _list(names: Iterable[str]) -> str:
    """The first of them and how many more, with the verb."""
    first, *others = sorted(names)
    if not others:
        return f"{first} is"
    return f"{first} and {len(others)} more are"
