# ruff: noqa: RUF001 - the marks are the families' own
"""Which of vLLM's parsers reads the answers of which family of models: told from a model's folder.

It knows the parsers by their names only and refuses to import vLLM. What it can't tell, a person
can: the settings name parsers too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple, cast


if TYPE_CHECKING:
    from pathlib import Path


class ParserNames(NamedTuple):
    """vLLM's names of a tool parser and of a reasoning parser; None for none."""

    tool: str | None = None
    reasoning: str | None = None


# By `model_type` of config.json, the longest beginning that fits: what a family writes, which its
# template need not show.
_FAMILIES: Final[dict[str, ParserNames]] = {
    "deepseek_v32": ParserNames("deepseek_v32", "deepseek_v3"),
    "ernie4_5": ParserNames("ernie45", "ernie45"),
    "gemma4": ParserNames("gemma4", "gemma4"),
    "glm4_moe": ParserNames("glm45", "glm45"),
    "gpt_oss": ParserNames("openai", "openai_gptoss"),
    "hunyuan": ParserNames("hunyuan_a13b", "hunyuan_a13b"),
    "kimi_k2": ParserNames("kimi_k2", "kimi_k2"),
    "lfm2": ParserNames("lfm2"),
    "minimax_m2": ParserNames("minimax_m2", "minimax_m2"),
    "olmo3": ParserNames("olmo3", "olmo3"),
    "seed_oss": ParserNames("seed_oss", "seed_oss"),
    "step3": ParserNames("step3", "step3"),
}
# By what stands in the chat template, the first that fits: (all of these marks, a tool parser).
_TOOL_MARKS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("<tool_call>", "<function="), "qwen3_xml"),
    (("<tool_call>", "<arg_key>"), "glm45"),
    (("<tool_call>", '"name"'), "hermes"),
    (("<tool_call>", "tool_call.name"), "hermes"),
    (("[TOOL_CALLS]",), "mistral"),
    (("<|tool_call|>", "granite"), "granite"),
    (("<｜tool▁calls▁begin｜>", "```json"), "deepseek_v3"),
    (("<｜tool▁calls▁begin｜>",), "deepseek_v31"),
    (("<|python_tag|>",), "llama3_json"),
    (('"parameters": dictionary of argument name',), "llama3_json"),
    (("<|python_start|>",), "llama4_pythonic"),
)
_REASONING_MARKS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("<think>", "enable_thinking"), "qwen3"),
    (("<think>", "thinking is defined"), "deepseek_v3"),
    (("<think>\\n' }}",), "deepseek_r1"),
    (("<think>",), "qwen3"),
    (("[THINK]",), "mistral"),
)


def parser_names(folder: Path, template: str | None = None) -> ParserNames:
    """The parsers for the model in `folder`, whose own template is another where one is set. A
    model whose template knows no tools has no parser for them.
    """
    template = chat_template(folder) if template is None else template
    family = _family(read_object(folder / "config.json").get("model_type"))
    tool = family.tool or _marked(template, _TOOL_MARKS)
    reasoning = family.reasoning or _marked(template, _REASONING_MARKS)
    return ParserNames(tool if "tools" in template else None, reasoning)


def chat_template(folder: Path) -> str:
    """The text of the model's chat template, empty where it has none."""
    try:
        return (folder / "chat_template.jinja").read_text()
    except (OSError, UnicodeDecodeError):
        pass
    files = [read_object(folder / f"{name}.json") for name in ("chat_template", "tokenizer_config")]
    found = next(filter(None, (file.get("chat_template") for file in files)), None)
    if isinstance(found, list):  # several by their names
        return json.dumps(found)
    return found if isinstance(found, str) else ""


def read_object(file: Path) -> dict[str, object]:
    """The JSON object in a file, empty where there is none."""
    try:
        found: object = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _family(model_type: object) -> ParserNames:
    name = model_type if isinstance(model_type, str) else ""
    fits = [start for start in _FAMILIES if name.startswith(start)]
    return _FAMILIES[max(fits, key=len)] if fits else ParserNames()


def _marked(template: str, marks: tuple[tuple[tuple[str, ...], str], ...]) -> str | None:
    for wanted, parser in marks:
        if all(mark in template for mark in wanted):
            return parser
    return None
