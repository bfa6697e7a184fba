"""A running stack follows its configuration file, and tells of one that is broken."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from coordinator.client import Client
from coordinator.local.paths import stack_paths
from coordinator.local.stack import running
from schemas.jobs import JobState
from tests.conftest import own_settings
from tests.integration.engine_rows import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemas.jobs import JobView
    from schemas.report import Report
    from tests.acceptance.conftest import Cli

#: Seconds within which a change has to reach every process.
PROMISED_SECONDS = 5.0
BEFORE = """version = 2
[engines.fake]
text = "before"
[aggregation]
strategy = "rover"
[performance.leases]
lease_seconds = 20
"""
AFTER = BEFORE.replace('"before"', '"after"').replace("rover", "weighted")


class Lab:
    """A stack that follows a file."""

    def __init__(self, client: Client, file: Path) -> None:
        """Use a client of the stack."""
        self.client = client
        self.file = file
        self.logs = stack_paths(client.settings.data_dir).logs

    def submit(self, tone: Path, **options: object) -> JobView:
        """Submit a recording to the fake engine."""
        more: dict[str, Any] = {"options": {"fake": options}} if options else {}
        return self.client.submit(tone, engines=["fake"], **more)

    def result(self, tone: Path) -> Report:
        """Return what becomes of a recording that is submitted now."""
        job = self.submit(tone)
        self.client.wait(job.id, timeout=60)
        return self.client.result(job.id)

    def says(self, name: str, *words: str) -> bool:
        """Whether a line of a process's log has all the words."""
        lines = (self.logs / f"{name}.log").read_text().splitlines()
        return any(all(word in line for word in words) for line in lines)

    def until_all_say(self, *words: str) -> None:
        """Wait until each role's log has such a line."""
        for name in ("coordinator", "engine-fake", "aggregation"):
            until(partial(self.says, name, *words))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run a stack with a configuration file."""
    from tests.conftest import private_folder  # noqa: PLC0415  # as its own fixtures do

    with private_folder() as folder, pytest.MonkeyPatch.context() as patch:
        file = folder / "chordscribe.toml"
        file.write_text(BEFORE)
        patch.setenv("CHORDSCRIBE_CONFIG", str(file))
        settings = own_settings(folder / "data")
        with (
            running(settings, engines=["fake"]) as stack,
            Client(stack=stack) as client,
        ):
            yield Lab(client, file)


def test_a_change_reaches_every_process_in_time_without_losing_a_job(lab: Lab, tone: Path) -> None:
    assert lab.result(tone).merged.text == "before before"
    under_way = [lab.submit(tone, delay_seconds=2.0) for _ in range(2)]
    until(lambda: lab.client.status(under_way[0].id).state is JobState.RUNNING)
    began = time.monotonic()
    lab.file.write_text(AFTER + "[monitoring]\nlog_level = 'DEBUG'\n")
    lab.until_all_say("configuration changed", "log_level")
    assert time.monotonic() - began < PROMISED_SECONDS
    for job in under_way:
        assert lab.client.wait(job.id, timeout=60).state is JobState.COMPLETED
    report = lab.result(tone)
    assert report.merged.text == "after after"
    assert report.merged.strategy == "weighted"


def test_a_broken_file_changes_nothing_and_raises_an_alert(lab: Lab, tone: Path, cli: Cli) -> None:
    before = lab.result(tone).merged.text
    lab.file.write_text(AFTER.replace("after", "broken") + "[scheduling\n")
    lab.until_all_say("configuration refused", '"level": "error"')
    assert lab.result(tone).merged.text == before

    def newest() -> dict[str, Any]:
        done = cli(
            *("config", "events", "--json"),
            CHORDSCRIBE_DATA_DIR=str(lab.client.settings.data_dir),
            CHORDSCRIBE_CONFIG=str(lab.file),
        )
        assert done.returncode == 0, done.stderr
        assert "is used instead" in done.stderr
        found: dict[str, Any] = json.loads(done.stdout)["events"][0]
        return found

    until(lambda: newest()["kind"] == "refused")
    assert "cannot be read" in newest()["problem"]
    lab.file.write_text(AFTER)
    until(lambda: lab.says("coordinator", "right again"))


def test_a_cold_key_says_that_a_restart_is_needed(lab: Lab, tone: Path) -> None:
    lab.file.write_text(AFTER.replace("lease_seconds = 20", "lease_seconds = 21"))
    until(lambda: lab.says("engine-fake", "restart needed", "lease_seconds: 20.0 -> 21.0"))
    assert lab.result(tone).merged.text == "after after"


def test_recordings_are_prepared_as_is_configured_now(lab: Lab, tone: Path) -> None:
    lab.file.write_text(AFTER + "[performance.worker]\nmax_audio_seconds = 0.5\n")
    lab.until_all_say("configuration changed", "max_audio_seconds: 43200.0 -> 0.5")
    job = lab.submit(tone)
    assert lab.client.wait(job.id, timeout=60).state is JobState.FAILED
    lab.file.write_text(AFTER)
    lab.until_all_say("configuration changed", "max_audio_seconds: 0.5 -> 43200.0")
