"""The engine-core client that outlives its engine process: it stands in AsyncLLM's place for one,
starts another when that dies, and gives it back every request with the tokens it already has.

What a reader sees lives above, in AsyncLLM, which never notices. A request that is suspected of
the deaths is tried alone, and fails alone. This file knows vLLM's client and request values; it
refuses to know prompts, texts and readers.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from vllm.v1.engine import EngineCoreOutput, EngineCoreOutputs, EngineCoreRequest, FinishReason
from vllm.v1.engine.exceptions import EngineDeadError

from tokenwire.engine.core import Core, Inner
from tokenwire.engine.hooks import resumed_ids, resumed_request
from tokenwire.engine.ledger import LOOKS, Budget, Held, Ledger, RecoveryPolicy, Silence
from tokenwire.engine.models import Stage
from tokenwire.engine.stats import LiveStats


if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager


log = logging.getLogger(__name__)

BLAMED = "The engine process ended each time it worked on this request, so it was given up."
IMAGES = "The engine process ended, and an answer to images or embeddings can't go on in another."
# The engine answers it from one attribute, after everything that was sent before.
CHEAP_UTILITY = "is_scheduler_paused"


class RecoveringClient:
    """What AsyncLLM calls `engine_core`.

    `start` makes an inner client and blocks until its engine is ready; it is called in the thread
    that makes this object, then in `thread`. `tell` hears of each recovery on the event loop, and
    `loading` is entered there while an engine starts; `stats` hears of each step.
    """

    def __init__(
        self,
        start: Callable[[], Inner],
        thread: Executor,
        policy: RecoveryPolicy,
        tell: Callable[[Stage], None],
        loading: Callable[[], AbstractContextManager[object]] = nullcontext,
        *,
        stats: LiveStats | None = None,
    ) -> None:
        self._thread, self._policy, self._tell, self._loading = thread, policy, tell, loading
        self.stats = stats or LiveStats()
        # AsyncLLM.errored reads it.
        self.resources = SimpleNamespace(engine_dead=False)
        self._ledger: Ledger[EngineCoreRequest] = Ledger()
        self._budget = Budget(policy)
        self._silence = Silence()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking: asyncio.TimerHandle | None = None
        # `_up`: there is an engine. `_open`: it takes requests as they come.
        self._up = asyncio.Event()
        self._up.set()
        self._open = True
        self._trial: Held[EngineCoreRequest] | None = None
        self._core = Core(start)

    def __getattr__(self, name: str) -> Any:
        """All else is the inner client's; what asks the engine waits until there is one."""
        if not name.endswith("_async"):
            return getattr(self._core.inner, name)

        async def when_up(*args: Any, **kwargs: Any) -> Any:
            async with asyncio.timeout(self._policy.utility_s):
                await self._up.wait()
            self._refuse_if_dead()
            return await getattr(self._core.inner, name)(*args, **kwargs)

        return when_up

    async def add_request_async(self, request: EngineCoreRequest) -> None:
        """Take a request, whether there is an engine or not.

        Raises EngineDeadError when there will be none, and ValueError for a request whose input is
        a stream.
        """
        self._refuse_if_dead()
        if request.resumable:
            raise ValueError("The engine does not take a prompt that is still growing.")
        held = self._ledger.hold(request.request_id, request, resumed_ids(request.sampling_params))
        if request.mm_features or request.prompt_embeds is not None:
            held.unresumable = IMAGES
        if self._open:
            try:
                await self._add(held)
            except BaseException:
                # Nobody will read it: vLLM aborts only what it has added.
                await self.abort_requests_async([held.id])
                raise

    async def abort_requests_async(self, request_ids: list[str]) -> None:
        """Forget requests; those that are in the engine are aborted there."""
        names = [name for id in request_ids if (name := self._ledger.drop(id)) is not None]
        await self._abort(names)
        if self._trial is not None and not self._ledger.is_held(self._trial):
            # The engine has nothing left to say, and who waits for the end of the trial must not.
            self._core.say(EngineCoreOutputs())

    async def settle(self) -> None:
        """Return when the engine has done all it was sent before; at once if there is no engine."""
        if self._up.is_set() and not self.resources.engine_dead:
            try:
                await self._core.inner.call_utility_async(CHEAP_UTILITY)
            except Exception as error:
                if not self._core.is_over(error):
                    raise

    async def get_output_async(self) -> EngineCoreOutputs:
        """The next outputs, of whichever engine process. The only place that sees a death.

        Raises EngineDeadError when the budget is spent.
        """
        self._keep_looking()
        while True:
            if not self._up.is_set():
                await self._recover()
            try:
                outputs = await self._core.inner.get_output_async()
            except Exception as error:  # noqa: BLE001 - whatever it is, this engine says no more
                if failed := self._bury(error):
                    return EngineCoreOutputs(outputs=failed)
                continue
            self._silence.heard()
            outputs.outputs = self._delivered(outputs.outputs)
            self.stats.heard(outputs)
            if not self._open:
                await self._refill()
            return outputs

    def shutdown(self, timeout: float | None = None) -> None:
        """End the engine process, also one that is only starting. From any thread."""
        self._core.close(timeout)
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._release)

    # What goes in.

    async def _add(self, held: Held[EngineCoreRequest]) -> bool:
        """Put a request into the engine. False: the engine is dead, and the next one gets it."""
        if not self._ledger.any_inside():
            self._silence.heard()
        name = self._ledger.enter(held)
        try:
            await self._core.inner.add_request_async(resumed_request(held.request, held.ids, name))
        except Exception as error:
            if not self._core.is_over(error):
                raise
            self._ledger.leave(held)
            return False
        return True

    async def _abort(self, names: list[str]) -> None:
        if names and self._up.is_set():
            try:
                await self._core.inner.abort_requests_async(names)
            except Exception as error:
                if not self._core.is_over(error):
                    raise

    # What comes out.

    def _delivered(self, outputs: list[EngineCoreOutput]) -> list[EngineCoreOutput]:
        kept: list[EngineCoreOutput] = []
        for output in outputs:
            held = self._ledger.delivered(output.request_id, output.new_token_ids)
            if held is None:
                continue  # aborted meanwhile, or taken back
            output.request_id = held.id
            if output.finish_reason is not None:
                self._ledger.drop(held.id)
            kept.append(output)
        return kept

    # A death, and the next life.

    def _bury(self, error: Exception) -> list[EngineCoreOutput]:
        """Note that the engine has died. Returns the last words to those who end with it."""
        if self._core.closed:
            raise error
        why = "" if isinstance(error, EngineDeadError) else f" ({error!r})"
        log.error("The engine process ended%s; its requests wait for another.", why)
        self._up.clear()
        self._open = False
        self._core.fail_utilities()
        self.stats.died()
        trial, self._trial = self._trial, None
        # Else it had left, or had never come as far as the engine.
        blamed = trial if trial is not None and trial.name is not None else None
        self._ledger.died()
        ended = {held.id: held.unresumable or "" for held in self._ledger.unresumable()}
        if blamed is not None:
            log.error("Request %s was alone in it and is given up.", blamed.id)
            ended[blamed.id] = BLAMED
        for id in ended:
            self._ledger.drop(id)
        return [
            EngineCoreOutput(id, [], finish_reason=FinishReason.ERROR, stop_reason=why)
            for id, why in ended.items()
        ]

    async def _recover(self) -> None:
        self._tell(Stage("recovering", detail="The engine process ended; starting another"))
        loop = asyncio.get_running_loop()
        while not self._up.is_set():
            pause = self._budget.take()
            if pause is None:
                self._give_up()
            await asyncio.sleep(pause)
            try:
                with self._loading():
                    await loop.run_in_executor(self._thread, self._core.replace)
            except Exception as error:
                if self._core.closed:
                    raise EngineDeadError from error
                log.exception("The next engine process did not start")
            else:
                self._up.set()
        await self._refill()

    async def _refill(self) -> None:
        """Give the engine what it lacks: one suspect alone until it has delivered or ended, then
        the next, then everybody else.
        """
        trial = self._trial
        if trial is not None and trial.suspected and self._ledger.is_held(trial):
            return
        self._trial = self._ledger.suspect()
        if self._trial is not None:
            if trial is not None and (name := self._ledger.leave(trial)) is not None:
                await self._abort([name])
            await self._add(self._trial)
            return
        # More may come, or leave, while one is being added.
        while waiting := self._ledger.waiting():
            for held in waiting:
                if self._ledger.is_held(held) and not await self._add(held):
                    return
        self._open = True
        self._tell(Stage("ready"))

    def _give_up(self) -> NoReturn:
        log.error("The engine process ended too often; it is not started again.")
        self._release()
        self._tell(Stage("dead", detail="The engine process ended too often"))
        raise EngineDeadError

    def _release(self) -> None:
        """Let go of whoever waits for an engine or its word: there will be none."""
        self.resources.engine_dead = True
        self._up.set()
        self._core.fail_utilities()
        if self._looking is not None:
            self._looking.cancel()

    def _refuse_if_dead(self) -> None:
        if self.resources.engine_dead:
            raise EngineDeadError

    # A silence.

    def _keep_looking(self) -> None:
        if self._looking is None:
            self._loop = asyncio.get_running_loop()
            self._looking = self._loop.call_later(self._policy.stall_s / LOOKS, self._look)

    def _look(self) -> None:
        self._looking = None
        up = self._up.is_set()
        if up and self._core.dead:
            # vLLM says nothing of a death in the moment in which its reading task is made.
            self._core.say(EngineDeadError())
        if self._silence.is_too_long(working=up and self._ledger.any_inside()):
            self._silence.heard()
            log.error("The engine is silent for %g s; it is killed.", self._policy.stall_s)
            self._core.kill()
        self._keep_looking()
