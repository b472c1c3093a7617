"""Every error that can reach a person or a client, drawn as one tree, and one table that gives
each its ending.

This file knows names and numbers of the protocol; it refuses to know where an error is raised or
which door will show it.

    TokenwireError
    ├── InvalidRequest                  the request is wrong; the same request never succeeds
    │   ├── InvalidJson                 not JSON, or not an object
    │   ├── UnknownEventType            a client event that this server does not speak
    │   ├── InvalidStreamId             a lane name outside 1-256 of [A-Za-z0-9_.-]
    │   ├── StreamLimitReached          the 33rd named lane of one connection
    │   ├── PreviousResponseNotFound    the parent is neither in the connection cache nor stored
    │   ├── InvalidStartingAfter        a cursor beyond the log
    │   ├── ContextLengthExceeded       the prompt is longer than the model's context
    │   ├── UnsupportedParameter        a standard field that this server does not implement
    │   ├── NotContinuable              the response has ended in a way that nothing can follow
    │   └── NotSteered                  what should follow a steered response was refused, or ...
    │       ├── InvalidSteer            ... it isn't a message of the user
    │       ├── SteeringNotSupported    ... this response takes none
    │       ├── TooManySteers           ... too much waits for it already
    │       ├── AlreadyCompleted        ... it has ended
    │       └── NotActive               ... it was cancelled, or it failed
    ├── ForbiddenOrigin, MisdirectedHost, TooLarge, MethodNotAllowed, UpgradeRequired
    ├── NotFound
    │   ├── ModelNotFound
    │   ├── ResponseNotFound
    │   └── ConversationNotFound
    ├── ConversationLocked              an answer is being written there; try again later
    ├── StreamExpired                   the response is stored, its events are not
    ├── RateLimited                     the line is full
    ├── Unavailable                     try again later
    │   ├── ServerDraining
    │   └── ModelUnavailable            the model could not be loaded
    └── ServerError                     our fault
        ├── EngineDead                  the engine process ended
        └── NotSaved                    the answer could not be written to disk
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


MESSAGE_MAX = 1000

ErrorType = Literal[
    "invalid_request_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "server_error",
]


@dataclass(frozen=True, slots=True)
class Ending:
    """How an error ends an exchange: its code, its HTTP status and what a client should do."""

    code: str
    status: int
    type: ErrorType = "invalid_request_error"
    retryable: bool = False


class TokenwireError(Exception):
    """An error with an ending. `param` names the field of the request that is to blame."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        # What a message quotes came from a client, and may be megabytes.
        message = message if len(message) <= MESSAGE_MAX else message[: MESSAGE_MAX - 1] + "…"
        super().__init__(message)
        self.message = message
        self.param = param

    @property
    def ending(self) -> Ending:
        """The row of `ENDINGS` for this error's class, or for the nearest class above it."""
        for kind in type(self).__mro__:
            if kind in ENDINGS:
                return ENDINGS[kind]
        raise AssertionError("TokenwireError itself has a row")

    def body(self) -> dict[str, str | None]:
        """The `error` object of the protocol: type, code, message, param."""
        ending = self.ending
        return {
            "message": self.message,
            "type": ending.type,
            "code": ending.code,
            "param": self.param,
        }


class InvalidRequest(TokenwireError): ...


class InvalidJson(InvalidRequest): ...


class UnknownEventType(InvalidRequest): ...


class InvalidStreamId(InvalidRequest): ...


class StreamLimitReached(InvalidRequest): ...


class PreviousResponseNotFound(InvalidRequest): ...


class InvalidStartingAfter(InvalidRequest): ...


class ContextLengthExceeded(InvalidRequest): ...


class UnsupportedParameter(InvalidRequest): ...


class NotContinuable(InvalidRequest): ...


class NotSteered(InvalidRequest): ...


class InvalidSteer(NotSteered): ...


class SteeringNotSupported(NotSteered): ...


class TooManySteers(NotSteered): ...


class AlreadyCompleted(NotSteered): ...


class NotActive(NotSteered): ...


class ForbiddenOrigin(TokenwireError): ...


class MisdirectedHost(TokenwireError): ...


class TooLarge(TokenwireError): ...


class MethodNotAllowed(TokenwireError): ...


class UpgradeRequired(TokenwireError): ...


class NotFound(TokenwireError): ...


class ModelNotFound(NotFound): ...


class ResponseNotFound(NotFound): ...


class ConversationNotFound(NotFound): ...


class ConversationLocked(TokenwireError): ...


class StreamExpired(TokenwireError): ...


class RateLimited(TokenwireError): ...


class Unavailable(TokenwireError): ...


class ServerDraining(Unavailable): ...


class ModelUnavailable(Unavailable): ...


class ServerError(TokenwireError): ...


class EngineDead(ServerError): ...


class NotSaved(ServerError): ...


ENDINGS: dict[type[TokenwireError], Ending] = {
    TokenwireError: Ending("server_error", 500, "server_error"),
    InvalidRequest: Ending("invalid_request", 400),
    InvalidJson: Ending("invalid_json", 400),
    UnknownEventType: Ending("unknown_event_type", 400),
    InvalidStreamId: Ending("invalid_stream_id", 400),
    StreamLimitReached: Ending("websocket_stream_limit_reached", 400),
    PreviousResponseNotFound: Ending("previous_response_not_found", 400),
    InvalidStartingAfter: Ending("invalid_starting_after", 400),
    ContextLengthExceeded: Ending("context_length_exceeded", 400),
    UnsupportedParameter: Ending("unsupported_parameter", 400),
    NotContinuable: Ending("response_not_continuable", 400),
    NotSteered: Ending("successor_creation_failed", 400),
    InvalidSteer: Ending("invalid_input", 400),
    SteeringNotSupported: Ending("steering_not_supported", 400),
    TooManySteers: Ending("too_many_pending_steers", 400),
    AlreadyCompleted: Ending("response_already_completed", 400),
    NotActive: Ending("response_not_active", 400),
    ForbiddenOrigin: Ending("forbidden_origin", 403, "permission_error"),
    MisdirectedHost: Ending("misdirected_host", 421, "invalid_request_error"),
    TooLarge: Ending("request_too_large", 413),
    MethodNotAllowed: Ending("method_not_allowed", 405),
    UpgradeRequired: Ending("upgrade_required", 426),
    NotFound: Ending("not_found", 404, "not_found_error"),
    ModelNotFound: Ending("model_not_found", 404, "not_found_error"),
    ResponseNotFound: Ending("response_not_found", 404, "not_found_error"),
    ConversationNotFound: Ending("conversation_not_found", 404, "not_found_error"),
    ConversationLocked: Ending("conversation_locked", 409, retryable=True),
    StreamExpired: Ending("tokenwire_stream_expired", 410),
    RateLimited: Ending("rate_limit_exceeded", 429, "rate_limit_error", retryable=True),
    Unavailable: Ending("unavailable", 503, "server_error", retryable=True),
    ServerDraining: Ending("server_draining", 503, "server_error", retryable=True),
    ModelUnavailable: Ending("model_unavailable", 503, "server_error", retryable=True),
    ServerError: Ending("server_error", 500, "server_error", retryable=True),
    EngineDead: Ending("engine_error", 500, "server_error", retryable=True),
    NotSaved: Ending("not_saved", 500, "server_error", retryable=True),
}
