"""Whoever is told of an alert finds the page that it names, with commands that there are."""

from __future__ import annotations

import re
from pathlib import Path

from coordinator.alerts.telling import RUNBOOK
from coordinator.cli.main import COMMANDS
from schemas.alert_rules import DEFAULT_RULES, METRICS

ROOT = Path(__file__).parents[2]
#: Commands that other packages bring.
OTHERS = {"compare", "engines", "merge", "models", "pools", "worker"}


def test_each_default_alert_has_a_page_that_says_what_to_look_at_and_what_to_do() -> None:
    pages = dict(
        re.findall(
            r"^## (\w+)\n(.*?)(?=^## |\Z)", (ROOT / RUNBOOK).read_text(), re.MULTILINE | re.DOTALL
        )
    )
    assert set(pages) == set(DEFAULT_RULES)
    for name, page in pages.items():
        assert "**Look**" in page, name
        assert "**Do**" in page, name


def test_the_runbook_names_no_command_that_there_is_not() -> None:
    named = set(re.findall(r"`chordscribe ([a-z-]+)", (ROOT / RUNBOOK).read_text()))
    assert named - OTHERS - set(COMMANDS) == set()


def test_the_page_on_alerts_tells_of_every_rule_and_every_metric() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text()
    for name, rule in DEFAULT_RULES.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert f"`{rule.metric}`" in row
        assert rule.severity in row
    assert [name for name in METRICS if f"`{name}`" not in page] == []
