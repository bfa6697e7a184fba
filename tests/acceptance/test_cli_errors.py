"""Bad input gets one clear line, the documented exit code, and leaves the ledger consistent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Cli


def test_a_missing_file_is_named(cli: Cli) -> None:
    done = cli("transcribe", "nowhere.wav", "--engines", "fake")
    assert done.returncode == 2
    assert done.stderr == "chordscribe: 'nowhere.wav' does not exist\n"


def test_a_folder_is_named(cli: Cli, tmp_path: Path) -> None:
    done = cli("transcribe", str(tmp_path), "--engines", "fake")
    assert done.returncode == 2
    assert "is a folder" in done.stderr


def test_an_empty_file_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    done = cli("transcribe", str(tmp_path / "empty.wav"), "--engines", "fake")
    assert done.returncode == 2
    assert "is empty" in done.stderr


def test_an_unknown_engine_is_answered_with_the_nearest(cli: Cli, tone: Path) -> None:
    done = cli("transcribe", str(tone), "--engines", "fast_whisper")
    assert done.returncode == 2
    assert "did you mean faster_whisper?" in done.stderr


def test_a_file_that_is_no_recording_fails_with_its_reason(cli: Cli, tmp_path: Path) -> None:
    bad = tmp_path / "notes.mp3"
    bad.write_text("these are notes, no sound\n" * 50)
    done = cli("transcribe", str(bad), "--engines", "fake")
    assert done.returncode == 1
    assert "bad_media" in done.stderr or "recording" in done.stderr
    listed = json.loads(cli("list", "--json").stdout)["jobs"]
    job = next(job for job in listed if job["audio"]["name"] == "notes.mp3")
    assert job["state"] == "failed"
    assert job["failure"]["kind"] == "bad_media"
    assert [run["state"] for run in job["runs"]] == ["failed"]


def test_a_missing_model_costs_only_its_engine(cli: Cli, tone: Path) -> None:
    pytest.importorskip("faster_whisper", reason="needs the extra 'faster-whisper'")
    done = cli(
        "transcribe",
        str(tone),
        "--engines",
        "fake,faster_whisper",
        "--option",
        "faster_whisper.model=no-such-model",
        "--json",
    )
    assert done.returncode == 3
    (result,) = json.loads(done.stdout)["files"]
    assert (result["job"]["state"], result["job"]["degraded"]) == ("completed", True)
    (missing,) = result["report"]["missing"]
    assert (missing["engine"], missing["failure"]["kind"]) == ("faster_whisper", "model_missing")


def test_one_bad_file_does_not_cost_the_others(cli: Cli, tone: Path) -> None:
    done = cli("transcribe", str(tone), "nowhere.wav", "--engines", "fake", "--json")
    assert done.returncode == 3
    good, bad = json.loads(done.stdout)["files"]
    assert good["report"] is not None
    assert (bad["job"], bad["error"]) == (None, "'nowhere.wav' does not exist")


@pytest.mark.parametrize("command", ["status", "result", "events", "cancel"])
def test_an_unknown_job_is_answered_with_where_to_look(cli: Cli, command: str) -> None:
    for reference in ("0123", "not-an-id", "0" * 32):
        done = cli(command, reference)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("chordscribe: ")
        assert done.stderr.count("\n") == 1


def test_wrong_options_are_named(cli: Cli, tone: Path) -> None:
    done = cli("submit", str(tone), "--engines", "fake", "--language", "klingon!")
    assert (done.returncode, "language" in done.stderr) == (2, True)
    done = cli("submit", str(tone), "--engines", "fake", "--option", "beam=5")
    assert (done.returncode, "ENGINE.OPTION=VALUE" in done.stderr) == (2, True)


def test_a_wrong_setting_is_named_and_its_secret_is_not_shown(cli: Cli) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1/x"
    done = cli("list", CHORDSCRIBE_DATABASE_URL=url, CHORDSCRIBE_BROKER_URL="redis://127.0.0.1:1")
    assert done.returncode == 1
    assert "the database does not answer" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
