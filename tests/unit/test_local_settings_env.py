"""The stack's roles see the settings that the stack was started with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from coordinator.local.messages import Boot, FlowerRequest
from coordinator.local.paths import stack_paths
from coordinator.local.role_commands import RoleCommands
from coordinator.local.roles import role_table
from coordinator.local.settings_env import SHUTDOWN_SECONDS, settings_env
from schemas.screen_settings import FlowerSettings
from schemas.settings import LeaseSettings, Settings, WorkerSettings, load_settings

if TYPE_CHECKING:
    import pytest

BROKER, DATABASE = "redis+socket:///run/valkey.sock", "postgresql+psycopg://me@/ledger"


def _settings(folder: Path) -> Settings:
    return Settings(
        data_dir=folder / "data",
        engines={"fake": {"text": 'it\'s 100 % "quoted"', "seconds": 1.5, "flag": True}},
        default_engines=("fake", "other"),
        leases=LeaseSettings(heartbeat_seconds=1, lease_seconds=7),
        worker=WorkerSettings(shutdown_seconds=1.0, max_audio_seconds=60),
        flower=FlowerSettings(password=SecretStr("secret")),
    )


def _commands(settings: Settings) -> RoleCommands:
    boot = Boot(str(settings.data_dir), None, None, settings_env(settings), role_table())
    return RoleCommands(boot, stack_paths(settings.data_dir), BROKER, DATABASE)


def _read_back(env: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Read settings as a role does that is started with `env` in `folder`."""
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return load_settings(_env_file=None)


def test_a_role_reads_back_every_setting_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(tmp_path)
    env = _commands(settings).env
    read = _read_back(dict(env), tmp_path / "elsewhere", monkeypatch)
    same = {"data_dir", "engines", "default_engines", "leases", "worker"}
    assert read.model_dump(include=same) == settings.model_dump(include=same)
    assert read.media_root == settings.media_root
    assert read.broker_url == SecretStr(BROKER)
    assert read.database_url == SecretStr(DATABASE)


def test_relative_folders_are_those_of_the_starter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    env = settings_env(Settings(data_dir=Path("data"), media_dir=Path("media")))
    assert env["CHORDSCRIBE_DATA_DIR"] == str(tmp_path / "data")
    assert env["CHORDSCRIBE_MEDIA_DIR"] == str(tmp_path / "media")


def test_the_settings_win_over_the_starters_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(tmp_path)
    monkeypatch.setenv("CHORDSCRIBE_ENGINES__FAKE__TEXT", "other")
    monkeypatch.setenv("chordscribe_leases__lease_seconds", "99")
    monkeypatch.setenv("CHORDSCRIBE_BROKER_URL", "redis://elsewhere")
    monkeypatch.setenv("HF_HOME", "/models")
    env = _commands(settings).env
    assert not {name for name in env if "__" in name and name.upper().startswith("CHORDSCRIBE")}
    assert env["CHORDSCRIBE_BROKER_URL"] == BROKER
    assert env["HF_HOME"] == "/models"


def test_no_embedded_worker_makes_the_stack_wait_long_for_its_task(tmp_path: Path) -> None:
    slow = Settings(data_dir=tmp_path, worker=WorkerSettings(shutdown_seconds=300))
    assert f'"shutdown_seconds": {SHUTDOWN_SECONDS}' in settings_env(slow)["CHORDSCRIBE_WORKER"]
    quick = Settings(data_dir=tmp_path, worker=WorkerSettings(shutdown_seconds=0.5))
    assert '"shutdown_seconds": 0.5' in settings_env(quick)["CHORDSCRIBE_WORKER"]


def test_flowers_password_reaches_flower_alone_and_no_command_line(tmp_path: Path) -> None:
    commands = _commands(_settings(tmp_path))
    assert "secret" not in " ".join(commands.engine("fake").env or {})
    flower = commands.flower(FlowerRequest("me", "secret", 5000), 5000)
    assert (flower.env or {})["FLOWER_BASIC_AUTH"] == "me:secret"
    assert "secret" not in " ".join(flower.argv)
    assert "--port=5000" in flower.argv
    assert "secret" not in str(commands.engine("fake").env)


def test_only_the_first_coordinator_of_a_stack_takes_running_work_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHORDSCRIBE_EMBEDDED", "1")
    commands = _commands(_settings(tmp_path))
    assert (commands.coordinator(fresh=True).env or {})["CHORDSCRIBE_EMBEDDED"] == "1"
    assert "CHORDSCRIBE_EMBEDDED" not in (commands.coordinator(fresh=False).env or {})
    assert "CHORDSCRIBE_EMBEDDED" not in (commands.engine("fake").env or {})


def test_a_worker_consumes_its_engines_queue_alone(tmp_path: Path) -> None:
    argv = _commands(_settings(tmp_path)).engine("fake", wait=0.5).argv
    assert argv[-4:] == ("engine_workers.app", "fake", "asr.fake", "0.5")
