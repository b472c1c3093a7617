"""On disk before on the wire: what stored responses say goes to the memory first, then into their
logs, where readers see it.

One write holds what every response had to say since the last one, so its cost does not grow with
their number. When the disk fails the answers go on unsaved, everyone is told, and what was not
written waits, bounded, until it can be. This file refuses to know what an event means.
"""

from __future__ import annotations

import asyncio
import logging
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tokenwire.errors import NotSaved
from tokenwire.generation.records import Finish, PlainEntry


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tokenwire.generation.log import Log
    from tokenwire.generation.records import Entry, Records
    from tokenwire.wire.events import Event


log = logging.getLogger(__name__)

UNSAVED_BYTES = 32 << 20
UNSAVED_ENDS = 1024
# A response that goes on for longer is written down whole, which frees the rows that it had.
ROWS = 1000
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 15.0


class Speaker(Protocol):
    """A response that says something."""

    @property
    def id(self) -> str: ...

    @property
    def log(self) -> Log: ...

    @property
    def said_ids(self) -> Sequence[int]:
        """The tokens of all that it has put."""
        ...

    @property
    def prompt(self) -> Sequence[int] | None:
        """The token ids of its prompt, where they are known."""
        ...


@dataclass(slots=True)
class _Draft:
    """What one response has to say, as an Entry, and where it will be seen."""

    speaker: Speaker
    response_id: str
    first: int
    said: list[Event]
    token_ids: array[int]
    prompt: Sequence[int] | None
    waiting: list[asyncio.Future[None]] | None = None
    released: bool = False

    @property
    def events(self) -> list[str]:
        return [event.kept for event in self.said]

    def whole(self) -> Entry:
        """An entry that stands for all that came before it too."""
        speaker = self.speaker
        return PlainEntry(
            response_id=speaker.id,
            first=0,
            events=[event.kept for event in (*speaker.log.after(-1), *self.said)],
            token_ids=speaker.said_ids,
            prompt=speaker.prompt,
        )

    def publish(self) -> None:
        log = self.speaker.log
        # One whose generation broke down has closed it already.
        if not log.closed:
            log.append(*self.said)
        self.release()

    async def published(self) -> None:
        if not self.released:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting = [*(self.waiting or ()), waiting]
            await waiting

    def release(self) -> None:
        self.released = True
        for waiting in self.waiting or ():
            if not waiting.done():  # who waited may have gone
                waiting.set_result(None)


