"""An engine that is being started, and how another thread ends that at any moment.

It knows processes by their manager only, and refuses to import vLLM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol


if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.process import BaseProcess


class StartEnded(Exception):  # noqa: N818 - not an error
    """Whoever wanted the engine wants it no more."""


class Manager(Protocol):
    """What makes the processes of an engine; it has none before it has made one."""

    @property
    def processes(self) -> Sequence[BaseProcess]: ...


class Birth:
    """One start: the thread that does it calls `begin` and `check`, any other `end`."""

    def __init__(self) -> None:
        self._ended = False
        self._manager: Manager | None = None

    def begin(self, manager: Manager) -> None:
        """From here on there may be processes. Raises StartEnded."""
        # Before the check: whoever ends it now finds one or the other.
        self._manager = manager
        self.check()

    def check(self) -> None:
        """Raises StartEnded once it was ended; then no process is left."""
        if self._ended:
            # Also those that were not running yet when it was ended.
            self._kill()
            raise StartEnded

    def end(self) -> bool:
        """Kill its processes, and keep it from having more. True: it may have had some, which are
        gone when the start returns. Returns at once.
        """
        self._ended = True
        self._kill()
        return self._manager is not None

    def _kill(self) -> None:
        for process in getattr(self._manager, "processes", ()):
            if process.pid is not None:
                process.kill()
