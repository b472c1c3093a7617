"""The composition root: opens the rooms in order, owns the task group, runs Hypercorn, closes in
reverse.

Nothing imports this file but `__main__`. Every task of the server has its owner here.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from hypercorn.asyncio import serve as hypercorn_serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config

from tokenwire import compat, numbers
from tokenwire.choices import bounds, engine_options, local_library
from tokenwire.engine.launch import VllmEngines
from tokenwire.engine.supervisor import Supervisor
from tokenwire.generation.admission import AdmissionLimits
from tokenwire.generation.generations import Generations
from tokenwire.generation.ids import new_id
from tokenwire.generation.steering import Steering
from tokenwire.generation.titles import Titler
from tokenwire.history.store import Store
from tokenwire.history.values import CannotOpen, ReadFailed, SaveFailed
from tokenwire.memory import StoredRecords
from tokenwire.metrics import Metrics
from tokenwire.web.app import create_app
from tokenwire.web.hub import Hub
from tokenwire.web.parts import DoorLimits, Parts
from tokenwire.web.sockets import Sockets


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tokenwire.config import Settings
    from tokenwire.engine.library import LocalLibrary
    from tokenwire.engine.models import ModelState
    from tokenwire.generation.records import Unfinished


log = logging.getLogger(__name__)

USER_ID, USER_NAME = "local", "local"
BACKLOG = 2048
# New objects before the young are looked at, and how many such looks before all are.
COLLECT = 50_000, 20, 50
SEND_BUFFER = 256 << 10
PEER_TIMEOUT_MS = 60_000
KEEPALIVE_S = 20
LAST_EVENTS_ROUNDS, LAST_EVENTS_ROUND_S = 20, 0.1
PAGE = Path(__file__).resolve().parent / "web" / "page"


@dataclass(frozen=True, slots=True)
class _House:
    """The open rooms."""

    parts: Parts
    supervisor: Supervisor
    drain_timeout: float


def listen(host: str, port: int) -> socket.socket:
    """The bound listening socket; accepted connections inherit its options. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PEER_TIMEOUT_MS)
    # Who waits for a whole answer as JSON is written nothing until its end; their kernel answers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S)
    listener.bind((host, port))
    # From here on the kernel takes connections; the first are answered as soon as the app is up.
    listener.listen(BACKLOG)
    return listener


