"""Why a load failed, in words that a person can act on: vLLM's errors become sentences.

It knows their texts, pinned by tests with captured ones, and refuses to import vLLM. What it
doesn't know, it shortens to its first useful line.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Final, NamedTuple


LINE_CHARS: Final = 300
# Fewer are no sentence, but a key or a name.
_LINE_WORDS: Final = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that kept an engine from starting: its type's name, and its text."""

    type: str
    text: str


def sentence(model: str, failure: Failure) -> str:
    """What is said of the load of `model` that failed so."""
    if ended := _ENDED.search(failure.text):
        return _ended(model, int(ended[1]))
    return f"{model} could not be loaded: {_why(failure)}"


def _why(failure: Failure) -> str:
    if missing := _MISSING.search(failure.text):
        first, *others = sorted(re.findall(r"'([^']+)'", missing[1])) or [missing[1]]
        more = f" and {len(others)} more are" if others else " is"
        return f"Its weights are incomplete: {first}{more} not there."
    for cause in _CAUSES:
        if found := cause.pattern.search(failure.text):
            values = {name: value.replace("'", "") for name, value in found.groupdict("").items()}
            return cause.words.format_map(values)
    if failure.type == "SafetensorError":
        return f"A file of weights is broken ({_useful_line(failure)}). Fetch the model again."
    if failure.type == "MemoryError":
        return "The machine is out of memory."
    return _useful_line(failure)


def _ended(model: str, code: int) -> str:
    """What became of a process that said nothing."""
    if code == -signal.SIGKILL:
        return (
            f"The engine process was killed while it loaded {model} (signal 9); "
            "the machine may be out of memory."
        )
    names = {-number: f"signal {number.value}, {number.name}" for number in signal.Signals}
    how = names.get(code, f"status {code}")
    return f"The engine process ended while it loaded {model} ({how})."


def _useful_line(failure: Failure) -> str:
    """The first line of the text that isn't a heading, without what only a log needs."""
    lines = [_LABEL.sub("", line.strip()) for line in failure.text.splitlines()]
    told = [line for line in lines if line and not _HEADING.match(line)]
    line = _DETAILS.sub("", told[0]) if told else ""
    if len(line.split()) < _LINE_WORDS:
        # A KeyError's text is the key.
        line = f"{failure.type}: {line}" if line else failure.type
    return line if len(line) <= LINE_CHARS else line[: LINE_CHARS - 1] + "…"


class _Cause(NamedTuple):
    """A text of vLLM's, and what it means. `words` have the pattern's groups by their names."""

    pattern: re.Pattern[str]
    words: str


def _cause(pattern: str, words: str) -> _Cause:
    return _Cause(re.compile(pattern, re.DOTALL), words)


_ENDED: Final = re.compile(r"Failed core proc\(s\): \{'[^']*': (-?\d+)")
_MISSING: Final = re.compile(r"weights were not initialized from checkpoint: (.+)", re.DOTALL)
_LABEL: Final = re.compile(r"^(?:Value error, |Assertion failed, |ValueError: )")
_HEADING: Final = re.compile(
    r"\d+ validation errors? for |Class validation error|For further information"
)
_DETAILS: Final = re.compile(r" \[type=.*| See https?://.*| See (?:stack trace|root cause).*")

_CHECKPOINT: Final = (
    _cause(
        r"There is no module or parameter named '(?P<name>[^']+)' in (?P<part>\w+)",
        "It has weights that its config.json has no place for: {name} ({part}).",
    ),
    _cause(
        r"Attempted to load weight \(torch.Size\((?P<has>\[.*?\])\)\) into parameter "
        r"\(torch.Size\((?P<wanted>\[.*?\])\)\)",
        "A weight has the shape {has}, and its config.json asks for {wanted}.",
    ),
    _cause(
        r"Model architectures \[(?P<names>.+?)\] are not supported",
        "vLLM doesn't know its architecture, {names}.",
    ),
    _cause(
        r"Model architectures \[(?P<names>.+?)\] failed to be inspected",
        "vLLM can't run its architecture, {names}, here; a package that it needs may be missing.",
    ),
    _cause(
        r"model type `(?P<name>[^`]+)` but Transformers does not recognize",
        "Its kind of model, {name}, is unknown here; it may be newer than this server.",
    ),
    _cause(
        r"contains custom code which must be executed",
        "It brings its own code. If you trust that, set trust_remote_code = true in its "
        "`engine_args`.",
    ),
)

