"""The catalogue: what is found where, and the sentence for what can't be served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tokenwire.engine.base import UNKNOWN, Capabilities
from tokenwire.engine.catalogue import DEMO_ID, DEMO_PATH, REPOSITORY, describe, find_models
from tokenwire.engine.checkpoint import NO_CHAT_TEMPLATE
from tokenwire.engine.curated import CURATED
from tokenwire.engine.families import ParserNames
from tokenwire.engine.models import ModelInfo
from tokenwire.engine.options import ModelOptions


CONFIG: dict[str, object] = {"model_type": "llama", "max_position_embeddings": 2048}


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache."""
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "hf" / "hub"


def make_model(
    folder: Path, config: object = CONFIG, *, weights: int = 100, tokenizer: str = "tokenizer.json"
) -> Path:
    """A folder in the Hugging Face format."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"x" * weights)
    (folder / tokenizer).write_text("{}")
    return folder


def cached(hub: Path, name: str) -> Path:
    """A model in the Hugging Face cache, at its main revision."""
    repo = hub / f"models--{name.replace('/', '--')}"
    folder = make_model(repo / "snapshots" / "abc123")
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc123\n")
    return folder


def found(data_dir: Path, named: str | None = None) -> tuple[dict[str, ModelInfo], str]:
    """What is on this machine, and the default."""
    models, default = find_models(data_dir, named)
    return {info.id: info for info in models if info.path}, default


def test_the_demo_model_is_always_there_and_the_default(tmp_path: Path) -> None:
    models, default = found(tmp_path)

    assert list(models) == [DEMO_ID] == [default]
    assert models[DEMO_ID].owned_by == "tokenwire"
    assert models[DEMO_ID].path == str(DEMO_PATH)
    assert models[DEMO_ID].description


def test_folders_among_the_models_are_listed_by_their_name(tmp_path: Path) -> None:
    make_model(tmp_path / "models" / "small")
    (tmp_path / "models" / "notes.txt").write_text("not a model")

    models, default = found(tmp_path)
    assert set(models) == {DEMO_ID, "small"}
    assert default == DEMO_ID
    small = models["small"]
    assert (small.owned_by, small.context_length, small.size_bytes) == ("local", 2048, 100)
    assert small.created > 0
    assert small.problem is None


def test_a_folder_may_not_take_the_name_of_the_demo_model(tmp_path: Path) -> None:
    make_model(tmp_path / "models" / DEMO_ID)

    assert found(tmp_path)[0][DEMO_ID].path == str(DEMO_PATH)


def test_the_hugging_face_cache_is_read_by_repository(tmp_path: Path, hub: Path) -> None:
    folder = cached(hub, "Qwen/Qwen3-0.6B")
    (hub / "datasets--x--y").mkdir()
    (hub / "models--half--fetched" / "refs").mkdir(parents=True)
    (hub / "models--half--fetched" / "refs" / "main").write_text("gone")

    models, _ = found(tmp_path)
    assert set(models) == {DEMO_ID, "Qwen/Qwen3-0.6B"}
    assert models["Qwen/Qwen3-0.6B"].path == str(folder)


def test_the_cache_may_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    cached(tmp_path / "elsewhere", "a/b")

    assert "a/b" in found(tmp_path)[0]


def test_a_model_can_be_named_by_its_id(tmp_path: Path, hub: Path) -> None:
    cached(hub, "a/b")
    make_model(tmp_path / "models" / "small")

    assert [found(tmp_path, name)[1] for name in ("a/b", "small", DEMO_ID)] == [
        "a/b",
        "small",
        DEMO_ID,
    ]


def test_a_model_can_be_named_by_its_folder(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "somewhere" / "mine")

    models, default = found(tmp_path, str(folder))
    assert default == "mine"
    assert models["mine"].path == str(folder)
    assert DEMO_ID in models


def test_a_name_that_is_nothing_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="There is no model 'nonsense'"):
        find_models(tmp_path, "nonsense")


def test_a_name_of_the_hub_is_a_model_that_can_be_fetched(tmp_path: Path) -> None:
    models, default = find_models(tmp_path, "some/model")

    assert default == "some/model"
    info = next(info for info in models if info.id == default)
    assert (info.path, info.source, info.owned_by) == ("", "hub", "some")


def test_the_curated_models_are_listed_here_or_not(tmp_path: Path, hub: Path) -> None:
    cached(hub, "Qwen/Qwen3-0.6B")
    models = {info.id: info for info in find_models(tmp_path)[0]}

    assert {info.id for info in CURATED} <= set(models)
    here, there = models["Qwen/Qwen3-0.6B"], models["Qwen/Qwen3-1.7B"]
    assert (here.source, here.size_bytes, here.licence) == ("cache", 100, "apache-2.0")
    assert here.path
    assert (there.source, there.path, there.owned_by) == ("hub", "", "Qwen")
    assert there.description
    for info in CURATED:
        assert REPOSITORY.fullmatch(info.id)
        assert info.size_bytes
        assert info.context_length
        assert "text" in info.modalities


def test_other_folders_are_looked_into(tmp_path: Path) -> None:
    make_model(tmp_path / "other" / "mine")
    models, _ = find_models(tmp_path, folders=[str(tmp_path / "other"), str(tmp_path / "none")])

    assert "mine" in {info.id for info in models}


def test_a_model_is_as_a_person_has_set_it(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "somewhere" / "m")
    adapter = tmp_path / "pirate"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    option = ModelOptions(
        path=str(folder),
        aliases=("small", "s"),
        pinned=True,
        keep_alive_s=5.0,
        adapters={"pirate": str(adapter), "gone": str(tmp_path / "gone")},
    )
    models, default = find_models(tmp_path, "small", {"mine": option, "not/here": ModelOptions()})
    found = {info.id: info for info in models}

    assert default == "mine"
    mine, pirate, gone = (found[id] for id in ("mine", "mine:pirate", "mine:gone"))
    assert (mine.path, mine.aliases, mine.pinned, mine.keep_alive_s) == (
        str(folder),
        ("small", "s"),
        True,
        5.0,
    )
    assert (pirate.base, pirate.source, pirate.problem) == ("mine", "adapter", None)
    assert (pirate.aliases, pirate.pinned) == ((), False)
    assert "adapter_config.json" in (gone.problem or "")
    assert "not/here" not in found


def test_a_model_without_a_chat_template_says_so_until_one_is_set(tmp_path: Path) -> None:
    for name in ("bare", "set"):
        make_model(tmp_path / "models" / name)
    models, _ = find_models(tmp_path, options={"set": ModelOptions(chat_template="{{ messages }}")})

    notes = {info.id: info.note for info in models if info.path}
    assert notes == {DEMO_ID: None, "bare": NO_CHAT_TEMPLATE, "set": None}


def test_the_context_of_a_model_of_several_parts_is_that_of_its_text(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", {"text_config": {"max_position_embeddings": 512}})

    assert describe(folder, "m").context_length == 512


def test_a_context_that_is_not_told_is_not_known(tmp_path: Path) -> None:
    assert describe(make_model(tmp_path / "m", {}), "m").context_length is None


HERMES = "{% if tools %}<tool_call>{'name'} \"name\"{% endif %}"
CAPABILITIES = [
    ("", Capabilities(tools=False, reasoning=False, structured_output=True)),
    (HERMES, Capabilities(tools=True, reasoning=False, structured_output=True)),
    (f"{HERMES}<think>", Capabilities(tools=True, reasoning=True, structured_output=True)),
    # It is told of tools, and nobody knows how it writes a call.
    ("{{ tools }}", Capabilities(tools=False, reasoning=False, structured_output=True)),
]


@pytest.mark.parametrize(("template", "capabilities"), CAPABILITIES)
def test_what_a_model_can_do_is_told_from_its_folder(
    tmp_path: Path, template: str, capabilities: Capabilities
) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "chat_template.jinja").write_text(template)

    assert describe(folder, "m").capabilities == capabilities


def test_a_template_that_can_not_be_read_is_as_none(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "chat_template.jinja").write_bytes(b"{{ tools }}\xff")

    assert describe(folder, "m").capabilities.tools is False


def test_parsers_that_were_named_are_believed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_model(tmp_path / "models" / name)
    models, _ = find_models(
        tmp_path, options={"a": ModelOptions(parsers=ParserNames("hermes", "qwen3"))}
    )

    here = [m for m in models if m.path]
    assert [(m.id, m.capabilities.tools, m.capabilities.reasoning) for m in here] == [
        (DEMO_ID, False, False),
        ("a", True, True),
        ("b", False, False),
    ]


def test_what_can_not_be_served_is_not_looked_into(tmp_path: Path) -> None:
    info = describe(make_model(tmp_path / "m", tokenizer="none"), "m")

    assert info.problem is not None
    assert info.capabilities == UNKNOWN


@pytest.mark.parametrize(
    ("config", "most"),
    [('{"max_new_tokens": 512}', 512), ('{"max_new_tokens": "many"}', None), ("{}", None)],
)
def test_how_long_an_answer_may_be_is_as_the_models_maker_says(
    tmp_path: Path, config: str, most: int | None
) -> None:
    folder = make_model(tmp_path / "m")
    assert describe(folder, "m").max_output_tokens is None
    (folder / "generation_config.json").write_text(config)

    assert describe(folder, "m").max_output_tokens == most


def test_a_sentencepiece_tokenizer_is_a_tokenizer(tmp_path: Path) -> None:
    assert describe(make_model(tmp_path / "m", tokenizer="tokenizer.model"), "m").problem is None


PROBLEMS = [
    ("config.json", None, "There is no config.json in the folder."),
    ("config.json", "{", "config.json can't be read: "),
    ("config.json", "[]", "config.json can't be read: it is not a JSON object"),
    ("config.json", "\xff", "config.json can't be read: "),
    ("model.safetensors", None, "There are no .safetensors weights in the folder."),
    ("tokenizer.json", None, "There is no tokenizer in the folder."),
]


@pytest.mark.parametrize(("name", "content", "problem"), PROBLEMS)
def test_a_folder_that_cannot_be_served_is_listed_with_the_reason(
    tmp_path: Path, name: str, content: str | None, problem: str
) -> None:
    folder = make_model(tmp_path / "models" / "m")
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content.encode("latin-1"))

    said = found(tmp_path)[0]["m"].problem
    assert said is not None
    assert said.startswith(problem)


def test_weights_whose_file_is_gone_from_the_cache_are_no_weights(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "models" / "m")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(tmp_path / "gone")

    info = found(tmp_path)[0]["m"]
    assert info.problem == "There are no .safetensors weights in the folder."
    assert info.size_bytes is None
