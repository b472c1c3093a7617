"""A model's folder is looked at before anything is started for it: the sentence for each fault."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from support.weights import names_of, write_weights
from tokenwire.engine.catalogue import DEMO_PATH
from tokenwire.engine.checkpoint import (
    INDEX,
    NO_CHAT_TEMPLATE,
    note_of,
    outer_problem,
    problem_of,
)


LLAMA: dict[str, object] = {"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": False}
WEIGHTS = "model.safetensors"


def make_folder(folder: Path, **config: object) -> Path:
    """Everything but the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(LLAMA | config))
    (folder / "tokenizer.json").write_text("{}")
    return folder


def make_model(folder: Path, names: list[str] | None = None, **config: object) -> Path:
    write_weights(make_folder(folder, **config) / WEIGHTS, names_of() if names is None else names)
    return folder


def sharded(folder: Path, shards: int = 2) -> Path:
    """A model in several files, with their index."""
    make_folder(folder)
    names, index = names_of(), dict[str, str]()
    for number in range(shards):
        file = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        write_weights(folder / file, names[number::shards])
        index |= dict.fromkeys(names[number::shards], file)
    (folder / INDEX).write_text(json.dumps({"weight_map": index}))
    return folder


def without(*names: str) -> list[str]:
    return [name for name in names_of() if name not in names]


def test_nothing_speaks_against_a_whole_model(tmp_path: Path) -> None:
    known = frozenset({"LlamaForCausalLM"})
    assert problem_of(DEMO_PATH, known) is None
    assert problem_of(make_model(tmp_path / "one"), known) is None
    assert problem_of(sharded(tmp_path / "two"), known) is None
    assert (
        problem_of(make_model(tmp_path / "tied", names_of()[:-1], tie_word_embeddings=True)) is None
    )


def test_a_file_that_is_cut_off_is_told_with_both_sizes(tmp_path: Path) -> None:
    file = make_model(tmp_path / "m") / WEIGHTS
    size = file.stat().st_size
    os.truncate(file, size - 100)

    assert problem_of(tmp_path / "m") == (
        f"{WEIGHTS} is cut off: it has {size - 100:,} bytes and should have {size:,}. "
        "Fetch it again."
    )


def test_a_file_that_is_too_long_is_told_with_both_sizes(tmp_path: Path) -> None:
    file = make_model(tmp_path / "m") / WEIGHTS
    size = file.stat().st_size
    os.truncate(file, size + 7)

    assert problem_of(tmp_path / "m") == (
        f"{WEIGHTS} is too long: it has {size + 7:,} bytes and should have {size:,}. "
        "Fetch it again."
    )


CONTENTS = [
    (b"", f"{WEIGHTS} is cut off: it has 0 bytes and should have at least 8. Fetch it again."),
    (b"\x10\0\0\0\0\0\0\0{}", "it has 10 bytes and should have at least 24."),
    (b"<!DOCTYPE html>", f"{WEIGHTS} is no safetensors file."),
    (b"version https://git-lfs.github.com/spec/v1\n", "`git lfs pull` fetches them."),
    (b"\x04\0\0\0\0\0\0\0{..}", f"{WEIGHTS} can't be read: its header is broken. Fetch it again."),
    (b"\x02\0\0\0\0\0\0\0[]", "its header is broken"),
    (b'\x08\0\0\0\0\0\0\0{"a": 1}', "its header is broken"),
]


@pytest.mark.parametrize(("content", "problem"), CONTENTS)
def test_what_is_no_whole_header_is_told(tmp_path: Path, content: bytes, problem: str) -> None:
    (make_model(tmp_path / "m") / WEIGHTS).write_bytes(content)

    assert problem in (problem_of(tmp_path / "m") or "")


def test_a_file_that_is_not_there_is_told_of_the_index(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "m", 4)
    (folder / "model-00002-of-00004.safetensors").unlink()

    problem = "Its weights are incomplete: model-00002-of-00004.safetensors is not there."
    assert problem_of(folder) == problem
    (folder / "model-00004-of-00004.safetensors").unlink()
    assert problem_of(folder) == problem.replace(" is ", " and 1 more are ")
    # The names alone say it too.
    (folder / INDEX).unlink()
    assert problem_of(folder) == problem.replace(" is ", " and 1 more are ")


def test_a_weight_that_only_the_index_names_is_told(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "m")
    index = json.loads((folder / INDEX).read_text())["weight_map"]
    index |= dict.fromkeys(("z.weight", "a.weight"), "model-00001-of-00002.safetensors")
    (folder / INDEX).write_text(json.dumps({"weight_map": index}))

    assert problem_of(folder) == (
        f"Its weights are incomplete: a.weight and 1 more are named in {INDEX} only."
    )


def test_a_copy_in_another_format_is_not_read(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "m")
    (folder / "consolidated.safetensors").write_bytes(b"half a file")

    assert problem_of(folder) is None


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.1.mlp.down_proj.weight",
        # vLLM joins these two, and these three, and starts without a word when one is missing.
        "model.layers.0.mlp.up_proj.weight",
        "model.layers.2.self_attn.v_proj.weight",
        "lm_head.weight",
    ],
)
def test_a_weight_that_all_other_layers_have_is_missed(tmp_path: Path, name: str) -> None:
    folder = make_model(tmp_path / "m", without(name))

    assert problem_of(folder) == f"Its weights are incomplete: {name} is not there."