def run(
    settings: Settings, run_dir: Path, listener: socket.socket, opened: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT. `opened` is called when the port answers."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, run_dir, listener, opened))


async def _serve(
    settings: Settings, run_dir: Path, listener: socket.socket, opened: Callable[[], None]
) -> None:
    stop = _stop_on_signals()
    async with _open_house(settings, run_dir) as house:
        app = create_app(house.parts)
        app.before_serving(opened)

        async def shutdown_trigger() -> None:
            await stop.wait()
            await _drain(house)

        await hypercorn_serve(
            app, _hypercorn_config(settings, listener), shutdown_trigger=shutdown_trigger
        )


@asynccontextmanager
async def _open_house(settings: Settings, run_dir: Path) -> AsyncGenerator[_House]:
    options = engine_options(settings, run_dir)
    library = local_library(settings, options)
    store, records, unfinished = await _open_history(settings.data_path / "tokenwire.db")
    engines = VllmEngines(options)
    async with asyncio.TaskGroup() as tasks:
        limits = bounds(settings, run_dir)
        supervisor = Supervisor(library.default, engines, library, tasks=tasks, bounds=limits)
        writing = tasks.create_task(store.run(), name="history writer")
        generations = _generations(settings, supervisor, records, tasks)
        hub = Hub(store.conversation)
        supervisor.subscribe(hub.model_changed)
        hub.follow(generations)
        _collect_seldom(supervisor)
        titler = Titler(generations, supervisor, records, hub.updated, asks=settings.titles)
        steering = Steering(generations, tasks)
        parts = _parts(settings, generations, steering, supervisor, store, hub)
        service = [
            tasks.create_task(generations.run(), name="generations"),
            tasks.create_task(hub.run(), name="hub"),
            tasks.create_task(titler.run(), name="titles"),
            tasks.create_task(parts.sockets.run(), name="sockets"),
            tasks.create_task(_learn(engines, library, supervisor), name="architectures"),
        ]
        engines.preimport()
        _load_first(supervisor)
        if count := await generations.take_up(unfinished):
            log.warning("%d answers that were running go on.", count)
        try:
            yield _House(parts, supervisor, settings.drain_timeout)
        finally:
            await generations.close()
            for task in service:
                task.cancel()
            await supervisor.close()
            engines.close()
            await store.close()
            await writing


async def _open_history(path: Path) -> tuple[Store, StoredRecords, list[Unfinished]]:
    """The store, and what was running when the last server ended. Raises CannotOpen."""
    store = await Store.open(path)
    records = StoredRecords(store)
    try:
        await store.user(USER_ID, name=USER_NAME)
        return store, records, await records.unfinished()
    except (SaveFailed, ReadFailed) as error:
        await store.close()
        raise CannotOpen(f"{path} can't be used ({error}): is there free space?") from error


async def _learn(engines: VllmEngines, library: LocalLibrary, supervisor: Supervisor) -> None:
    """Have the list say what vLLM can't run, as soon as it is imported and can be asked."""
    try:
        library.learn(await engines.architectures())
    except Exception:  # a task's top: each load will find out, and say so
        log.exception("vLLM could not be asked what it can run")
    else:
        await supervisor.refresh()


def _load_first(supervisor: Supervisor) -> None:
    """The default model, which may have to be fetched, and those that are pinned."""
    default = supervisor.state(supervisor.default).info
    if default.path:
        supervisor.load(default.id)
    else:
        supervisor.download(default.id, then_load=True)
    for state in supervisor.states():
        if state.info.pinned and state.info.path:
            supervisor.load(state.info.id)


def _generations(
    settings: Settings, supervisor: Supervisor, records: StoredRecords, tasks: asyncio.TaskGroup
) -> Generations:
    limits = AdmissionLimits(
        max_running=settings.max_running,
        max_waiting=settings.max_waiting,
        max_waiting_per_user=settings.max_waiting_per_user,
    )
    grace_s = settings.disconnect_grace
    return Generations(supervisor, records, tasks, limits=limits, grace_s=grace_s)


def _parts(
    settings: Settings,
    generations: Generations,
    steering: Steering,
    supervisor: Supervisor,
    store: Store,
    hub: Hub,
) -> Parts:
    metrics = Metrics()
    numbers.install(metrics, generations, supervisor)
    return Parts(
        generations=generations,
        steering=steering,
        models=supervisor,
        store=store,
        hub=hub,
        metrics=metrics,
        user_id=USER_ID,
        page=PAGE,
        server_id=new_id("srv"),
        sockets=Sockets(),
        limits=DoorLimits(max_message_bytes=settings.max_message_bytes),
        allowed_hosts=settings.allowed_hosts,
        allowed_origins=settings.allowed_origins,
    )


def _collect_seldom(supervisor: Supervisor) -> None:
    """Let the garbage collector rest: with the half a million objects that vLLM's import leaves it
    stops all streams for a tenth of a second, and what answers leave behind is freed without it.
    """
    gc.set_threshold(*COLLECT)

    def ready(state: ModelState) -> None:
        if state.phase == "ready":
            unsubscribe()
            gc.collect()
            gc.freeze()

    unsubscribe = supervisor.subscribe(ready)


async def _drain(house: _House) -> None:
    """Refuse new work, let what runs end, end the rest, give clients their last events, cut the
    stalled.
    """
    generations, parts = house.parts.generations, house.parts
    generations.drain()
    parts.hub.draining(house.drain_timeout)
    await generations.settle(house.drain_timeout)
    await generations.close()
    parts.sockets.drain()
    # Sockets send their last events and a close frame; Hypercorn can't say when that is done.
    for _ in range(LAST_EVENTS_ROUNDS):
        await asyncio.sleep(LAST_EVENTS_ROUND_S)
        if not compat.unsent():
            break
    compat.abort_stalled()


def _hypercorn_config(settings: Settings, listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = BACKLOG
    config.graceful_timeout = 1.0
    config.startup_timeout = 600.0
    config.keep_alive_timeout = 15.0
    config.websocket_max_message_size = settings.max_message_bytes
    # A task for each connection, that waits for no answer; `web/sockets.py` asks the silent.
    config.websocket_ping_interval = None
    config.include_server_header = False
    config.alpn_protocols = ["http/1.1"]
    config.errorlog = logging.getLogger("tokenwire.hypercorn")
    config.loglevel = "WARNING"
    return config


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():
            # A second signal: whoever sent it doesn't want to wait. The engines end with us.
            signal.raise_signal(signal.SIGKILL)
        stop.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, asked)
    return stop
