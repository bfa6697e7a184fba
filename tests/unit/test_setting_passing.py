"""Another process finds the same settings, and reads the configuration file by itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine_workers.cli.worker import _pass_on
from schemas.setting_passing import differences, variables
from schemas.setting_sources import CLI_VALUES
from schemas.settings import SchedulingSettings, Settings, load_settings

FILE = Path("chordscribe.toml")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a configuration file."""
    monkeypatch.chdir(tmp_path)
    FILE.write_text("version = 2\n[scheduling]\nmax_spare = 3\n[engines.fake]\ntext = 'a'\n")


def read_elsewhere(
    passed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Return what a process reads that is given these variables in another folder."""
    (tmp_path / "elsewhere").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name, value in passed.items():
        monkeypatch.setenv(name, value)
    return load_settings(_env_file=None)


def test_what_the_file_says_is_left_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHORDSCRIBE_SCHEDULING__OVERDUE_EVERY", "9")
    settings = load_settings(_env_file=None)
    passed = variables(settings)
    assert read_elsewhere(passed, tmp_path, monkeypatch) == settings
    (tmp_path / FILE).write_text("version = 2\n[scheduling]\nmax_spare = 5\n")
    assert load_settings(_env_file=None).scheduling == SchedulingSettings(
        max_spare=5, overdue_every=9
    )
    assert load_settings(_env_file=None).engines == {}


def test_what_the_command_line_says_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHORDSCRIBE_SCHEDULING__MAX_SPARE", "8")
    monkeypatch.setitem(CLI_VALUES, "scheduling", {"max_spare": 9})
    passed = variables(load_settings(_env_file=None))
    monkeypatch.delitem(CLI_VALUES, "scheduling")
    assert read_elsewhere(passed, tmp_path, monkeypatch).scheduling.max_spare == 9


def test_settings_that_the_file_contradicts_leave_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(_env_file=None, database_url="postgresql://me@host/x")
    other = settings.model_copy(update={"engines": {}, "default_engines": ("fake",)})
    assert read_elsewhere(variables(other), tmp_path, monkeypatch) == other


def test_a_node_gives_its_pools_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHORDSCRIBE_SCHEDULING__MAX_SPARE", "8")
    settings = load_settings(
        _env_file=None, broker_url="redis://:p%40@host/1", database_url="postgresql://me@host/x"
    )
    settings = settings.model_copy(
        update={"scheduling": SchedulingSettings(max_spare=9), "default_engines": ("fake",)}
    )
    with patch.dict(os.environ):
        _pass_on(settings)
        passed = {name: it for name, it in os.environ.items() if name.startswith("CHORDSCRIBE_")}
    assert "CHORDSCRIBE_SCHEDULING__MAX_SPARE" not in passed
    monkeypatch.delenv("CHORDSCRIBE_SCHEDULING__MAX_SPARE")
    assert read_elsewhere(passed, tmp_path, monkeypatch) == settings


VALUES: Any = st.recursive(
    st.booleans() | st.integers(0, 3) | st.none() | st.text(max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def merge(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Merge tables as the sources of settings are."""
    made = dict(base)
    for name, value in more.items():
        before = base.get(name)
        both = isinstance(value, dict) and isinstance(before, dict)
        made[name] = merge(before or {}, value) if both else value
    return made


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(TABLES, TABLES)
def test_differences_make_the_one_of_the_other(
    base: dict[str, Any], wanted: dict[str, Any]
) -> None:
    found = differences(base, wanted)
    if found is not None:
        assert merge(base, found) == wanted


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(TABLES)
def test_between_equal_settings_there_is_no_difference(table: dict[str, Any]) -> None:
    assert differences(table, table) == {}
