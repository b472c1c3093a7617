"""One engine process at a time behind vLLM's client: started, replaced, killed, ended; and the
places in vLLM where AsyncLLM gets ours instead of its own, and where a start can be ended.

It refuses to know which requests the engine holds and when it should go.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingTypeStubs=false
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vllm.v1.engine.core_client import EngineCoreClient
from vllm.v1.engine.exceptions import EngineDeadError
from vllm.v1.engine.utils import CoreEngineProcManager

from tokenwire.engine.birth import Birth


if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from vllm.v1.engine import EngineCoreOutputs


# A killed process is waited for before the next one takes its memory.
GONE_S = 10.0

_building = threading.Lock()

Inner = Any  # an AsyncMPClient, or what a test puts in its place


class Core:
    """Owns one inner client, whose making blocks until its engine process is ready."""

    def __init__(self, start: Callable[[], Inner]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._closed = False
        self.inner = start()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def dead(self) -> bool:
        return self._closed or bool(self.inner.resources.engine_dead)

    def is_over(self, error: Exception) -> bool:
        """Whether an error of the inner client comes from its engine's death."""
        return isinstance(error, EngineDeadError) or self.dead

    def replace(self) -> None:
        """End what is left of the old engine and start the next; blocks.

        Raises EngineDeadError if it was closed meanwhile, else what the start raises.
        """
        self.inner.shutdown(timeout=0)
        for process in self._processes():
            process.join(GONE_S)
        new = self._start()
        with self._lock:
            if not self._closed:
                self.inner = new
                return
        new.shutdown(timeout=0)
        raise EngineDeadError

    def kill(self) -> None:
        for process in self._processes():
            process.kill()

    def close(self, timeout: float | None) -> None:
        """End the engine process, also one that is only starting; blocks up to `timeout`."""
        with self._lock:
            self._closed = True
            inner = self.inner
        inner.shutdown(timeout=timeout)

    def say(self, outputs: EngineCoreOutputs | Exception) -> None:
        """Wake the reader of the engine's outputs with this, after what is there already."""
        self.inner.outputs_queue.put_nowait(outputs)

    def fail_utilities(self) -> None:
        """Fail the calls that a dead engine will not answer: vLLM leaves them pending for ever."""
        for future in self.inner.utility_results.values():
            if not future.done():
                future.set_exception(EngineDeadError())

    def _processes(self) -> list[Any]:
        """The engine processes that are ours to kill; none where Ray has them."""
        return list(getattr(self.inner.resources.engine_manager, "processes", ()))


@contextmanager
def _watched(birth: Birth) -> Generator[None]:
    """While this is open, the engine processes that this thread starts are those of `birth`."""
    original, thread = CoreEngineProcManager.__init__, threading.get_ident()

    def init(manager: CoreEngineProcManager, *args: Any, **kwargs: Any) -> None:
        if threading.get_ident() != thread:
            original(manager, *args, **kwargs)
            return
        birth.begin(manager)
        original(manager, *args, **kwargs)
        birth.check()

    CoreEngineProcManager.__init__ = init
    try:
        yield
    finally:
        CoreEngineProcManager.__init__ = original


@contextmanager
def engine_cores_from(
    make: Callable[[Callable[[], Inner]], object], birth: Birth | None = None
) -> Generator[None]:
    """While this is open, an AsyncLLM that is built has `make(start)` for its engine core, and
    `birth` can end it.

    One at a time. `start` makes what vLLM would have made, as often as it is called.
    """
    with _building, _watched(birth or Birth()):
        original = EngineCoreClient.make_async_mp_client

        def make_async_mp_client(**arguments: Any) -> object:
            cache = arguments["vllm_config"].cache_config
            # So that its scheduler tells of itself. AsyncLLM is not told: it would count, too.
            arguments["log_stats"] = True
            # It only has its warm-up begun, which is done once.
            renderer = [arguments.pop("renderer", None)]

            def start() -> Inner:
                # vLLM adds to it what each engine reports.
                cache.num_gpu_blocks = None
                return original(**arguments, renderer=renderer.pop() if renderer else None)

            return make(start)

        EngineCoreClient.make_async_mp_client = staticmethod(make_async_mp_client)
        try:
            yield
        finally:
            EngineCoreClient.make_async_mp_client = staticmethod(original)