_DEVICE: Final = (
    _cause(
        r"Unknown quantization method: (?P<name>\S+?)\. Must be one of",
        "It is quantized with {name}, which vLLM can't read on this device.",
    ),
    _cause(
        r"quantization method (?P<name>[^.]+?) is not supported for the current",
        "It is quantized with {name}, which this device can't compute.",
    ),
    _cause(
        r"(?P<name>\S+) quantization is currently not supported in",
        "It is quantized with {name}, which this device can't compute.",
    ),
    _cause(
        r"Quantization scheme is not supported for the current",
        "It is quantized in a way that this device can't compute.",
    ),
    _cause(
        r"Cannot find the config file for (?P<name>\S+)",
        "Its `engine_args` say that it is quantized with {name}, and its folder doesn't.",
    ),
    _cause(
        r"Not enough allowed NUMA nodes to bind threads of (?P<ranks>\d+) local",
        "On a CPU, {ranks} ranks need a NUMA node each; VLLM_CPU_OMP_THREADS_BIND in its "
        "`environment` says which cores each takes.",
    ),
)

_KV: Final = (
    r"To serve at least one request with the model's max seq len \((?P<context>\d+)\), "
    r"\((?P<need>[\d.]+) GiB .*?available KV cache memory \((?P<has>[\d.]+) GiB\)"
)
_NO_ROOM: Final = (
    "Its KV cache has no room for one context of {context} tokens (it would take {need} GiB, and "
    "there are {has}): "
)
_MEMORY: Final = (
    _cause(
        _KV + r".*?estimated maximum model length is (?P<most>\d+)",
        _NO_ROOM + "lower `max_model_len` to {most}, or raise `kv_cache_bytes`.",
    ),
    _cause(_KV, _NO_ROOM + "lower `max_model_len`, or raise `kv_cache_bytes`."),
    _cause(
        r"No available memory for the cache blocks",
        "Its weights leave no memory for a KV cache: set `kv_cache_bytes`, or raise "
        "gpu_memory_utilization in `engine_args`.",
    ),
    _cause(
        r"\((?P<free>[\d.]+)/[\d.]+ GiB\) on kv cache allocation is less than requested memory for "
        r"kv \((?P<need>[\d.]+)",
        "Its KV cache would take {need} GiB, and {free} GiB are free: lower `kv_cache_bytes`.",
    ),
    _cause(
        r"\((?P<free>[\d.]+)/[\d.]+ GiB\) on startup is less than desired \w+ memory utilization "
        r"\([\d.]+, (?P<need>[\d.]+) GiB\)",
        "It would take {need} GiB, and {free} GiB are free: lower gpu_memory_utilization in "
        "`engine_args`, or unload another model.",
    ),
    _cause(
        r"CUDA out of memory\. Tried to allocate (?P<more>[\d.]+ \w+)",
        "The GPU's memory is full ({more} more were needed): unload another model, or lower "
        "`max_model_len` or gpu_memory_utilization in `engine_args`.",
    ),
    _cause(
        r"CUDA error: out of memory|CUDA out of memory",
        "The GPU's memory is full: unload another model.",
    ),
    _cause(
        r"can't allocate memory: you tried to allocate (?P<bytes>\d+) bytes",
        "The machine is out of memory ({bytes} bytes more were needed).",
    ),
)

_SETTINGS: Final = (
    _cause(
        r"User-specified max_model_len \((?P<wanted>\d+)\) is greater than the derived "
        r"max_model_len \([^=]*=(?P<own>\d+)",
        "`max_model_len` is {wanted}, and the model's own context is {own} tokens.",
    ),
    _cause(
        r"EngineArgs\.__init__\(\) got an unexpected keyword argument '(?P<name>[^']+)'",
        "Its `engine_args` have a setting that vLLM doesn't know: {name}.",
    ),
    _cause(
        r"validation errors? for \w+\n(?P<name>\w+)\S*\n\s+(?P<why>[^\n]+?) "
        r"\[type=\w+, input_value=(?P<value>.*?), input_type",
        "Its `engine_args` are refused: {name} is {value}. {why}.",
    ),
)

_CAUSES: Final = (*_CHECKPOINT, *_DEVICE, *_MEMORY, *_SETTINGS)
