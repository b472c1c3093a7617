"""Settings: which place wins, what is refused and by which name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tokenwire.config import Settings, SettingsError, load_settings


@dataclass(frozen=True)
class Given:
    """What a person has set, and where."""

    flags: dict[str, object] = field(default_factory=dict[str, object])
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def load(self, file: Path | None = None) -> Settings:
        return load_settings(self.flags, self.environment, file)


def write(folder: Path, text: str) -> Path:
    file = folder / "tokenwire.toml"
    file.write_text(text)
    return file


def test_without_anything_the_defaults_hold() -> None:
    settings = Given().load()

    assert settings == Settings()
    assert (settings.host, settings.port, settings.model) == ("127.0.0.1", 8000, None)


def test_flags_win_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, 'port = 1\nmodel = "file"\nlog_level = "error"\n')
    environment = {"TOKENWIRE_PORT": "2", "TOKENWIRE_MODEL": "environment"}

    settings = Given({"port": 3}, environment).load(file)
    assert (settings.port, settings.model, settings.log_level) == (3, "environment", "error")


def test_every_setting_can_be_given_in_the_environment() -> None:
    settings = Given(
        environment={
            "TOKENWIRE_HOST": "localhost",
            "TOKENWIRE_PORT": "9000",
            "TOKENWIRE_MAX_RUNNING": "4",
            "TOKENWIRE_MAX_MODEL_LEN": "1024",
            "TOKENWIRE_DISCONNECT_GRACE": "1.5",
            "TOKENWIRE_ALLOWED_HOSTS": "a.example, b.example,",
            "TOKENWIRE_ALLOWED_ORIGINS": "https://a.example",
            "TOKENWIRE_ENGINE_ARGS": '{"enforce_eager": true}',
        }
    ).load()

    assert (settings.host, settings.port, settings.max_running) == ("localhost", 9000, 4)
    assert (settings.max_model_len, settings.disconnect_grace) == (1024, 1.5)
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.allowed_origins == ("https://a.example",)
    assert settings.engine_args == {"enforce_eager": True}


def test_variables_that_are_empty_or_no_settings_are_left_alone() -> None:
    environment = {"TOKENWIRE_PORT": "", "TOKENWIRE_DEVICE": "cpu", "PORT": "1"}

    assert Given(environment=environment).load() == Settings()


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({"port": 65536}, "port"),
        ({"port": "many"}, "port"),
        ({"log_level": "loud"}, "log_level"),
        ({"max_running": 0}, "max_running"),
        ({"disconnect_grace": -1}, "disconnect_grace"),
        ({"prot": 1}, "prot"),
    ],
)
def test_a_setting_that_is_wrong_is_refused_by_its_name(
    flags: dict[str, object], name: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        Given(flags).load()


def test_a_setting_of_the_file_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="prot"):
        Given().load(write(tmp_path, "prot = 1\n"))


@pytest.mark.parametrize("content", [b"port 1", b'model = "\xff"'])
def test_a_file_that_is_no_toml_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "tokenwire.toml"
    file.write_bytes(content)

    with pytest.raises(SettingsError, match="The settings file"):
        Given().load(file)


def test_a_file_that_is_not_there_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be read"):
        Given().load(tmp_path / "none.toml")


def test_engine_arguments_that_are_no_json_are_refused() -> None:
    with pytest.raises(SettingsError, match="TOKENWIRE_ENGINE_ARGS"):
        Given(environment={"TOKENWIRE_ENGINE_ARGS": "eager"}).load()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_it_listens_on_this_machine(host: str) -> None:
    assert Given({"host": host}).load().host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", ""])
def test_it_does_not_listen_where_others_could_reach_it_without_a_login(host: str) -> None:
    with pytest.raises(SettingsError, match="no login"):
        Given({"host": host}).load()


def test_the_data_folder_is_an_absolute_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/users/ann")

    assert Given().load().data_path == Path("/users/ann/.local/share/tokenwire")
    assert Given({"data_dir": "here"}).load().data_path == Path.cwd() / "here"
