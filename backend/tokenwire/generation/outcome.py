"""How an answer ended and how long each part took: values and arithmetic. Knows no log and no
engine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenwire.errors import EngineDead, ServerError, TokenwireError


if TYPE_CHECKING:
    from tokenwire.wire.events import Status


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an answer: its status, vLLM's word for it, the reason if it was cut, the error."""

    status: Status
    finish_reason: str
    reason: str | None = None
    error: TokenwireError | None = None

    @property
    def event(self) -> str:
        """The terminal event's name without `response.`: a cancelled answer is incomplete."""
        return "incomplete" if self.status == "cancelled" else self.status

    @property
    def error_object(self) -> dict[str, str] | None:
        """The resource's `error`, in the codes that the SDKs know, and one of ours."""
        if self.error is None:
            return None
        ours = self.error.ending.status >= 500
        code = "server_error" if ours else "invalid_prompt"
        if isinstance(self.error, EngineDead):
            code = self.error.ending.code
        return {"code": code, "message": self.error.message}


def failed(error: TokenwireError) -> Outcome:
    return Outcome("failed", "error", error=error)


def outcome_of(finish: str | None) -> Outcome:
    """What the engine's finish reason means."""
    match finish:
        case "stop":
            return Outcome("completed", "stop")
        case "length":
            return Outcome("incomplete", "length", reason="max_output_tokens")
        case "abort":
            return Outcome("incomplete", "abort", reason="interrupted")
        case _:
            return failed(ServerError("The engine ended the answer with an error."))


class Stopwatch:
    """When an answer was created, admitted, started, had its first token and ended. `age_s`: how
    long ago it was created, if not now; its first token may then be of another life, and is not
    timed.
    """

    def __init__(self, age_s: float = 0.0) -> None:
        self._at = {"created": time.monotonic() - age_s}

    @property
    def age(self) -> float:
        """Seconds since it was created."""
        return time.monotonic() - self._at["created"]

    def mark(self, name: str) -> None:
        self._at[name] = time.monotonic()

    def since(self, name: str) -> int:
        """Milliseconds since `mark(name)`."""
        return round(1000 * (time.monotonic() - self._at[name]))

    def timings(self, tokens: int) -> dict[str, int | None]:
        """Milliseconds in the line, to the first token, from there to the end; tokens a second."""
        queued, ttft = self._ms("created", "admitted"), self._ms("created", "first_token")
        decode = self._ms("first_token", "ended")
        speed = round(1000 * (tokens - 1) / decode) if decode else None
        return {"queue_ms": queued, "ttft_ms": ttft, "decode_ms": decode, "tok_per_s": speed}

    def _ms(self, start: str, end: str) -> int | None:
        if start not in self._at or end not in self._at:
            return None
        return round(1000 * (self._at[end] - self._at[start]))
