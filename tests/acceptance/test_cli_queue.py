"""The queue is shown, explained and steered from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Cli


def test_a_waiting_job_is_shown_explained_and_made_urgent(cli: Cli, tone: Path) -> None:
    # Its owner is paused: the job stays in line.
    assert cli("pause", "--owner", "alice").returncode == 0
    options = ("--engines", "fake", "--owner", "alice", "--priority", "low", "--deadline", "2h")
    job = cli("submit", str(tone), *options).stdout.strip()
    (line,) = (e for e in json.loads(cli("queue", "--json").stdout)["engines"] if e["waiting"])
    assert line["engine"] == "fake"
    assert "the owner alice is paused" in cli("why", job).stdout
    place = cli("status", job).stdout
    assert "fake: waiting: the owner alice is paused" in place
    assert "expected" not in place, "nobody knows until when the owner is paused"
    (waits,) = json.loads(cli("status", job, "--json").stdout)["why"]["runs"]
    assert "the owner alice is paused" in waits["reason"]
    assert json.loads(cli("status", "--json").stdout)["outages"] == []
    changed = json.loads(cli("prioritise", job, "high", "--json").stdout)
    assert changed["schedule"]["priority"] == "high"
    assert cli("resume", "--owner", "alice").returncode == 0
    # One worker, one run at a time: by the end of a later job of less priority it is done.
    assert cli("transcribe", str(tone), "--engines", "fake").returncode == 0
    assert "has succeeded" in cli("why", job).stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("quota", "set", "--owner", "a", "--weight", "nan"), "a weight is a number above 0"),
        (("quota", "set", "--owner", "a", "--weight", "0"), "a weight is a number above 0"),
        (("quota", "set", "--engine", "fake", "--max-running", "0"), "a cap is 1 to"),
        (("quota", "set"), "name an --owner or an --engine"),
        (("pause",), "name one thing to pause"),
        (("pause", "--all", "--owner", "a"), "name one thing to pause"),
    ],
)
def test_wrong_orders_are_refused_with_a_reason(
    cli: Cli, arguments: tuple[str, ...], complaint: str
) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--deadline", "yesterday"), "is no deadline"),
        (("--deadline", "2030-01-01T00:00"), "deadline is wrong"),
        (("--deadline", "2020-01-01T00:00Z"), "has passed"),
        (("--owner", "a b"), "owner is wrong"),
        (("--after", "00000000-0000-0000-0000-000000000000"), "no job of the owner"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    cli: Cli, tone: Path, options: tuple[str, ...], complaint: str
) -> None:
    done = cli("submit", str(tone), "--engines", "fake", *options)
    assert done.returncode == 2
    assert complaint in done.stderr
