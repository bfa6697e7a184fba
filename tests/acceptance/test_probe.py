"""Files are looked at, converted, heard channel by channel, as a user does it."""

from __future__ import annotations

import json
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.unit.media_files import RATE, tone, wav

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Cli


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """Return a call of two seconds, a channel for each side."""
    mono = np.frombuffer(tone(2.0), "<i2")
    sides = np.stack([mono, mono // 2], axis=1).astype("<i2")
    path = tmp_path / "call.wav"
    path.write_bytes(wav(sides.tobytes(), channels=2))
    return path


def test_probe_tells_what_a_file_is_and_what_it_will_cost(
    cli: Cli, call: Path, tmp_path: Path
) -> None:
    found = cli("probe", str(call), "--engines", "fake,other", "--json")
    assert found.returncode == 0, found.stderr
    (told,) = json.loads(found.stdout)["files"]
    assert (told["codec"], told["channels"], told["sample_rate"]) == ("pcm_s16le", 2, RATE)
    assert told["seconds"] == pytest.approx(2.0)
    assert -40 < told["loudness"] < 0
    assert 0 <= told["speech_share"] <= 1
    expected = told["expected"]
    assert set(expected["engines"]) == {"fake", "other"}
    assert "other" in expected["guessed"]
    assert expected["cost_seconds"] >= expected["time_seconds"] > 0
    assert "2 at 16000 Hz" in cli("probe", str(call), "--engines", "fake").stdout


def test_probe_says_what_is_wrong_with_the_others(cli: Cli, call: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp3").write_text("no recording")
    partly = cli("probe", str(call), str(tmp_path / "text.mp3"), "--json")
    assert partly.returncode == 3
    errors = [one["error"] for one in json.loads(partly.stdout)["files"]]
    assert errors[0] is None
    assert "no recording of a known format" in errors[1]
    none = cli("probe", str(tmp_path / "gone.mp3"))
    assert (none.returncode, "No such file" in none.stderr) == (1, True)


def test_convert_writes_what_engines_hear_and_replaces_nothing_unasked(
    cli: Cli, call: Path, tmp_path: Path
) -> None:
    arguments = ("convert", str(call), "-o", str(tmp_path / "out"), "-f", "wav")
    made = cli(*arguments, "--channels", "split")
    assert made.stdout.split() == [f"{tmp_path}/out/call-{number}.wav" for number in (1, 2)]
    with wave.open(f"{tmp_path}/out/call-1.wav") as file:
        shape = (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes())
        assert shape == (1, 2, RATE, 2 * RATE)
    again = cli(*arguments, "--channels", "split")
    assert (again.returncode, "--force replaces it" in again.stderr) == (1, True)
    assert cli(*arguments, "--channels", "split", "--force").returncode == 0
    itself = cli("convert", str(call), "-o", str(tmp_path), "-f", "wav", "--force")
    assert "is the recording itself" in itself.stderr


def test_a_call_is_transcribed_with_who_says_what(cli: Cli, call: Path) -> None:
    told = cli("transcribe", str(call), "--engines", "fake", "--channels", "split", "-f", "txt")
    assert told.returncode == 0, told.stderr
    speakers = [line.partition(":")[0] for line in told.stdout.splitlines() if line]
    assert set(speakers) == {"channel 1", "channel 2"}
    shown = cli("transcribe", str(call), "--engines", "fake", "--channels", "split")
    assert "\nchannel 1: " in shown.stdout
