"""What the doors are handed: the rooms behind them and a few values. No door makes any of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tokenwire.wire.session import SessionLimits


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenwire.engine.base import Engine, ModelState, StageListener
    from tokenwire.generation.generations import Generations
    from tokenwire.history.store import Store
    from tokenwire.metrics import Metrics
    from tokenwire.web.hub import Hub


class Models(Protocol):
    """The supervisor, as a door sees it."""

    @property
    def default(self) -> str: ...

    def states(self) -> list[ModelState]: ...

    def state(self, model: str) -> ModelState: ...

    def resolve(self, name: str | None) -> str: ...

    def ready(self, model: str) -> Engine | None: ...

    def load(self, model: str) -> None: ...

    def subscribe(self, listener: StageListener) -> Callable[[], None]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLimits:
    """Bounds of the doors. Seconds and bytes."""

    max_message_bytes: int = 8 << 20
    heartbeat_s: float = 15.0
    send_timeout_s: float = 30.0
    max_age_s: float = 3600.0
    malformed_frames: int = 16
    session: SessionLimits = field(default_factory=SessionLimits)


class Draining:
    """Whether the server is ending. It is set once; whoever watches is called then: a task for each
    connection that waits for it would cost as much memory as the connection's own two.
    """

    def __init__(self) -> None:
        self.on = False
        self._watchers: set[Callable[[], None]] = set()

    def set(self) -> None:
        self.on = True
        for watcher in tuple(self._watchers):
            watcher()

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` when it is set. Returns the way to stop."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a door may use."""

    generations: Generations
    models: Models
    store: Store
    hub: Hub
    metrics: Metrics
    user_id: str
    page: Path
    server_id: str
    draining: Draining
    limits: DoorLimits = field(default_factory=DoorLimits)
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
