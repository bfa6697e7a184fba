"""Every accepted configuration is kept: there is a way back, and one over a file that is broken."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from coordinator.cli.config import config
from coordinator.configuration.versions import Backup
from schemas.errors import ConfigurationError
from schemas.kept_files import all_kept, folder_of, keep
from schemas.setting_fallback import tell_once
from schemas.settings import load_settings

if TYPE_CHECKING:
    from typer.testing import Result

FILE = Path("chordscribe.toml")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder; nothing was told yet."""
    monkeypatch.chdir(tmp_path)
    tell_once.cache_clear()


def run(*words: str) -> Result:
    """Run a command that works."""
    done = CliRunner().invoke(config, list(words))
    assert done.exit_code == 0, done.output
    return done


def refused(*words: str) -> str:
    """Return why a command is refused."""
    done = CliRunner().invoke(config, list(words))
    assert isinstance(done.exception, ConfigurationError), done.output
    return str(done.exception)


def spare() -> int:
    """Return the value that the tests change."""
    return load_settings(_env_file=None).scheduling.max_spare


def set_spares(*values: int) -> None:
    """Set it, again and again."""
    for value in values:
        run("set", "scheduling.max_spare", str(value))


def test_the_history_says_what_each_version_changed() -> None:
    FILE.write_text("version = 2\n")
    set_spares(3, 4)
    run("reset", "scheduling.max_spare")
    found = json.loads(run("history", "--json").stdout)["versions"]
    assert [(it["number"], it["how"]) for it in found] == [
        (4, "config reset scheduling.max_spare"),
        (3, "config set scheduling.max_spare"),
        (2, "config set scheduling.max_spare"),
        (1, "found by a command"),
    ]
    assert [it["changes"] for it in found] == [
        [{"key": "scheduling.max_spare", "before": "4", "after": "64"}],
        [{"key": "scheduling.max_spare", "before": "3", "after": "4"}],
        [{"key": "scheduling.max_spare", "before": "64", "after": "3"}],
        [],
    ]
    assert all(it["who"] for it in found)
    assert "scheduling.max_spare: 3 -> 4" in run("history", "-n", "2").stdout


def test_a_changes_effect_is_told() -> None:
    assert "3 (takes effect now)" in run("set", "scheduling.max_spare", "3").stdout
    assert "9.0 (restart needed)" in run("set", "performance.leases.lease_seconds", "9").stdout


def test_rolling_back_is_a_version_too() -> None:
    set_spares(3, 4, 5)
    run("rollback", "1")
    assert spare() == 3
    run("rollback")
    assert spare() == 5
    assert [kept.how for kept in all_kept(FILE)[:2]] == ["config rollback 3", "config rollback 1"]


def test_what_cannot_be_rolled_back_to_changes_nothing() -> None:
    assert "there is no other version" in refused("rollback")
    set_spares(3)
    assert "there is no version 9" in refused("rollback", "9")
    assert "there is no other version" in refused("rollback")
    keep(FILE, "version = 2\n[gone]\nkey = 1\n", "an older program", None)
    assert "unknown key gone" in refused("rollback", "2")
    assert spare() == 3
    assert "an older program" in run("history").stdout


@pytest.mark.parametrize(
    "broken", ["[scheduling\n", "[scheduling]\nmax_spare = 0\n", "[scheduling]\nmax_spar = 1\n", ""]
)
def test_a_broken_file_falls_back_to_the_last_good_version_loudly(
    broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    set_spares(3, 4)
    FILE.write_text(broken)
    assert (spare(), spare()) == (4, 4)
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "Version 2 of " in record.message
    assert "`chordscribe config rollback` puts it back" in record.message
    assert FILE.read_text() == broken
    run("rollback")
    assert "max_spare = 4" in FILE.read_text()


def test_without_a_version_a_broken_file_is_refused() -> None:
    FILE.write_text("[scheduling\n")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(_env_file=None)


def test_an_empty_file_is_right_where_nothing_else_was() -> None:
    FILE.touch()
    assert spare() == 64


def test_a_wrong_variable_is_not_the_files_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    set_spares(3)
    FILE.write_text("version = 2\n")
    monkeypatch.setenv("CHORDSCRIBE_SCHEDULING__MAX_SPARE", "0")
    with pytest.raises(ConfigurationError, match=r"scheduling\.max_spare"):
        load_settings(_env_file=None)


def test_a_damaged_version_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    set_spares(3, 4, 5)
    newest, before = (folder_of(FILE) / f"{number:06}.json" for number in (3, 2))
    newest.write_text(newest.read_text()[:-20])
    before.write_text(before.read_text().replace("max_spare = 4", "max_spare = 7"))
    FILE.write_text("[scheduling\n")
    assert spare() == 3
    assert str(newest) in caplog.text
    assert str(before) in caplog.text
    run("rollback")
    set_spares(6)
    assert [kept.number for kept in all_kept(FILE)] == [4, 1]


def test_versions_are_their_users_alone() -> None:
    set_spares(3)
    assert folder_of(FILE).stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in folder_of(FILE).glob("*.json")} == {0}


