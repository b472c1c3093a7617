"""Steering at the WebSocket door: what was said to a running answer is answered on its lane.

It knows the lane and the event of each fate, and refuses to know what the fate hangs on.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tokenwire.errors import AlreadyCompleted, ResponseNotFound, TokenwireError
from tokenwire.generation.steering import Fate, Followed, Submission, Waits


if TYPE_CHECKING:
    from tokenwire.generation.intake import Asker
    from tokenwire.web.parts import Parts
    from tokenwire.wire.session import Session
    from tokenwire.wire.steering import Steer


class Steers:
    """The steers of one connection."""

    def __init__(self, parts: Parts, session: Session, asker: Asker) -> None:
        self._parts = parts
        self._session = session
        self._asker = asker

    def steer(self, command: Steer) -> None:
        """Accept it or say why not."""
        lane: str | None = None
        try:
            lane = self._lane(command)
            tell = partial(self._later, lane)
            submission = self._parts.steering.steer(command, self._asker, tell)
        except TokenwireError as error:
            self._failed(lane, command, error)
            return
        self._session.hold(lane, command.previous_response_id)
        self._say("accepted", lane, steer=_own(submission))

    def _lane(self, command: Steer) -> str | None:
        response_id = command.previous_response_id
        try:
            return self._session.lane_of(response_id)
        except ResponseNotFound:
            generation = self._parts.generations.own(self._asker.user_id, response_id)
            if generation is not None and generation.ended:
                raise AlreadyCompleted(f"Response {response_id!r} has ended.") from None
            raise

    def _later(self, lane: str | None, submission: Submission, fate: Fate) -> None:
        # What follows a response is told when its own end was.
        response_id = submission.steer.previous_response_id
        self._session.after_read(lane, response_id, partial(self._tell, lane, submission, fate))

    def _tell(self, lane: str | None, submission: Submission, fate: Fate) -> None:
        response_id = submission.steer.previous_response_id
        match fate:
            case Followed(create, source):
                if self._session.follow(lane, response_id, create, source) is not None:
                    self._cancel(source.id)
            case Waits(required):
                self._session.release(lane, response_id)
                reason = "waiting_for_required_input"
                steer = _own(submission)
                self._say("pending", lane, reason=reason, required_input=required, steer=steer)
            case TokenwireError():
                self._session.release(lane, response_id)
                self._failed(lane, submission.steer, fate, submission.id)

    def _cancel(self, response_id: str) -> None:
        generation = self._parts.generations.own(self._asker.user_id, response_id)
        if generation is not None:
            generation.cancel()

    def _failed(
        self, lane: str | None, steer: Steer, error: TokenwireError, id: str | None = None
    ) -> None:
        ending = {"type": "invalid_request_error", "code": error.ending.code}
        given = {"previous_response_id": steer.previous_response_id, "input": steer.input}
        own = {"id": id} if id else {}
        self._say("failed", lane, error=ending | {"message": error.message}, steer=own | given)

    def _say(self, what: str, lane: str | None, **fields: object) -> None:
        on = {"stream_id": lane} if lane is not None else {}
        self._session.say(f"response.steer.{what}", **on, **fields)


def _own(submission: Submission) -> dict[str, str]:
    return {"id": submission.id, "previous_response_id": submission.steer.previous_response_id}
