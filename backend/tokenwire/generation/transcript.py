"""What one response has said: its events as they are numbered, its items and its tokens.

What comes is collected, numbered at a flush, and then never changes. What is stored goes through
the journal, what is not goes straight into the log. It refuses to know why something is said.
"""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenwire.generation.inputs import inputs_of
from tokenwire.generation.log import Log
from tokenwire.generation.replayed import Replayed, joined, size_of
from tokenwire.generation.thinking import Thinking
from tokenwire.wire.kept import thought_ms
from tokenwire.wire.narrator import Narrator


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenwire.engine.base import Delta
    from tokenwire.generation.journal import Journal
    from tokenwire.generation.orders import Kept
    from tokenwire.generation.outcome import Outcome
    from tokenwire.wire.events import Event, Response


@dataclass(frozen=True, slots=True)
class Said:
    """What a response had said when its server ended."""

    events: Sequence[Event]
    token_ids: Sequence[int]


class Transcript:
    """Writes one log. `journal` is None for a response that is not stored."""

    def __init__(
        self, response: Response, item_id: str, journal: Journal | None, said: Said | None = None
    ) -> None:
        events = said.events if said else ()
        self.response = response
        self.id = response.id
        self.log = Log(events)
        self.told_at = 0.0
        self.token_ids = array("i", said.token_ids if said else ())
        self._journal = journal
        self._narrator = Narrator(response, item_id, events)
        self._replayed = Replayed(self._narrator.items) if self._narrator.items else None
        self._inputs = inputs_of(response.tools)
        self._think(Thinking(thought_ms(events)))
        self._pending: list[Delta] = []
        self._pending_size = 0
        self._only_text = True
        self._fresh = array("i")
        self._held = False
        self._unsure: Delta | None = None
        self.prompt: Sequence[int] | None = None

    @property
    def said_ids(self) -> Sequence[int]:
        """The tokens of all that was said, those of pending text not among them."""
        return self.token_ids[: len(self.token_ids) - len(self._fresh)]

    @property
    def begun(self) -> bool:
        """Whether `response.created` was said, if not yet seen."""
        return self._narrator.last_sequence_number >= 0

    @property
    def silent(self) -> bool:
        """Whether nothing of the answer was said or is pending."""
        return not self._narrator.items and not self._pending

    @property
    def calling(self) -> bool:
        """Whether a call of a tool was said or is pending."""
        return any(told.calls for told in self._narrator.items) or any(
            delta.calls for delta in self._pending
        )

    @property
    def reasoning_ms(self) -> int | None:
        """How long the model has thought."""
        return self._thinking.ms

    def _think(self, thinking: Thinking) -> None:
        self._thinking = thinking
        self._narrator.reasoning_ms = thinking.ms

    def tell(
        self,
        name: str,
        extra: dict[str, object] | None = None,
        prompt: Sequence[int] | None = None,
    ) -> None:
        """Say `response.<name>`; `extra` goes into its `tokenwire` field. `prompt` is written down
        with it, for whoever has to go on from here.
        """
        # Text first: an event must not overtake what was generated before it.
        self.flush()
        self.prompt = self.prompt if prompt is None else prompt
        if not self._held:
            self._publish([self._narrator.lifecycle(name, extra)], None, prompt)

    def add(self, delta: Delta) -> None:
        """Collect a step of the answer. With the last one nothing more is said before `ending`: a
        journal that has the last token could not be gone on from.
        """
        self.token_ids.extend(delta.token_ids)
        self._fresh.extend(delta.token_ids)
        self._unsure = None
        self._held = self._held or delta.finish is not None
        if self._inputs is not None:
            delta = self._inputs.told(delta)
        if self._replayed is not None:
            delta = self._replayed.left_of(delta)
        if delta.reasoning or self._thinking.on:
            self._thinking.hear(delta)
            self._narrator.reasoning_ms = self._thinking.ms
        if delta.reasoning or delta.calls or delta.logprobs:
            self._only_text = False
            self._pending_size += size_of(delta)
        elif delta.text:
            self._pending_size += len(delta.text)
        else:
            return
        self._pending.append(delta)

    @property
    def pending(self) -> int:
        """Characters that were collected and not said."""
        return self._pending_size

    def recall(self, kept: Kept) -> None:
        """Say what the answer begins with, before anything of it is made."""
        self.token_ids.extend(kept.token_ids)
        self._fresh.extend(kept.token_ids)
        self._unsure = kept.held
        self._think(Thinking(kept.thought_ms))
        self._pending = [delta for delta in kept.told if size_of(delta)]
        self._only_text = False
        self.flush()
        self._replayed = Replayed(self._narrator.items, sure=False)

    def flush(self) -> None:
        """Number what is pending and say it."""
        if self._pending and not self._held and (events := self._told()):
            ids, self._fresh = self._fresh, array("i")
            self._publish(events, ids, None)

    def hold(self) -> None:
        """Say nothing more before `ending`."""
        self._held = True

    async def settled(self) -> None:
        """Wait until readers can see all that was said."""
        if self._journal is not None:
            await self._journal.settled(self.id)

    def ending(self, outcome: Outcome, *, silent: bool = False) -> list[Event]:
        """The last events but the terminal one, numbered: what is pending and the item's end.
        `silent`: there is no item.
        """
        opening = [] if self.begun else [self._narrator.lifecycle("created")]
        if silent:
            return opening
        if self._unsure is not None:  # nothing came after it
            self._pending, self._only_text = [self._unsure], False
        status = "completed" if outcome.status == "completed" else "incomplete"
        return [*opening, *self._told(), *self._narrator.closing(status)]

    def terminal(self, outcome: Outcome) -> Event:
        return self._narrator.lifecycle(outcome.event)

    def retold(self, terminal: Event, outcome: Outcome) -> Event:
        """The terminal event again, nobody having seen it, with the resource as it is now."""
        self._narrator.undo(terminal)
        return self.terminal(outcome)

    def close(self, events: Sequence[Event] = ()) -> None:
        """Show the last events and close the log."""
        if events:
            self.log.append(*events)
        self.log.close()

    def _told(self) -> list[Event]:
        """What is pending, numbered."""
        pending, only_text = self._pending, self._only_text
        self._pending, self._pending_size, self._only_text = [], 0, True
        if not pending:
            return []
        if only_text:
            return self._narrator.text("".join([delta.text for delta in pending]))
        events: list[Event] = []
        for delta in joined(pending):
            if delta.reasoning:
                events += self._narrator.reasoning(delta.reasoning)
            if delta.text or delta.logprobs:
                events += self._narrator.text(delta.text, delta.logprobs)
            for call in delta.calls:
                events += self._narrator.call(call.index, call.id, call.name, call.arguments)
        return events

    def _publish(
        self, events: list[Event], ids: array[int] | None, prompt: Sequence[int] | None
    ) -> None:
        self.told_at = time.monotonic()
        if self._journal is None:
            self.log.append(*events)
        else:
            self._journal.put(self, events, ids, prompt)
