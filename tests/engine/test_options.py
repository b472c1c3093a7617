"""What is set for one model: its chat template, as text or as the path of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tokenwire.engine.families import ParserNames, parser_names
from tokenwire.engine.options import NO_OPTIONS, ModelOptions, WrongSetting


TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"


def test_nothing_is_set_unless_it_is() -> None:
    assert NO_OPTIONS.template() is None
    assert (NO_OPTIONS.engine_args, NO_OPTIONS.environment, NO_OPTIONS.adapters) == ({}, {}, {})


def test_a_template_is_jinja_or_the_path_of_a_file_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chat.jinja").write_text(TEMPLATE)
    monkeypatch.setenv("HOME", str(tmp_path))

    for given in (TEMPLATE, str(tmp_path / "chat.jinja"), "~/chat.jinja"):
        assert ModelOptions(chat_template=given).template() == TEMPLATE


@pytest.mark.parametrize("given", ["none.jinja", "", "a\0b"])
def test_a_template_that_can_not_be_read_is_refused_with_a_sentence(given: str) -> None:
    with pytest.raises(WrongSetting, match="its chat_template can't be read"):
        ModelOptions(chat_template=given).template()


def test_the_parsers_are_those_of_the_template_that_is_set(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text(TEMPLATE)

    assert parser_names(tmp_path) == ParserNames()
    calls = "{% if tools %}<tool_call>{'name': 1}</tool_call>{% endif %}".replace("'", '"')
    assert parser_names(tmp_path, calls) == ParserNames("hermes")
