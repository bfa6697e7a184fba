"""`chordscribe config …` shows, explains, checks, changes the configuration."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from coordinator.cli.config import config
from coordinator.configuration.explaining import MARK, page
from coordinator.configuration.overriding import override
from schemas.errors import ConfigurationError
from schemas.setting_sources import CLI_VALUES
from schemas.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.testing import Result

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
FILE = Path("chordscribe.toml")
#: In the older form, with comments.
OLD = """# ours
[media]  # how we cut
chunk_seconds = 33  # short
[scheduling]
max_spare = 3
"""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, with nothing from the command line."""
    monkeypatch.chdir(tmp_path)
    CLI_VALUES.clear()
    yield
    CLI_VALUES.clear()


def run(*words: str, given: str | None = None) -> Result:
    """Run a command that works."""
    done = call(*words, given=given)
    assert done.exit_code == 0, done.output
    return done


def call(*words: str, given: str | None = None) -> Result:
    """Run a command."""
    return CliRunner().invoke(config, list(words), input=given)


def refused(*words: str) -> str:
    """Return why a command is refused."""
    done = call(*words)
    assert isinstance(done.exception, ConfigurationError)
    return str(done.exception)


def written() -> dict[str, object]:
    """Return what the file says."""
    return tomllib.loads(FILE.read_text())


def test_the_page_has_the_keys_that_there_are() -> None:
    assert PAGE.read_text().partition(MARK)[2] == page().partition(MARK)[2]
    assert MARK in PAGE.read_text()


def test_every_value_is_shown_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    FILE.write_text("version = 2\n[scheduling]\nmax_spare = 3\n[pools.it]\nthreads = 2\n")
    Path(".env").write_text("CHORDSCRIBE_SCHEDULING__SPARE_SHARE=0.5\n")
    monkeypatch.setenv("CHORDSCRIBE_PERFORMANCE__MEDIA__CHUNK_SECONDS", "44")
    override(["scheduling.overdue_every=7"])
    rows = {row["key"]: row for row in json.loads(run("show", "--json").stdout)["values"]}
    found = {
        name: (rows[name]["value"], rows[name]["source"])
        for name in (
            *("scheduling.max_spare", "scheduling.overdue_every", "scheduling.spare_share"),
            *("performance.media.chunk_seconds", "pools.it.threads", "scheduling.min_free_vram"),
        )
    }
    assert found == {
        "scheduling.max_spare": (3, "file"),
        "scheduling.overdue_every": (7, "command line"),
        "scheduling.spare_share": (0.5, ".env"),
        "performance.media.chunk_seconds": (44.0, "environment"),
        "pools.it.threads": (2, "file"),
        "scheduling.min_free_vram": (0, "default"),
    }
    lines = run("show", "pools").stdout.splitlines()
    assert any(line.startswith("pools.it.threads = 2 ") for line in lines)
    assert all(line.startswith("pools.it.") for line in lines)


def test_what_differs_from_the_defaults_is_shown_alone() -> None:
    FILE.write_text("version = 2\n[scheduling]\nmax_spare = 3\n")
    assert run("diff").stdout.split() == ["scheduling.max_spare", "=", "3", "#", "file"]


@pytest.mark.parametrize(
    ("key", "value", "left"),
    [
        ("broker_url", "redis://me:hunter2@host/1", "redis://me:***@host/1"),
        ("ui.flower.password", "hunter2", "***"),
        ("engines.cloud.api_key", "hunter2", "***"),
        ("engines.cloud.url", "https://host/?key=hunter2", "https://host/?***"),
    ],
)
def test_secrets_are_masked(key: str, value: str, left: str) -> None:
    run("set", key, "-", given=f"{value}\n")
    assert value in FILE.read_text()
    for words in (("show",), ("show", "--json"), ("diff",), ("get", key)):
        output = run(*words).output
        assert "hunter2" not in output
        assert left in output


def test_a_value_is_set_where_the_file_has_it_with_its_comments() -> None:
    FILE.write_text("# ours\nversion = 2\n[scheduling]  # who goes first\nmax_spare = 3  # few\n")
    run("set", "scheduling.max_spare", "4")
    run("set", "performance.media.chunk_seconds", "33")
    assert run("get", "scheduling.max_spare").stdout == "4\n"
    text = FILE.read_text()
    assert "# who goes first\nmax_spare = 4  # few\n" in text
    assert "[performance.media]\nchunk_seconds = 33\n" in text


@pytest.mark.parametrize(
    "text",
    [
        "version = 2\nperformance.media.chunk_seconds = 1\n",
        "version = 2\nperformance = {media = {chunk_seconds = 1}}\n",
        (
            "version = 2\n[performance.media]\nchunk_seconds = 1\n[scheduling]\nmax_spare = 1\n"
            "[performance.limits]\nbase_seconds = 1\n"
        ),
        "version = 2\n[performance]\n[performance.worker]\n",
        "version = 2\n[performance.leases]\n\n\n# end",
        "",
    ],
)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("performance.media.chunk_seconds", "33.0"),
        ("performance.worker.max_audio_seconds", "9.0"),
        ("default_engines", '["fake"]'),
        ("pools.it.threads", "3"),
    ],
)
def test_a_value_is_set_in_files_of_every_form(text: str, key: str, value: str) -> None:
    FILE.write_text(text)
    before = load_settings(_env_file=None).limits
    run("set", key, value)
    assert run("get", key).stdout == f"{value}\n"
    assert load_settings(_env_file=None).limits == before


