"""Blobs give back exactly what was packed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tokenwire.history.packing import (
    pack_events,
    pack_token_ids,
    unpack_events,
    unpack_token_ids,
)


@given(st.lists(st.text(st.characters(codec=None, categories=None))))
def test_events_come_back_identical(events: list[str]) -> None:
    assert unpack_events(pack_events(events)) == events


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_token_ids_come_back_identical(token_ids: list[int]) -> None:
    assert unpack_token_ids(pack_token_ids(token_ids)) == token_ids


def test_the_events_of_a_long_answer_become_small() -> None:
    event = '{"type":"response.output_text.delta","item_id":"msg_1","delta":"x","sequence_number":'
    events = [f"{event}{n}}}" for n in range(2_000)]
    assert len(pack_events(events)) < sum(map(len, events)) / 10