def test_every_gate_needs_its_up(tmp_path: Path) -> None:
    gone = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in (0, 1)]
    folder = make_model(tmp_path / "m", without(*gone))

    assert problem_of(folder) == f"Its weights are incomplete: {gone[0]} and 1 more are not there."


def test_the_embedding_is_missed(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", without("model.embed_tokens.weight"))

    assert problem_of(folder) == "Its weights are incomplete: the embedding is not there."


def test_layers_may_be_built_in_two_ways(tmp_path: Path) -> None:
    # As some do that share their values, or whose first layer alone is dense.
    shared = [f"model.layers.{layer}.self_attn.v_proj.weight" for layer in (0, 1)]
    assert problem_of(make_model(tmp_path / "shared", without(*shared))) is None
    experts = [
        f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj.weight"
        for layer in (1, 2)
        for expert in range(3)
        for part in ("gate", "up", "down")
    ]
    dense = [name for name in names_of() if "mlp" not in name or ".0." in name]
    assert problem_of(make_model(tmp_path / "mixed", dense + experts)) is None
    torn = make_model(tmp_path / "torn", dense + experts[:-1])
    assert problem_of(torn) == f"Its weights are incomplete: {experts[-1]} is not there."


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (
            {"architectures": ["NewForCausalLM"]},
            "vLLM doesn't know its architecture, NewForCausalLM.",
        ),
        # Its own code is vLLM's to judge.
        ({"architectures": ["NewForCausalLM"], "auto_map": {"AutoModel": "x.Y"}}, None),
        ({"architectures": ["Old", "LlamaForCausalLM"]}, None),
        ({"architectures": None}, None),
    ],
)
def test_an_architecture_that_vllm_does_not_know_is_told(
    tmp_path: Path, config: dict[str, Any], problem: str | None
) -> None:
    folder = make_model(tmp_path / "m", **config)

    assert problem_of(folder, frozenset({"LlamaForCausalLM"})) == problem
    assert problem_of(folder) is None


@pytest.mark.parametrize(
    ("architecture", "problem"),
    [
        ("BertModel", "It makes embeddings, not text."),
        ("Qwen3ForTextEncoding", "It makes embeddings, not text."),
        ("XLMRobertaForSequenceClassification", "It judges texts"),
        ("Qwen2ForProcessRewardModel", "It judges texts"),
        ("DeepSeekMTPModel", "It only speeds up another model"),
        ("WhisperForConditionalGeneration", "It writes down speech"),
        ("GPT2LMHeadModel", None),
        ("ChatGLMModel", None),
        ("InternVLChatModel", None),
        ("Qwen2_5OmniModel", None),
        ("MiniCPMV", None),
        ("Gemma3ForConditionalGeneration", None),
    ],
)
def test_a_model_that_writes_no_text_is_told(
    tmp_path: Path, architecture: str, problem: str | None
) -> None:
    folder = make_model(tmp_path / "m", architectures=[architecture])

    said = outer_problem(folder)
    assert (said or "").startswith(problem) if problem else said is None


def test_sentence_transformers_make_embeddings_whatever_they_are_made_of(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "modules.json").write_text("[]")
    (folder / "1_Pooling").mkdir()

    assert problem_of(folder) == "It makes embeddings, not text."


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("m-Q4_K_M.gguf", "Its weights are .gguf files; only .safetensors can be loaded."),
        ("pytorch_model.bin", "Its weights are .bin files; only .safetensors can be loaded."),
        ("model_index.json", "It makes pictures, not text."),
        (
            "adapter_config.json",
            "It is an adapter, not a model: name it in `adapters` of the model",
        ),
        ("README.md", "There is no config.json in the folder."),
    ],
)
def test_a_folder_in_another_format_is_told(tmp_path: Path, file: str, problem: str) -> None:
    (tmp_path / file).write_text("")

    assert (problem_of(tmp_path) or "").startswith(problem)


def test_weights_in_another_format_beside_a_config_are_told(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "m")
    assert problem_of(folder) == "There are no .safetensors weights in the folder."
    (folder / "pytorch_model.bin").write_text("")
    assert problem_of(folder) == "Its weights are .bin files; only .safetensors can be loaded."


def test_a_look_at_many_models_opens_no_weights(tmp_path: Path) -> None:
    (make_model(tmp_path / "m") / WEIGHTS).write_bytes(b"broken")

    assert outer_problem(tmp_path / "m") is None


def test_a_model_without_a_chat_template_has_a_note(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    assert note_of(folder) == NO_CHAT_TEMPLATE
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert note_of(folder) is None
    assert note_of(DEMO_PATH) is None


@pytest.mark.parametrize("kind", ["deepseek_v32", "minicpmv4_6"])
def test_a_chat_that_vllm_puts_together_needs_no_template(tmp_path: Path, kind: str) -> None:
    assert note_of(make_model(tmp_path / "m", model_type=kind)) is None


def test_a_template_may_lie_beside_the_processor(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "chat_template.json").write_text('{"chat_template": "{{ messages }}"}')
    assert note_of(folder) is None
