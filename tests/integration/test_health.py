"""The coordinator, and the whole system, tell whether they get on."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, text, update

from coordinator import service
from coordinator.alerts.facts import SWEPT, note
from coordinator.doctor import Level
from coordinator.health.checking import check_health
from coordinator.outages import watch_engines
from schemas.alert_settings import AlertSettings
from schemas.alert_tables import Alert
from schemas.errors import LedgerError
from schemas.health_settings import HealthSettings
from schemas.node_tables import Node
from tests.integration.engine_rows import until
from tests.integration.test_alert_readers import ago, submit
from tests.integration.test_nodes import report
from tests.serving import RULES
from tests.unit.test_health import ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemas.database import Database
    from schemas.settings import Settings


@contextmanager
def coordinator(settings: Settings) -> Iterator[tuple[service.Service, int]]:
    """Run a coordinator in a thread; yield it with the port of its health."""
    quick = {
        "health": HealthSettings(ports={"coordinator": 0}),
        "alerts": AlertSettings(every_seconds=0.2),
        "leases": settings.leases.model_copy(update={"sweep_seconds": 0.1}),
    }
    found = service.Service(settings.model_copy(update=quick))
    thread = threading.Thread(target=found.run)
    with closing(found):
        thread.start()
        until(lambda: found._health is not None)  # noqa: SLF001
        assert found._health is not None  # noqa: SLF001
        try:
            yield found, found._health.port  # noqa: SLF001
        finally:
            found.stop()
            thread.join()


def test_a_coordinator_is_well_while_its_loop_turns(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LOOP_SECONDS", 0.3)
    hangs, go_on = threading.Event(), threading.Event()
    with coordinator(settings) as (found, port):
        until(lambda: ask(port, "/readyz")[0] == 200)

        def hang(_silent: float | None = None) -> None:
            hangs.set()
            go_on.wait(30)

        with monkeypatch.context() as patch:
            patch.setattr(found, "sweep", hang)
            assert hangs.wait(30)
            until(lambda: ask(port, "/healthz")[0] == 503)
            assert ask(port, "/healthz")[1]["stuck"] == ["loop"]
            assert ask(port, "/readyz")[0] == 503
        go_on.set()
        until(lambda: ask(port, "/readyz")[0] == 200)


def test_a_coordinator_whose_database_is_away_is_well_and_not_ready(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with coordinator(settings) as (found, port):
        until(lambda: ask(port, "/readyz")[0] == 200)

        def away() -> float:
            message = "the database does not answer"
            raise LedgerError(message)

        with monkeypatch.context() as patch:
            patch.setattr(found, "work", away)
            until(lambda: ask(port, "/readyz")[0] == 503)
            assert ask(port, "/readyz")[1]["why_not"] == "the database does not answer"
            assert ask(port, "/healthz")[0] == 200
        until(lambda: ask(port, "/readyz")[0] == 200)


def levels(settings: Settings) -> dict[str, str]:
    return {check.name: check.level.value for check in check_health(settings)}


WELL = {"ledger": "ok", "broker": "ok", "coordinator": "ok"}


def test_a_system_in_which_a_coordinator_sweeps_is_well(
    settings: Settings, database: Database
) -> None:
    assert levels(settings) == {**WELL, "coordinator": "failed"}, "none has ever swept"
    with database.transaction() as session:
        note(session, SWEPT)
    assert levels(settings) == WELL
    with database.transaction() as session:
        session.execute(text("UPDATE alert_facts SET at = now() - interval '2 minutes'"))
    assert levels(settings)["coordinator"] == "failed"


def test_what_is_known_to_be_wrong_is_told(settings: Settings, database: Database) -> None:
    with database.transaction() as session:
        note(session, SWEPT)
    report(database, "box")
    submit(database)
    with database.transaction() as session:
        watch_engines(session, RULES)
        session.execute(text("UPDATE outages SET since = now() - interval '90 s'"))
        watch_engines(session, RULES)
        session.execute(update(Node).values(seen_at=ago(100)))
        for name, severity in (("gpu_lost", "critical"), ("gpu_hot", "warning"), ("x", "info")):
            row: dict[str, Any] = {"rule": name, "severity": severity, "series": "", "labels": {}}
            row |= {"state": "firing", "summary": name, "since": ago(1)}
            session.execute(insert(Alert).values(row))
    assert levels(settings) == {
        **WELL,
        "engine fake": "failed",
        "node box": "warning",
        "alert gpu_lost": "failed",
        "alert gpu_hot": "warning",
        "alert x": "ok",
    }


def test_servers_that_do_not_answer_are_told_and_nothing_is_started(
    settings: Settings, reachable_tmp: Path
) -> None:
    from pydantic import SecretStr  # noqa: PLC0415

    nowhere = SecretStr("redis://127.0.0.1:9/0")
    assert levels(settings.model_copy(update={"broker_url": nowhere}))["broker"] == "failed"
    away = {"database_url": SecretStr("postgresql://127.0.0.1:9/none")}
    (ledger,) = check_health(settings.model_copy(update=away))
    assert (ledger.name, ledger.level) == ("ledger", Level.FAILED)
    embedded = {"database_url": None, "broker_url": None, "data_dir": reachable_tmp / "none"}
    (stack,) = check_health(settings.model_copy(update=embedded))
    assert stack.name == "stack"
    assert "chordscribe up" in stack.message
    assert not (reachable_tmp / "none").exists()
