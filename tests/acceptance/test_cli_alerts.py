"""Alerts are listed, tried out, silenced from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, func, insert

from schemas.alert_rules import DEFAULT_RULES
from schemas.alert_tables import Alert
from schemas.database import Database
from tests.integration.receivers import web_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coordinator.local.stack import RunningStack
    from tests.acceptance.conftest import Cli


@pytest.fixture
def _alert(running_stack: RunningStack) -> Iterator[None]:
    """Have an alert fire whose rule the coordinator does not know, so that it is left alone."""
    database = Database(running_stack.settings)
    row = {
        "rule": "disk_full",
        "series": "folder=[red]\\x",
        "labels": {"folder": "[red]\\x"},
        "severity": "critical",
        "state": "firing",
        "summary": "disk_full (folder [red]): 0.95",
        "since": func.now(),
    }
    with database.transaction() as session:
        session.execute(insert(Alert).values(**row, resolved_at=func.now()))
    yield
    with database.transaction() as session:
        session.execute(delete(Alert))
    database.dispose()


@pytest.mark.usefixtures("_alert")
def test_alerts_are_listed_with_what_is_wrong(cli: Cli) -> None:
    open_ones = cli("alerts", "list", "--json")
    assert open_ones.returncode == 0, open_ones.stderr
    assert "disk_full" not in open_ones.stdout, "it is over"
    shown = cli("alerts", "list", "--all").stdout
    assert "disk_full (folder [red]): 0.95" in shown
    (view,) = json.loads(cli("alerts", "list", "--all", "--json").stdout)["alerts"]
    assert (view["rule"], view["labels"]) == ("disk_full", {"folder": "[red]\\x"})


@pytest.mark.usefixtures("_alert")
def test_a_rule_is_silenced_for_a_while_and_no_longer(cli: Cli) -> None:
    done = cli("alerts", "silence", "disk_full", "--for", "2h", "--label", "folder=[red]\\x")
    assert done.returncode == 0, done.stderr
    assert "nobody is told of disk_full until" in done.stdout
    (view,) = json.loads(cli("alerts", "list", "--all", "--json").stdout)["alerts"]
    assert view["silenced_until"] is not None
    assert cli("alerts", "silence", "disk_full", "--end").stdout == "1 silences ended\n"
    (view,) = json.loads(cli("alerts", "list", "--all", "--json").stdout)["alerts"]
    assert view["silenced_until"] is None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("disk_ful",), "there is no rule 'disk_ful'; did you mean disk_full?"),
        (("disk_full", "--for", "tomorrow"), "'tomorrow' is no deadline"),
        (("disk_full", "--for", "2030-01-01T00:00Z"), "is no length of time"),
        (("disk_full", "--for", "31d"), "30 days"),
        (("disk_full", "--for", "0s"), "30 days"),
        (("disk_full", "--label", "folder"), "'folder' is no label"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(
    cli: Cli, arguments: tuple[str, ...], complaint: str
) -> None:
    done = cli("alerts", "silence", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


def test_the_rules_in_force_are_shown_as_they_were_changed(cli: Cli) -> None:
    done = cli("--set", "alerts.rules.disk_full.threshold=0.5", "alerts", "rules", "--json")
    found = json.loads(done.stdout)["rules"]
    assert set(found) == set(DEFAULT_RULES)
    assert found["disk_full"]["threshold"] == 0.5
    assert "gpu_celsius > 85 for 120 s" in cli("alerts", "rules").stdout


def test_a_test_message_shows_whether_a_channel_works(cli: Cli) -> None:
    with web_server() as hook:
        there = {"CHORDSCRIBE_ALERTS__WEBHOOK__URL": f"{hook.address}/in"}
        done = cli("alerts", "test", **there)
        assert (done.returncode, done.stdout) == (0, "webhook: delivered\n"), done.stderr
        _, _, body = hook.got.get(timeout=10)
        assert json.loads(body)["news"] == "test"
        hook.answers = [500]
        done = cli("alerts", "test", "--json", **there)
        assert done.returncode == 1
        (told,) = json.loads(done.stdout)["channels"]
        assert told["problem"] == "the webhook answers 500"
    assert "no channel is configured" in cli("alerts", "test").stderr


def test_health_is_told_by_the_exit_code(cli: Cli, tmp_path: Path) -> None:
    done = cli("health", "--json")
    told = json.loads(done.stdout)
    levels = {check["level"] for check in told["checks"]}
    assert {"ledger", "broker", "coordinator"} <= {check["name"] for check in told["checks"]}
    expected = 1 if "failed" in levels else 3 if "warning" in levels else 0
    assert (done.returncode, told["healthy"]) == (expected, "failed" not in levels), done.stderr
    nowhere = cli("health", CHORDSCRIBE_DATA_DIR=str(tmp_path / "none"))
    assert nowhere.returncode == 1
    assert "no stack runs" in nowhere.stdout
    assert not (tmp_path / "none").exists(), "it starts nothing"