def test_a_text_needs_no_quotes() -> None:
    run("set", "aggregation.strategy", "rover")
    run("set", "engines.fake.text", "no 7")
    run("set", "performance.node.name", "7")
    assert written()["engines"] == {"fake": {"text": "no 7"}}
    assert written()["performance"] == {"node": {"name": "7"}}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("set", "aggregation.stratgy", "rover"), "did you mean aggregation.strategy?"),
        (("set", "aggregation.strategy", "roverr"), "no such merge strategy"),
        (("set", "scheduling.max_spare", "0"), "scheduling.max_spare: Input should be greater"),
        (("set", "scheduling", "3"), "unknown key scheduling"),
        (("get", "pools.it.threads"), "pools.it.threads is not set"),
        (("get", "nonsense"), "unknown key nonsense"),
        (("show", "shceduling"), "did you mean scheduling?"),
        (("reset", "shceduling"), "did you mean scheduling?"),
        (("explain", "scheduling.max_spar"), "did you mean scheduling.max_spare?"),
        (("validate", "nowhere.toml"), "there is no file nowhere.toml"),
    ],
)
def test_what_cannot_be_changes_nothing(words: tuple[str, ...], reason: str) -> None:
    FILE.write_text("version = 2\n[scheduling]\nmax_spare = 3\n")
    assert reason in refused(*words)
    assert FILE.read_text() == "version = 2\n[scheduling]\nmax_spare = 3\n"


def test_a_section_or_a_key_or_everything_goes_back_to_the_defaults() -> None:
    FILE.write_text(
        "version = 2\ndefault_engines = ['fake']\n[scheduling]\nmax_spare = 3\noverdue_every = 9\n"
        "[performance.media]\nchunk_seconds = 3\n"
    )
    run("reset", "scheduling.max_spare")
    assert written()["scheduling"] == {"overdue_every": 9}
    run("reset", "performance.media")
    run("reset", "scheduling")
    assert set(written()) - {"performance"} == {"version", "default_engines"}
    run("reset")
    assert written() == {"version": 2}
    assert "does not set it" in run("reset", "scheduling").output


def test_changing_a_file_of_version_1_brings_it_to_version_2() -> None:
    FILE.write_text(OLD)
    done = run("set", "scheduling.max_spare", "4")
    assert "media is performance.media; chordscribe.toml is brought to version 2" in done.stderr
    assert written() == {
        "version": 2,
        "performance": {"media": {"chunk_seconds": 33}},
        "scheduling": {"max_spare": 4},
    }
    assert "# short" in FILE.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "media.chunk_seconds = 33\n",
        "media = {chunk_seconds = 33}\n",
        "[media]\nchunk_seconds = 33\n[limits]\nbase_seconds = 1\n[flower]\nport = 0\n",
        "[engine_limits.fake]\nbase_seconds = 1\n[media]\n[engine_limits.other]\n",
        "data_dir = '/d'\n[performance]\n[performance.media]\nchunk_seconds = 33\n[limits]\n",
    ],
)
def test_a_file_of_version_1_in_any_form_keeps_its_meaning(text: str) -> None:
    FILE.write_text(text)
    before = load_settings(_env_file=None)
    run("set", "default_engines", '["fake"]')
    after = load_settings(_env_file=None)
    assert after == before.model_copy(update={"default_engines": ("fake",)})
    assert written()["version"] == 2


def test_validating_reads_the_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORDSCRIBE_SCHEDULING__MAX_SPARE", "0")
    good, bad = Path("good.toml"), Path("bad.toml")
    good.write_text(OLD)
    done = run("validate", "good.toml")
    assert done.stdout == "good.toml is valid\n"
    assert "media is performance.media" in done.stderr
    bad.write_text("[scheduling]\nmax_spare = 0\n")
    assert "scheduling.max_spare" in refused("validate", "bad.toml")
    assert good.read_text() == OLD


def test_a_variable_that_wins_over_the_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORDSCRIBE_SCHEDULING__MAX_SPARE", "9")
    done = run("set", "scheduling.max_spare", "4")
    assert "comes from the environment, which wins over the file" in done.stderr
    assert written()["scheduling"] == {"max_spare": 4}


def test_a_key_is_explained() -> None:
    told = json.loads(run("explain", "pools.it.threads", "--json").stdout)
    assert told["key"] == "pools.NAME.threads"
    assert told["variable"] == "CHORDSCRIBE_POOLS__IT__THREADS"
    assert "meaning: " in run("explain", "scheduling.max_spare").stdout


def test_the_file_keeps_its_mode_a_new_one_is_the_users_alone() -> None:
    run("set", "scheduling.max_spare", "4")
    assert FILE.stat().st_mode & 0o777 == 0o600
    FILE.chmod(0o644)
    run("set", "scheduling.max_spare", "5")
    assert FILE.stat().st_mode & 0o777 == 0o644
    assert list(Path().glob(".chordscribe*")) == []


def test_a_link_stays_a_link() -> None:
    target = Path("elsewhere.toml")
    target.write_text("version = 2\n")
    FILE.symlink_to(target)
    run("set", "scheduling.max_spare", "4")
    assert FILE.is_symlink()
    assert "max_spare = 4" in target.read_text()


@pytest.mark.parametrize("pair", ["scheduling.max_spare", "scheduling.max_spar=3", "=3"])
def test_a_wrong_pair_of_the_command_line_is_refused(pair: str) -> None:
    with pytest.raises(ConfigurationError):
        override([pair])


def test_a_refused_value_of_the_command_line_leaves_the_others() -> None:
    override(["scheduling.max_spare=3"])
    with pytest.raises(ConfigurationError, match=r"scheduling\.max_spare"):
        override(["scheduling.max_spare=none"])
    assert load_settings(_env_file=None).scheduling.max_spare == 3
