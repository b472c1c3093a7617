"""Items told apart by who said them, as the exchanges of a conversation."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.wire.events import Response
from tokenwire.wire.exchanges import exchanges, given_response
from tokenwire.wire.items import Item


def said(role: str, text: str = "x") -> Item:
    return {"type": "message", "role": role, "content": text}


def test_what_came_to_a_model_and_what_it_said_make_one_exchange() -> None:
    rules, asked, answer, more = said("system"), said("user"), said("assistant"), said("user", "y")
    assert exchanges([rules, asked, answer, more]) == [([rules, asked], [answer]), ([more], [])]
    assert exchanges([answer, asked]) == [([], [answer]), ([asked], [])]
    assert exchanges([]) == []


def test_a_tools_output_comes_from_outside_and_all_else_without_a_role_from_a_model() -> None:
    kinds = ("reasoning", "function_call", "function_call_output")
    thought, call, result = (Item(type=kind) for kind in kinds)
    asked, answer = said("user"), said("assistant")
    assert exchanges([asked, thought, call, result, answer]) == [
        ([asked], [thought, call]),
        ([result], [answer]),
    ]


@given(st.lists(st.sampled_from(["user", "assistant", "system", "developer"])))
def test_no_item_is_lost_and_each_stays_in_its_place(roles: list[str]) -> None:
    items = [said(role, str(n)) for n, role in enumerate(roles)]
    found = exchanges(items)
    assert [item for pair in found for side in pair for item in side] == items
    assert all(before or after for before, after in found)
    assert all(after for _, after in found[:-1])


def test_a_given_response_is_a_response_that_says_so() -> None:
    made = given_response("resp_1", "conv_1", 7)
    assert msgspec.convert(made.to_json(), Response) == made
    assert (made.status, made.conversation) == ("completed", {"id": "conv_1"})
    assert (made.tokenwire, made.usage) == ({"given": True}, None)
