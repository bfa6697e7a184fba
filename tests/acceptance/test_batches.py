"""A folder is transcribed, gets another engine, is exported: as a user does it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.conftest import clean_env, command

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.local.stack import RunningStack
    from tests.acceptance.conftest import Cli


@pytest.fixture
def folder(tmp_path: Path, tone: Path) -> Path:
    """Return a folder of three recordings, one of them in a folder of its own."""
    found = tmp_path / "calls"
    (found / "old").mkdir(parents=True)
    for number, name in enumerate(("a.wav", "b.wav", "old/a.wav")):
        content = bytearray(tone.read_bytes())
        content[-1] = number
        (found / name).write_bytes(content)
    return found


def test_a_folder_is_transcribed_gets_an_engine_and_is_exported(
    cli: Cli, folder: Path, tmp_path: Path
) -> None:
    submit = ("submit", str(folder), "--recursive", "--engines", "fake", "--json")
    first = json.loads(cli(*submit).stdout)
    assert (first["accepted"], first["known"], len(first["jobs"])) == (3, 0, 3)
    batch = first["batch"]
    watched = cli("batch", "watch", batch, "--timeout", "60")
    assert (watched.returncode, "completed 3" in watched.stdout) == (0, True)

    again = json.loads(cli(*submit).stdout)
    assert (again["batch"], again["accepted"], again["known"]) == (batch, 0, 3)

    assert cli("add-engine", batch, "moonshine").stdout == "3 added\n"
    assert cli("batch", "watch", batch, "--timeout", "90").returncode == 0
    exported = cli("batch", "export", batch, "-o", str(tmp_path / "out"), "-f", "json")
    assert exported.stdout == "3 exported\n"
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a-2.json", "a.json", "b.json"]
    report = json.loads((tmp_path / "out" / "b.json").read_text())
    assert [engine["engine"] for engine in report["engines"]] == ["fake", "moonshine"]
    newest = json.loads(cli("list", "--json", "-n", "1").stdout)["jobs"][0]
    attempts = {run["engine"]: run["attempt"] for run in newest["runs"]}
    assert attempts == {"fake": 0, "moonshine": 1}  # only the added engine was at work


def test_a_manifest_is_checked_before_anything_is_submitted(cli: Cli, folder: Path) -> None:
    manifest = folder / "calls.csv"
    manifest.write_text("source,priority\na.wav,high\nb.wav,soon\n")
    refused = cli("submit", "--manifest", str(manifest), "--engines", "fake")
    assert refused.returncode == 2
    assert "line 3: priority" in refused.stderr
    manifest.write_text("source,priority\na.wav,high\ngone.wav,low\n")
    partly = cli("submit", "--manifest", str(manifest), "--engines", "fake", "--json")
    assert partly.returncode == 3
    told = json.loads(partly.stdout)
    assert (told["accepted"], len(told["refused"])) == (1, 1)


def test_ctrl_c_keeps_what_is_submitted_and_the_same_command_goes_on(
    cli: Cli, folder: Path, running_stack: RunningStack
) -> None:
    for number in range(1200):
        shutil.copy(folder / "a.wav", folder / f"{number:04}.wav")
    arguments = ("submit", str(folder), "--engines", "fake", "--json")
    paused = cli("pause", "--engine", "fake")
    assert paused.returncode == 0
    try:
        child = subprocess.Popen(
            command(*arguments),
            env=clean_env(running_stack.settings.data_dir),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        _when_some_are_in(cli)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=60)
        assert child.returncode == 130
        assert "the same command goes on" in told
        rest = json.loads(cli(*arguments).stdout)
        assert rest["known"] >= 200
        assert rest["accepted"] > 0
        assert rest["known"] + rest["accepted"] == 1202
        assert "cancelled" in cli("batch", "cancel", rest["batch"]).stdout
    finally:
        cli("resume", "--engine", "fake")


def _when_some_are_in(cli: Cli) -> None:
    """Return once the newest batch has jobs that wait."""
    for _ in range(200):
        newest = json.loads(cli("batch", "status", "--json").stdout)["batches"][:1]
        if newest and newest[0]["counts"]["queued"] >= 200:
            return
    pytest.fail("nothing was submitted")
