"""A store in a temporary folder with two people in it, and responses to put there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tokenwire.history.store import Store
from tokenwire.history.values import Ended, NewResponse


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "history.db")
    await store.user("ann", name="Ann")
    await store.user("bob", name="Bob")
    yield store
    await store.close()


@pytest.fixture
def new() -> Callable[..., NewResponse]:
    def make(id: str, says: str = "Hi", **changes: object) -> NewResponse:
        plain = NewResponse(
            id=id,
            user_id="ann",
            resource={"id": id, "object": "response", "status": "queued", "model": "m"},
            input=[{"id": f"in_{id}", "type": "message", "role": "user", "content": says}],
            model="m",
            previous_response_id=None,
            conversation_id=None,
            idempotency_key=None,
            durable=True,
            created_ms=1_000,
        )
        return replace(plain, **changes)

    return make


@pytest.fixture
def ended() -> Callable[..., Ended]:
    def make(id: str, says: str = "Hello", **changes: object) -> Ended:
        said: dict[str, object] = {
            "id": f"out_{id}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": says, "annotations": []}],
        }
        plain = Ended(
            id=id,
            resource={
                "id": id,
                "object": "response",
                "status": "completed",
                "model": "m",
                "output": [said],
            },
            status="completed",
            finish_reason="stop",
            events=['{"type":"response.created"}', '{"type":"response.completed"}'],
            token_ids=[1, 2, 3],
            prompt_tokens=5,
            cached_tokens=0,
            completion_tokens=3,
            queued_ms=1,
            ttft_ms=2,
            decode_ms=3,
            seed=None,
            done_ms=2_000,
        )
        return replace(plain, **changes)

    return make