class Journal:
    """The way of every stored response's events into its log. `changed(saving)` is called when the
    disk begins to fail and when it works again.
    """

    def __init__(self, records: Records, changed: Callable[[bool], None]) -> None:
        self._records = records
        self._changed = changed
        self._drafts: dict[str, _Draft] = {}
        self._writing: dict[str, _Draft] = {}
        self._rows: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._ended = False
        self._flushed: list[asyncio.Future[None]] = []
        self._unsaved: list[Entry] = []
        self._unsaved_bytes = 0
        self._unsaved_ends: list[Finish] = []
        self._retry_s = 0.0
        self._retry_at = 0.0

    @property
    def saving(self) -> bool:
        """Whether the last write succeeded."""
        return not self._retry_s

    def put(
        self,
        speaker: Speaker,
        events: list[Event],
        token_ids: array[int] | None = None,
        prompt: Sequence[int] | None = None,
    ) -> None:
        """Save these events, with the tokens that they were made of, then append them to the log.
        Both belong to the journal from here on.

        `prompt`: the token ids of the prompt, once, as soon as they are known.
        """
        token_ids = array("i") if token_ids is None else token_ids
        if (draft := self._drafts.get(speaker.id)) is None:
            self._drafts[speaker.id] = _Draft(
                speaker, speaker.id, events[0].sequence_number, events, token_ids, prompt
            )
        else:
            draft.said.extend(events)
            draft.token_ids.extend(token_ids)
            draft.prompt = draft.prompt if prompt is None else prompt
        self._wake.set()

    async def settled(self, response_id: str) -> None:
        """Wait until all that was put for a response is in its log."""
        if self._ended:
            return
        for drafts in (self._writing, self._drafts):
            if (draft := drafts.get(response_id)) is not None:
                await draft.published()

    async def flush(self) -> None:
        """Where the disk has failed, try again now to save what waits."""
        if not self.saving and not self._ended:
            flushed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._flushed.append(flushed)
            self._retry_at = 0.0
            self._wake.set()
            await flushed

    async def finish(self, finish: Finish) -> bool:
        """Save an end. False when it could not be saved; then it is tried again later, if
        `keep_end` is called.
        """
        self._rows.pop(finish.response.id, None)
        try:
            await self._records.finish(finish)
        except NotSaved as error:
            log.warning("%s was not saved: %s", finish.response.id, error.message)
            self._fail()
        except Exception:  # whatever it is, the reader still gets the end
            log.exception("%s was not saved", finish.response.id)
        else:
            return True
        return False

    def keep_end(self, finish: Finish) -> None:
        """Try again later to save an end, as its reader has seen it."""
        if len(self._unsaved_ends) < UNSAVED_ENDS:
            self._unsaved_ends.append(finish)

    async def run(self) -> None:
        """Write and publish, until cancelled. After that nothing is published any more, and nobody
        waits for it.
        """
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._woken(self._retry_at - loop.time() if self._retry_s else None)
                # What is said in the same breath is written together.
                await asyncio.sleep(0)
                asked = len(self._flushed)
                await self._turn()
                self._answer(asked)
        finally:
            self._ended = True
            for draft in (*self._writing.values(), *self._drafts.values()):
                draft.release()
            self._answer(len(self._flushed))

    def _answer(self, count: int) -> None:
        flushed, self._flushed = self._flushed[:count], self._flushed[count:]
        for future in flushed:
            if not future.done():  # who asked may have gone
                future.set_result(None)

    async def _turn(self) -> None:
        self._writing, self._drafts = self._drafts, {}
        entries = [self._entry(draft) for draft in self._writing.values()]
        if self.saving or asyncio.get_running_loop().time() >= self._retry_at:
            await self._write(entries)
        else:
            self._keep(entries)
        for draft in self._writing.values():
            draft.publish()
        self._writing = {}

    def _entry(self, draft: _Draft) -> Entry:
        id = draft.response_id
        rows = self._rows[id] = self._rows.get(id, 0) + 1
        if rows < ROWS:
            return draft
        self._rows[id] = 0
        return draft.whole()

    async def _woken(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _write(self, entries: list[Entry]) -> None:
        waiting, self._unsaved, self._unsaved_bytes = self._unsaved, [], 0
        try:
            # Where nothing waits, an empty row tells whether the disk works again.
            if waiting or entries or not self.saving:
                await self._records.journal([*waiting, *entries])
        except NotSaved as error:
            log.warning("What is generated is not being saved: %s", error.message)
            self._keep([*waiting, *entries])
            self._fail()
            return
        except Exception:  # not the disk's fault: to try again would fail for ever
            log.exception("What was generated could not be journalled")
        if await self._save_ends() and not self.saving:
            log.warning("What is generated is being saved again.")
            self._retry_s = 0.0
            self._changed(self.saving)

    async def _save_ends(self) -> bool:
        """Whether no end waits any more."""
        while self._unsaved_ends:
            try:
                await self._records.finish(self._unsaved_ends[0])
            except NotSaved:
                self._fail()
                return False
            except Exception:  # as above
                log.exception("%s can't be saved", self._unsaved_ends[0].response.id)
            del self._unsaved_ends[0]
        return True

    def _keep(self, entries: Sequence[Entry]) -> None:
        """Hold entries for the next try. Beyond the bound all are dropped; what those responses say
        next is then written down with all before it.
        """
        # A response may end long before the disk works again.
        self._unsaved += [PlainEntry.of(entry) for entry in entries]
        self._unsaved_bytes += sum(len(event) for entry in entries for event in entry.events)
        if self._unsaved_bytes > UNSAVED_BYTES:
            dropped = {entry.response_id for entry in self._unsaved}
            self._rows |= dict.fromkeys(dropped & self._rows.keys(), ROWS)
            self._unsaved, self._unsaved_bytes = [], 0

    def _fail(self) -> None:
        was_saving = self.saving
        self._retry_s = min(LAST_RETRY_S, 2 * self._retry_s) or FIRST_RETRY_S
        self._retry_at = asyncio.get_running_loop().time() + self._retry_s
        # The loop of `run` may be waiting without a time limit.
        self._wake.set()
        if was_saving:
            self._changed(self.saving)
