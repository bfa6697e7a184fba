"""Workers on other devices leave an engine's runs to those on the preferred one, up to a point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update

from coordinator.submit import accept, job_request
from engine_workers.standby import Standby, better_devices
from schemas.audio import AudioRef
from schemas.settings import SchedulingSettings
from schemas.tables import EngineRun, Pool
from tests.serving import serve, serve_no_more

if TYPE_CHECKING:
    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
RULES = SchedulingSettings(preferred_runs=2)


@pytest.fixture
def heard(database: Database) -> list[tuple[str, bool]]:
    """Let two slots on a card, and one on the processor, serve the engine."""
    serve(database, "fake", slots=2, worker="card")
    serve(database, "fake", slots=1, worker="processor")
    with database.transaction() as session:
        session.execute(update(Pool).where(Pool.worker == "card").values(device="cuda:1"))
    return []


@pytest.fixture
def standby(database: Database, heard: list[tuple[str, bool]]) -> Standby:
    """Return what the worker on the processor decides by."""
    return Standby(database, RULES, "cpu", lambda engine, wanted: heard.append((engine, wanted)))


def submit(database: Database, count: int) -> None:
    with database.transaction() as session:
        for _ in range(count):
            accept(session, job_request(["fake"]), AUDIO)


@pytest.mark.parametrize(
    ("device", "better"),
    [("cuda:0", ()), ("cuda", ()), ("cpu", ("cuda",)), ("npu", ("cuda", "cpu"))],
)
def test_what_is_preferred_to_a_device_comes_before_it_in_the_setting(
    device: str, better: tuple[str, ...]
) -> None:
    assert better_devices(device, RULES) == better


def test_a_worker_helps_once_more_is_open_than_the_preferred_ones_do_soon(
    database: Database, standby: Standby, heard: list[tuple[str, bool]]
) -> None:
    standby.look(["fake"])
    standby.look(["fake"])
    assert heard == [("fake", False)]  # told once
    submit(database, 4)
    standby.look(["fake"])
    assert heard == [("fake", False)]
    submit(database, 1)
    standby.look(["fake"])
    assert heard == [("fake", False), ("fake", True)]


def test_what_the_broker_has_counts_as_open_what_has_ended_does_not(
    database: Database, standby: Standby, heard: list[tuple[str, bool]]
) -> None:
    submit(database, 5)
    with database.transaction() as session:
        session.execute(update(EngineRun).values(place="window"))
    standby.look(["fake"])
    assert heard == []
    with database.transaction() as session:
        session.execute(update(EngineRun).values(state="succeeded"))
    standby.look(["fake"])
    assert heard == [("fake", False)]


@pytest.mark.parametrize("what", ["gone", "silent", "without memory"])
def test_a_worker_works_when_the_preferred_ones_cannot(
    database: Database, standby: Standby, heard: list[tuple[str, bool]], what: str
) -> None:
    standby.look(["fake"])
    if what == "gone":
        serve_no_more(database, "card")
    else:
        changed = {"silent": {"seen_at": text("now() - interval '31 s'")}}.get(
            what, {"free_vram": -1}
        )
        with database.transaction() as session:
            session.execute(update(Pool).where(Pool.worker == "card").values(**changed))
    standby.look(["fake"])
    assert heard == [("fake", False), ("fake", True)]


def test_a_ledger_that_is_away_changes_nothing(
    database: Database, standby: Standby, heard: list[tuple[str, bool]]
) -> None:
    standby.look(["fake"])
    with database.transaction() as session:
        session.execute(text("ALTER TABLE pools RENAME TO away"))
    standby.look(["fake"])
    assert heard == [("fake", False)]
