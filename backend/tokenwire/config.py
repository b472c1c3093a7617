"""One frozen settings object: defaults < file < environment (TOKENWIRE_*) < flags, validated at
birth.

Made once in `__main__` and passed down as values; no room imports it. Refuses to know what the
values do.
"""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta


if TYPE_CHECKING:
    from collections.abc import Mapping


Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0)]


class SettingsError(Exception):
    """A setting is wrong; the text is one sentence that names it."""


class Parsers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the answers of a model are read, by vLLM's names of its parsers."""

    tool: str | None = None
    reasoning: str | None = None


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in force where a request says nothing."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=-1)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    max_tokens: Positive | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for one model, by its id; `engine/options.py` says what each means."""

    path: str | None = None
    engine_args: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    environment: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    chat_template: str | None = None
    parsers: Parsers | None = None
    sampling: Sampling = Sampling()
    system_prompt: str | None = None
    aliases: tuple[str, ...] = ()
    pinned: bool = False
    keep_alive: Seconds | None = None
    adapters: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set. Sizes in bytes, times in seconds."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    model: str | None = None
    data_dir: str = "~/.local/share/tokenwire"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_running: Positive = 256
    max_waiting: Positive = 2048
    max_waiting_per_user: Positive = 512
    max_loaded_models: Positive = 4
    keep_alive: Seconds | None = None
    memory_bytes: Positive | None = None
    model_folders: tuple[str, ...] = ()
    max_model_len: Positive | None = None
    kv_cache_bytes: Positive | None = None
    max_message_bytes: Positive = 8 << 20
    disconnect_grace: Seconds = 0.0
    drain_timeout: Seconds = 2.0
    titles: Literal["auto", "always", "never"] = "auto"
    engine_args: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    models: dict[str, Model] = msgspec.field(default_factory=dict[str, Model])

    @property
    def data_path(self) -> Path:
        return Path(self.data_dir).expanduser().absolute()


def load_settings(
    flags: Mapping[str, object], environment: Mapping[str, str], file: Path | None = None
) -> Settings:
    """Settings from all four places. `flags` holds only what was given. Raises SettingsError."""
    values: dict[str, object] = {}
    if file is not None:
        values |= _from_file(file)
    values |= _from_environment(environment)
    values |= flags
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"A setting is wrong: {error}") from error
    _check_host(settings.host)
    return settings


def _from_file(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file can't be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The settings file {file} is not TOML: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(Settings):
        text = environment.get(f"TOKENWIRE_{field.name.upper()}")
        if not text:
            continue
        if field.name in ("allowed_hosts", "allowed_origins", "model_folders"):
            values[field.name] = [part.strip() for part in text.split(",") if part.strip()]
        elif field.name in ("engine_args", "models"):
            try:
                values[field.name] = msgspec.json.decode(text)
            except msgspec.DecodeError as error:
                name = f"TOKENWIRE_{field.name.upper()}"
                raise SettingsError(f"{name} is not JSON: {error}") from error
        else:
            values[field.name] = text
    return values


def _check_host(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SettingsError(
            f"Tokenwire has no login yet, so it listens on this machine only, not on {host}. From "
            "another machine use a tunnel: ssh -L 8000:127.0.0.1:8000 THIS-MACHINE"
        )