def test_where_nothing_can_be_kept_the_change_is_made_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(FILE))
    set_spares(3)
    assert spare() == 3
    assert "not kept for a rollback" in caplog.text


def test_versions_that_are_kept_at_once_have_numbers_of_their_own() -> None:
    def several(first: int) -> None:
        for number in range(10):
            keep(FILE, f"# {first} {number}\n", "test", None)

    threads = [threading.Thread(target=several, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [kept.number for kept in all_kept(FILE)] == list(range(40, 0, -1))


def test_a_backup_brings_the_file_with_its_versions_to_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_spares(3, 4)
    kept = all_kept(FILE)
    run("backup", "saved.json")
    assert Path("saved.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    run("restore", str(tmp_path / "saved.json"))
    assert spare() == 4
    assert [(it.at, it.how, it.text) for it in all_kept(FILE)] == [
        (it.at, it.how, it.text) for it in kept
    ]
    run("rollback", "1")
    assert spare() == 3


def test_a_restored_file_is_a_version_beside_those_that_were_there() -> None:
    set_spares(3)
    run("backup", "saved.json")
    set_spares(4)
    run("restore", "saved.json")
    assert spare() == 3
    assert [kept.how for kept in all_kept(FILE)] == [
        "config restore saved.json",
        "config set scheduling.max_spare",
        "config set scheduling.max_spare",
    ]


def test_a_backup_is_restored_over_a_broken_file() -> None:
    set_spares(3)
    run("backup", "saved.json")
    FILE.write_text("[scheduling\n")
    run("restore", "saved.json")
    assert spare() == 3


def test_a_backup_is_restored_over_a_broken_file_of_which_nothing_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_spares(3)
    run("backup", "saved.json")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    FILE.write_text("[scheduling\n")
    run("restore", str(tmp_path / "saved.json"))
    assert spare() == 3


def test_a_damaged_backup_changes_nothing() -> None:
    set_spares(3)
    run("backup", "saved.json")
    saved = Path("saved.json")
    whole = saved.read_text()
    wrong = Backup.model_validate_json(whole).model_copy(update={"text": "version = 2\n"})
    for text in (
        "",
        "{}",
        "null",
        whole[:-9],
        wrong.model_dump_json(),
        whole.replace("= 3", "= 4"),
    ):
        saved.write_text(text)
        assert "saved.json" in refused("restore", "saved.json")
    assert "there is no file" in refused("restore", "nowhere.json")
    assert spare() == 3


def test_a_file_that_is_wrong_is_not_backed_up() -> None:
    FILE.write_text("[scheduling\n")
    assert "cannot be read" in refused("backup", "saved.json")
    FILE.unlink()
    assert "there is no file" in refused("backup", "saved.json")
    assert not Path("saved.json").exists()


def test_an_older_file_is_brought_to_todays_form_and_the_older_one_is_kept() -> None:
    old = "[media]\nchunk_seconds = 33\n"
    FILE.write_text(old)
    set_spares(3)
    assert [kept.text for kept in all_kept(FILE)][-1] == old
    run("rollback", "1")
    assert FILE.read_text() == old
    assert load_settings(_env_file=None).media.chunk_seconds == 33
