"""When an alert begins, fires, ends; which rules are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.alerts.growth import Growth
from coordinator.alerts.readings import Readings, labels
from coordinator.alerts.states import AlertState, Standing, judge
from coordinator.alerts.telling import summary
from schemas.alert_rules import DEFAULT_RULES, METRICS, Rule
from schemas.alert_settings import AlertSettings
from schemas.errors import ConfigurationError
from schemas.setting_sources import reading_instead
from schemas.settings import load_settings

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
#: Fires after a minute above 10; over after half a minute at 5 or less.
RULE = Rule("queue_age_seconds", ">", 10.0, 60.0, 5.0, 30.0)
GIB = 2.0**30


def course(rule: Rule, *values: float | None, step: float = 15.0) -> list[str]:
    """Return the states after looks at values, so many seconds apart."""
    found, before = [], None
    for number, value in enumerate(values):
        before = judge(rule, before, value, BEGIN + timedelta(seconds=number * step))
        found.append(before.state.value if before else "-")
        if before and before.state is AlertState.RESOLVED:
            before = None
    return found


def refusal(table: dict[str, Any]) -> str:
    """Return why a configuration of alerts is refused."""
    with (
        pytest.raises(ConfigurationError) as caught,
        reading_instead({"version": 2, "alerts": table}),
    ):
        load_settings(_env_file=None)
    return str(caught.value)


def test_an_alert_fires_once_its_condition_has_held_for_long_enough() -> None:
    assert course(RULE, 9, 11, 12, 11, 11, 11) == ["-", *["pending"] * 4, "firing"]


def test_a_condition_that_ceases_before_is_nothing() -> None:
    assert course(RULE, 11, 11, 9, 11, None) == ["pending", "pending", "-", "pending", "-"]


def test_a_rule_without_patience_fires_at_once() -> None:
    assert course(Rule("gpu_lost", ">", 0.0), 1) == ["firing"]


def test_an_alert_ends_only_when_the_value_stayed_back_for_long_enough() -> None:
    at_once = Rule("queue_age_seconds", ">", 10.0, 0.0, 5.0, 30.0)
    between_thresholds = course(at_once, 11, 7, 7, 7, 7)
    assert between_thresholds == ["firing"] * 5
    interrupted = course(at_once, 11, 4, 4, 7, 4, 4, 4)
    assert interrupted == [*["firing"] * 6, "resolved"]


def test_an_alert_about_what_is_gone_ends() -> None:
    assert course(Rule("gpu_lost", ">", 0.0, clear_seconds=0), 1, None) == ["firing", "resolved"]


def test_each_comparison_has_its_own_way_back() -> None:
    for sign, beyond, back in ((">", 2, 1), (">=", 1, 0), ("<", 0, 1), ("<=", 1, 2)):
        rule = Rule("disk_used_share", sign, 1.0)  # type: ignore[arg-type]
        assert rule.holds(beyond)
        assert not rule.cleared(beyond)
        assert rule.cleared(back)
        assert not rule.holds(back)


@given(st.lists(st.one_of(st.none(), st.floats(0, 20)), max_size=40))
def test_no_alert_fires_early_or_ends_early(values: list[float | None]) -> None:
    before: Standing | None = None
    above = back = 0
    for number, value in enumerate(values):
        after = judge(RULE, before, value, BEGIN + timedelta(seconds=15 * number))
        above = above + 1 if value is not None and value > 10 else 0
        back = back + 1 if value is None or value <= 5 else 0
        if after and after.state is AlertState.FIRING and (before is None or before != after):
            was_firing = before is not None and before.state is AlertState.FIRING
            assert was_firing or above >= 5
        if after and after.state is AlertState.RESOLVED:
            assert back >= 3
            after = None
        before = after


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"rules": {"mine": {"metric": "queue_ag_seconds"}}}, "did you mean queue_age_seconds?"),
        ({"rules": {"mine": {"metric": "zz"}}}, "there are queue_idle_seconds"),
        ({"rules": {"disk_full": {"threshold": float("nan")}}}, "finite number"),
        ({"rules": {"disk_full": {"threshold": float("inf")}}}, "finite number"),
        ({"rules": {"disk_full": {"for_seconds": -1}}}, "greater than or equal to 0"),
        ({"rules": {"disk_full": {"clear_threshold": 0.95}}}, "the alert would never end"),
        ({"rules": {"mine": {"metric": "gpu_lost"}}}, "a rule of your own needs comparison, thre"),
        ({"defaults": False, "rules": {"disk_full": {"threshold": 1}}}, "needs metric, comparison"),
        ({"rules": {"Mine!": {"metric": "gpu_lost"}}}, "rules.Mine!"),
        ({"rules": {"disk_full": {"treshold": 1}}}, "did you mean alerts.rules.disk_full.threshol"),
        ({"rules": {"disk_full": {"comparison": "=="}}}, "alerts.rules.disk_full.comparison"),
        ({"webhook": {"url": "ftp://here/x"}}, "begins with https:// or http://"),
        ({"webhook": {"url": "https://"}}, "begins with https:// or http://"),
        ({"email": {"host": "mail"}}, "a mail server without recipients"),
        (
            {"email": {"host": "mail", "recipients": ["a@b\nBcc: c@d"]}},
            "it has to be one line",
        ),
    ],
)
def test_a_rule_or_a_channel_that_cannot_be_is_refused(
    table: dict[str, Any], complaint: str
) -> None:
    assert complaint in refusal(table)


def test_a_default_rule_is_changed_by_what_differs() -> None:
    with reading_instead({"version": 2, "alerts": {"rules": {"disk_full": {"threshold": 0.95}}}}):
        watched = load_settings(_env_file=None).alerts.watched()
    assert watched["disk_full"].threshold == 0.95
    assert watched["disk_full"].severity == "critical"
    assert watched["gpu_hot"] == DEFAULT_RULES["gpu_hot"]


def test_every_default_rule_is_one_that_could_be_configured() -> None:
    assert [rule.problem() for rule in DEFAULT_RULES.values() if rule.problem()] == []
    assert AlertSettings().watched() == dict(DEFAULT_RULES)


def test_what_is_no_number_is_not_known() -> None:
    readings = Readings()
    readings.put("gpu_celsius", {labels(node="a"): float("nan"), labels(node="b"): 50.0})
    assert readings.of("gpu_celsius") == {labels(node="b"): 50.0}
    assert readings.is_unknown("gpu_celsius", "node=a")
    assert not readings.is_unknown("gpu_celsius", "node=b")
    assert readings.is_unknown("gpu_lost", "node=b"), "it was not read at all"
    with pytest.raises(KeyError):
        readings.put("nonsense", {})


def grown(sizes: list[float], window: float = 3600.0) -> float | None:
    """Return the rate of sizes that were seen once a minute."""
    growth = Growth(window)
    for minute, size in enumerate(sizes):
        growth.add(60.0 * minute, size)
    return growth.per_hour()


def test_a_steady_leak_is_told_by_its_rate() -> None:
    rate = grown([GIB + minute * GIB / 60 for minute in range(90)])
    assert rate is not None
    assert rate == pytest.approx(GIB, rel=0.1)


def test_a_leak_beneath_the_ups_and_downs_of_work_is_seen() -> None:
    rate = grown([GIB + minute * GIB / 60 + (minute % 5) * GIB for minute in range(90)])
    assert rate == pytest.approx(GIB, rel=0.25)


@pytest.mark.parametrize("at", [5, 20, 31, 44, 58])
def test_a_model_that_is_loaded_is_no_leak(at: int) -> None:
    assert grown([GIB if minute < at else 5 * GIB for minute in range(61)]) == 0.0


def test_memory_that_shrinks_does_not_grow() -> None:
    assert grown([100 * GIB - minute * GIB for minute in range(61)]) == 0.0


def test_nothing_is_said_before_the_window_is_full() -> None:
    assert grown([minute * GIB for minute in range(40)]) is None


def test_a_sentence_about_an_alert_holds_nothing_that_a_terminal_would_obey() -> None:
    rule = DEFAULT_RULES["disk_full"]
    text = summary("disk_full", rule, {"folder": "\x1b[31mred\r\nBcc: x" + "y" * 200}, 0.5)
    assert text.isprintable()
    assert len(text) < 300
    assert "limit > 0.9" in text


def test_every_metric_says_what_it_is() -> None:
    for name, rule in DEFAULT_RULES.items():
        assert METRICS[rule.metric].partition(" (")[0] in summary(name, rule, {}, 1.0)
