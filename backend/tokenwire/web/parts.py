"""What the doors are handed: the rooms behind them and a few values. No door makes any of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tokenwire.wire.session import SessionLimits


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tokenwire.engine.base import Engine
    from tokenwire.engine.models import ModelState, StageListener
    from tokenwire.generation.generations import Generations
    from tokenwire.generation.steering import Steering
    from tokenwire.history.store import Store
    from tokenwire.metrics import Metrics
    from tokenwire.web.hub import Hub
    from tokenwire.web.sockets import Sockets


class Models(Protocol):
    """The supervisor, as a door sees it."""

    @property
    def default(self) -> str: ...

    def states(self) -> list[ModelState]: ...

    def state(self, model: str) -> ModelState: ...

    def resolve(self, name: str | None) -> str: ...

    def ready(self, model: str) -> Engine | None: ...

    def load(self, model: str) -> None: ...

    def unload(self, model: str) -> None: ...

    def download(self, name: str) -> ModelState: ...

    async def cancel(self, name: str) -> ModelState: ...

    async def refresh(self, unless_newer_s: float = 0.0) -> None: ...

    def subscribe(self, listener: StageListener) -> Callable[[], None]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLimits:
    """Bounds of the doors. Seconds and bytes."""

    max_message_bytes: int = 8 << 20
    heartbeat_s: float = 15.0
    # A peer that has been silent for so long is asked whether it lives, and then is gone.
    ask_s: float = 60.0
    gone_s: float = 75.0
    send_timeout_s: float = 30.0
    max_age_s: float = 3600.0
    malformed_frames: int = 16
    session: SessionLimits = field(default_factory=SessionLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a door may use."""

    generations: Generations
    steering: Steering
    models: Models
    store: Store
    hub: Hub
    metrics: Metrics
    user_id: str
    page: Path
    server_id: str
    sockets: Sockets
    limits: DoorLimits = field(default_factory=DoorLimits)
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
