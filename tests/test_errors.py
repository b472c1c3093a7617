"""The errors: one table gives each its ending, and the tree in the file is the tree in the code."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tokenwire import errors
from tokenwire.errors import (
    ENDINGS,
    EngineDead,
    InvalidStreamId,
    NotFound,
    PreviousResponseNotFound,
    RateLimited,
    ResponseNotFound,
    ServerDraining,
    TokenwireError,
)


def family(kind: type[TokenwireError]) -> Iterator[type[TokenwireError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


EVERY = sorted(family(TokenwireError), key=lambda kind: kind.__name__)


def test_every_error_has_an_ending_of_its_own() -> None:
    assert set(EVERY) == set(ENDINGS)


@pytest.mark.parametrize("kind", EVERY)
def test_every_error_is_in_the_drawn_tree(kind: type[TokenwireError]) -> None:
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__ or "")


def test_no_two_errors_share_a_code_but_the_root_and_the_server_error() -> None:
    codes = [ending.code for kind, ending in ENDINGS.items() if kind is not TokenwireError]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", EVERY)
def test_the_type_of_an_error_fits_its_status(kind: type[TokenwireError]) -> None:
    ending = kind("x").ending
    by_status = {403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
    usual = "server_error" if ending.status >= 500 else "invalid_request_error"

    assert ending.type == by_status.get(ending.status, usual)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (PreviousResponseNotFound("x"), "previous_response_not_found", 400),
        (InvalidStreamId("x"), "invalid_stream_id", 400),
        (ResponseNotFound("x"), "response_not_found", 404),
        (RateLimited("x"), "rate_limit_exceeded", 429),
        (ServerDraining("x"), "server_draining", 503),
        (EngineDead("x"), "engine_error", 500),
    ],
)
def test_the_codes_of_the_protocol(error: TokenwireError, code: str, status: int) -> None:
    assert (error.ending.code, error.ending.status) == (code, status)


def test_an_error_without_a_row_ends_as_the_nearest_above_it() -> None:
    kind = type("PlanetNotFound", (NotFound,), {})
    try:
        assert kind("x").ending is ENDINGS[NotFound]
    finally:
        # Subclasses are held weakly; the other tests walk them.
        del kind


def test_the_body_of_an_error_is_that_of_the_protocol() -> None:
    assert ResponseNotFound("None.", param="response_id").body() == {
        "message": "None.",
        "type": "not_found_error",
        "code": "response_not_found",
        "param": "response_id",
    }


def test_a_message_that_quotes_megabytes_is_cut() -> None:
    error = NotFound("x" * 1_000_000)

    assert len(error.message) == 1000
    assert error.message.endswith("…")
    assert NotFound("x" * 1000).message == "x" * 1000
