"""Alerts move in the ledger by what is read; whoever is to be told is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text, update
from structlog.testing import capture_logs

from coordinator.alerts.evaluating import evaluate, write_down
from coordinator.alerts.outbox import CHANNELS, delivered, failed, take
from coordinator.alerts.readings import Labels, Readings, labels
from coordinator.alerts.silences import EVERY, end_silences, silence
from coordinator.errors import BadRequestError
from schemas.alert_settings import (
    AlertRuleSettings,
    AlertSettings,
    CommandSettings,
    EmailSettings,
    WebhookSettings,
)
from schemas.alert_tables import Alert, AlertDelivery

if TYPE_CHECKING:
    from coordinator.alerts.telling import AlertMessage
    from schemas.database import Database

#: One rule: fires after a minute, is over after a minute.
RULE = AlertRuleSettings(
    metric="queue_age_seconds", comparison=">", threshold=10, for_seconds=60, clear_seconds=60
)
WEBHOOK = WebhookSettings(url=SecretStr("https://localhost/x"))
SETTINGS = AlertSettings(defaults=False, rules={"age": RULE}, webhook=WEBHOOK)
FAKE, OTHER = labels(engine="fake"), labels(engine="other")


def look(
    database: Database,
    values: dict[Labels, float] | None,
    settings: AlertSettings = SETTINGS,
    *,
    later: float = 0.0,
) -> list[AlertMessage]:
    """Look once, so many seconds after the look before; None: the metric could not be read."""
    readings = Readings()
    if values is not None:
        readings.put("queue_age_seconds", values)
    let_pass(database, later)
    with database.transaction() as session:
        return evaluate(session, settings, readings)


def let_pass(database: Database, seconds: float) -> None:
    """Let all that happened have happened earlier by that."""
    with database.transaction() as session:
        for name in ("since", "fired_at", "clear_since", "told_at"):
            column = getattr(Alert, name)
            earlier = column - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
            session.execute(update(Alert).values({name: earlier}))


def told(messages: list[AlertMessage]) -> list[tuple[str, dict[str, str]]]:
    return [(message.news.value, message.labels) for message in messages]


def states(database: Database) -> dict[str, str]:
    with database.reading() as session:
        rows = session.execute(select(Alert.series, Alert.state).order_by(Alert.id))
        return {row.series: row.state for row in rows}


def fire(database: Database, settings: AlertSettings = SETTINGS) -> list[AlertMessage]:
    look(database, {FAKE: 20.0}, settings)
    return look(database, {FAKE: 30.0}, settings, later=61)


def test_an_alert_goes_from_pending_over_firing_to_resolved(database: Database) -> None:
    assert look(database, {FAKE: 20.0, OTHER: 1.0}) == []
    assert states(database) == {"engine=fake": "pending"}
    assert told(look(database, {FAKE: 30.0, OTHER: 1.0}, later=61)) == [
        ("firing", {"engine": "fake"})
    ]
    assert look(database, {FAKE: 30.0}, later=61) == [], "it was told"
    assert look(database, {FAKE: 5.0}) == []
    assert states(database) == {"engine=fake": "firing"}, "it may come back"
    assert told(look(database, {FAKE: 5.0}, later=61)) == [("resolved", {"engine": "fake"})]
    assert states(database) == {"engine=fake": "resolved"}
    assert look(database, {FAKE: 20.0}) == []
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Alert)) == 2, "a new one began"


def test_where_nothing_is_known_alerts_stay_as_they_are(database: Database) -> None:
    fire(database)
    assert look(database, None, later=600) == []
    assert look(database, {FAKE: float("nan")}, later=600) == []
    assert states(database) == {"engine=fake": "firing"}
    look(database, {})
    assert told(look(database, {}, later=61)) == [("resolved", {"engine": "fake"})]


def test_an_alert_whose_rule_is_taken_away_ends(database: Database) -> None:
    fire(database)
    look(database, {FAKE: 20.0, OTHER: 20.0})
    nothing = AlertSettings(defaults=False, webhook=WEBHOOK)
    assert told(look(database, {FAKE: 20.0}, nothing)) == [("resolved", {"engine": "fake"})]
    assert states(database) == {"engine=fake": "resolved"}


def test_a_rule_that_is_switched_off_is_not_watched(database: Database) -> None:
    off = SETTINGS.model_copy(update={"rules": {"age": RULE.model_copy(update={"enabled": False})}})
    assert fire(database, off) == []
    assert states(database) == {}


def test_an_alert_that_goes_on_is_told_again_after_a_while(database: Database) -> None:
    fire(database)
    assert look(database, {FAKE: 20.0}, later=SETTINGS.repeat_seconds - 100) == []
    assert told(look(database, {FAKE: 20.0}, later=101)) == [("still_firing", {"engine": "fake"})]
    never = SETTINGS.model_copy(update={"repeat_seconds": 0.0})
    assert look(database, {FAKE: 20.0}, never, later=10**6) == []


def test_a_silent_alert_is_told_when_the_silence_ends_if_it_still_fires(
    database: Database,
) -> None:
    quiet(database, "age", {"engine": "fake"})
    look(database, {FAKE: 20.0, OTHER: 20.0})
    assert told(look(database, {FAKE: 20.0, OTHER: 20.0}, later=61)) == [
        ("firing", {"engine": "other"})
    ]
    assert states(database)["engine=fake"] == "firing", "it is watched all the same"
    with database.transaction() as session:
        assert end_silences(session, "age") == 1
    assert told(look(database, {FAKE: 20.0, OTHER: 20.0})) == [("firing", {"engine": "fake"})]


def test_of_an_alert_that_nobody_was_told_of_nobody_is_told_the_end(database: Database) -> None:
    quiet(database, EVERY, {})
    fire(database)
    look(database, {})
    assert look(database, {}, later=61) == []
    assert states(database) == {"engine=fake": "resolved"}


def test_a_rule_can_be_silent_by_the_configuration(database: Database) -> None:
    silenced = RULE.model_copy(update={"silenced": True})
    assert fire(database, SETTINGS.model_copy(update={"rules": {"age": silenced}})) == []
    assert states(database) == {"engine=fake": "firing"}


@pytest.mark.parametrize("seconds", [0.0, -1.0, 31 * 86_400.0, float("nan")])
def test_a_silence_has_an_end(database: Database, seconds: float) -> None:
    with database.transaction() as session, pytest.raises(BadRequestError, match="30 days"):
        silence(session, rule="age", labels={}, seconds=seconds, who="me", reason="")


def quiet(database: Database, rule: str, of: dict[str, str]) -> None:
    with database.transaction() as session:
        silence(session, rule=rule, labels=of, seconds=600, who="me", reason="maintenance")


def test_the_log_is_told_with_the_severity_of_the_rule(database: Database) -> None:
    messages = fire(database)
    with capture_logs() as logs:
        write_down(messages)
    (entry,) = logs
    assert (entry["event"], entry["log_level"]) == ("alert_firing", "warning")
    assert (entry["rule"], entry["of_engine"]) == ("age", "fake")


def deliveries(database: Database) -> list[AlertDelivery]:
    with database.reading() as session:
        return list(session.scalars(select(AlertDelivery).order_by(AlertDelivery.number)))


def test_every_configured_channel_that_is_loud_enough_has_its_message(database: Database) -> None:
    fire(
        database,
        SETTINGS.model_copy(
            update={
                "email": EmailSettings(host="mail", recipients=("a@b",), least="critical"),
                "command": CommandSettings(argv=("true",), least="warning"),
            }
        ),
    )
    assert [it.channel for it in deliveries(database)] == ["webhook", "command"]


def taken(database: Database, channel: str = "webhook") -> Any:  # noqa: ANN401
    with database.transaction() as session:
        return take(session, channel, 10.0)


def test_a_later_message_about_an_alert_waits_for_the_earlier(database: Database) -> None:
    fire(database)
    look(database, {})
    look(database, {}, later=61)
    first = taken(database)
    assert (first.body["news"], first.attempts) == ("firing", 1)
    assert taken(database) is None, "the end is not told before the beginning"
    with database.transaction() as session:
        delivered(session, first)
    assert taken(database).body["news"] == "resolved"
    assert [taken(database, channel) for channel in CHANNELS] == [None, None, None]


def test_what_did_not_arrive_is_tried_again_ever_later_until_it_is_given_up(
    database: Database,
) -> None:
    fire(database)
    waits = []
    for _ in range(9):
        delivery = taken(database)
        with database.transaction() as session:
            waits.append(failed(session, delivery, SETTINGS, "it is away", final=False))
            session.execute(update(AlertDelivery).values(due_at=func.now()))
    assert waits == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    with database.transaction() as session:
        old = text("created_at - interval '2 days'")
        session.execute(update(AlertDelivery).values(created_at=old))
    delivery = taken(database)
    with database.transaction() as session:
        assert failed(session, delivery, SETTINGS, "it is away", final=False) is None
    (row,) = deliveries(database)
    assert (row.due_at, row.delivered_at, row.problem) == (None, None, "it is away")


def test_a_message_whose_courier_died_is_delivered_by_another(database: Database) -> None:
    fire(database)
    assert taken(database) is not None
    assert taken(database) is None
    with database.transaction() as session:  # the time that it had has passed
        session.execute(update(AlertDelivery).values(due_at=text("due_at - interval '71 seconds'")))
    assert taken(database).attempts == 2
