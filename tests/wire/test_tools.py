"""The tools that a client sends: which are offered, as what, and which of them a choice names."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tokenwire.errors import InvalidRequest, TokenwireError, UnsupportedParameter
from tokenwire.wire.offered import Called, called, offer
from tokenwire.wire.tools import parse_tool_choice, parse_tools


FIND: dict[str, object] = {"type": "function", "name": "find"}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": 'start: "a"'}
PATCH: dict[str, object] = {"type": "custom", "name": "patch", "description": "Patches."}
SPACE: dict[str, object] = {
    "type": "namespace",
    "name": "web",
    "description": "Of the web.",
    "tools": [FIND, PATCH | {"name": "fill"}, {"type": "mcp"}],
}
HOSTED: dict[str, object] = {"type": "web_search", "external_web_access": False}


def test_what_only_another_server_could_run_is_left_out_among_others() -> None:
    found = parse_tools([HOSTED, FIND, {"type": "local_shell"}, {"type": "not_yet_known"}])

    assert [tool["type"] for tool in found] == ["function"]


def test_where_nothing_is_left_it_is_refused_by_name() -> None:
    empty: dict[str, object] = {"type": "namespace", "name": "n", "tools": [HOSTED]}
    for tool in (HOSTED, empty):
        with pytest.raises(UnsupportedParameter, match=str(tool["type"])):
            parse_tools([tool])


def test_custom_tools_and_namespaces_are_echoed_as_such_and_offered_as_functions() -> None:
    tools = parse_tools([FIND, PATCH | {"format": GRAMMAR}, SPACE])
    functions, choice = offer(tools, "auto")

    assert [tool["type"] for tool in tools] == ["function", "custom", "namespace"]
    assert tools[1]["format"] == GRAMMAR
    assert [one["name"] for one in functions] == ["find", "patch", "web__find", "web__fill"]
    assert {one["type"] for one in functions} == {"function"}
    assert choice == "auto"
    described = str(functions[1]["description"])
    assert described.startswith("Patches.")
    assert 'start: "a"' in described
    assert cast("Any", functions[1]["parameters"])["required"] == ["input"]
    assert called(tools) == {
        "find": Called("find"),
        "patch": Called("patch", None, custom=True),
        "web__find": Called("find", "web"),
        "web__fill": Called("fill", "web", custom=True),
    }


def test_a_namespace_that_ends_as_names_are_joined_is_not_joined_twice() -> None:
    tools = parse_tools([SPACE | {"name": "mcp__files__"}])

    assert list(called(tools)) == ["mcp__files__find", "mcp__files__fill"]


@pytest.mark.parametrize(
    ("choice", "echoed", "name"),
    [
        ({"type": "custom", "name": "patch"}, None, "patch"),
        ({"type": "function", "function": {"name": "find"}}, FIND, "find"),
        ({"type": "function", "name": "find", "namespace": "web"}, None, "web__find"),
    ],
)
def test_a_choice_may_name_any_of_them(choice: Any, echoed: Any, name: str) -> None:
    tools = parse_tools([FIND, PATCH, SPACE])
    chosen = parse_tool_choice(choice, tools)

    assert chosen == (echoed or choice)
    assert offer(tools, chosen)[1] == {"type": "function", "name": name}


@pytest.mark.parametrize("nested", [False, True])
def test_a_choice_may_allow_some_of_them(nested: bool) -> None:
    tools = parse_tools([FIND, PATCH, HOSTED])
    some = {"mode": "required", "tools": [{"type": "custom", "name": "patch"}, HOSTED]}
    asked: object = {"type": "allowed_tools"} | ({"allowed_tools": some} if nested else some)
    chosen = parse_tool_choice(asked, tools)
    functions, choice = offer(tools, chosen)

    assert ([one["name"] for one in functions], choice) == (["patch"], "required")


REFUSALS: list[tuple[list[dict[str, object]], object, type[TokenwireError], str]] = [
    ([{"type": "custom"}], None, InvalidRequest, "tools[0].name"),
    ([PATCH | {"format": {"type": "xml"}}], None, InvalidRequest, "tools[0].format.type"),
    ([PATCH | {"format": {"type": "grammar"}}], None, InvalidRequest, "tools[0].format"),
    ([PATCH, FIND | {"name": "patch"}], None, InvalidRequest, "tools[1].name"),
    ([SPACE, FIND | {"name": "web__find"}], None, InvalidRequest, "tools[1].name"),
    ([SPACE | {"tools": [FIND | {"name": "a b"}]}], None, InvalidRequest, "tools[0].tools[0].name"),
    ([FIND, HOSTED], HOSTED, UnsupportedParameter, "tool_choice.type"),
    ([FIND], {"type": "custom", "name": "patch"}, InvalidRequest, "tool_choice"),
    ([FIND], {"type": "allowed_tools", "tools": [HOSTED]}, InvalidRequest, "tool_choice"),
    ([FIND], {"type": "allowed_tools", "mode": "x"}, InvalidRequest, "tool_choice.mode"),
]


@pytest.mark.parametrize(("tools", "choice", "kind", "param"), REFUSALS)
def test_what_is_wrong_is_refused_by_its_name(
    tools: list[dict[str, object]], choice: object, kind: type[TokenwireError], param: str
) -> None:
    with pytest.raises(kind) as caught:
        parse_tool_choice(choice, parse_tools(tools))

    assert caught.value.param == param
