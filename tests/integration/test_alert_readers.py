"""The metrics that alerts watch are read as the ledger, the nodes, the broker have them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, text, update

from coordinator.admission import admit
from coordinator.alerts.facts import CARD, SWEPT, facts, note
from coordinator.alerts.measuring import Measuring, learn
from coordinator.alerts.readers import broker
from coordinator.alerts.readers.agreement import LEAST_REPORTS, moved
from coordinator.alerts.readers.broker import BrokerReader, memory_share
from coordinator.alerts.readers.pools import PoolMemory
from coordinator.alerts.readers.scene import Scene
from coordinator.alerts.readings import ALONE, Labels, Readings, labels
from coordinator.outages import watch_engines
from coordinator.steering import pause_whole
from coordinator.submit import accept, job_request
from coordinator.sweep import end_dead_leases
from engine_workers.node.ledger import NodeReport, adopt, write_node
from schemas.alert_settings import AlertSettings
from schemas.audio import AudioRef
from schemas.node_tables import Node, NodePool
from schemas.tables import EngineRun, Job, StoredReport
from tests.integration.test_nodes import report
from tests.serving import RULES, serve, serve_no_more

if TYPE_CHECKING:
    from schemas.database import Database
    from schemas.settings import Settings

AUDIO = AudioRef(sha256="a" * 64, size=320_000, name="talk.wav")
FAKE = labels(engine="fake")
HOUR = 3600.0


def submit(database: Database, *engines: str) -> UUID:
    with database.transaction() as session:
        return accept(session, job_request(engines or ["fake"]), AUDIO).job_id


def change(database: Database, **values: object) -> None:
    with database.transaction() as session:
        session.execute(update(EngineRun).values(**values))


def ago(seconds: float) -> Any:  # noqa: ANN401  # an SQL expression
    return func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def read(database: Database, settings: Settings, metric: str) -> dict[Labels, float]:
    with database.transaction() as session:
        learn(session)
    values = Measuring("here").read(database, settings).of(metric)
    assert values is not None, "it could not be read"
    return dict(values)


def test_a_line_that_nobody_works_on_stands_still(database: Database, settings: Settings) -> None:
    serve(database, "fake")
    submit(database)
    change(database, submitted_at=ago(500))
    assert read(database, settings, "queue_idle_seconds")[FAKE] == pytest.approx(500, abs=5)
    assert read(database, settings, "queue_age_seconds")[FAKE] == pytest.approx(500, abs=5)
    with database.transaction() as session:
        admit(session, RULES)
    assert read(database, settings, "queue_idle_seconds")[FAKE] == pytest.approx(500, abs=5), (
        "what the broker has waits, too"
    )


def test_a_line_moves_while_a_run_of_it_is_worked_on_or_has_just_ended(
    database: Database, settings: Settings
) -> None:
    serve(database, "fake")
    first, _second = submit(database), submit(database)
    change(database, submitted_at=ago(500))
    running = {"state": "running", "place": "window", "lease_expires_at": ago(-20)}
    with database.transaction() as session:
        one = update(EngineRun).where(EngineRun.job_id == first)
        session.execute(one.values(**running))
    assert read(database, settings, "queue_idle_seconds") == {FAKE: 0.0}
    with database.transaction() as session:
        ended = {"state": "succeeded", "place": None, "finished_at": ago(70)}
        session.execute(one.values(**ended))
    assert read(database, settings, "queue_idle_seconds")[FAKE] == pytest.approx(70, abs=5)


@pytest.mark.parametrize("why", ["paused", "no worker"])
def test_a_line_that_cannot_move_does_not_count_as_standing_still(
    database: Database, settings: Settings, why: str
) -> None:
    serve(database, "fake")
    submit(database)
    change(database, submitted_at=ago(500))
    if why == "paused":
        with database.transaction() as session:
            pause_whole(session, "engine", "fake")
    else:
        serve_no_more(database)
    assert read(database, settings, "queue_idle_seconds") == {}


def test_an_engine_without_a_worker_is_read_from_its_outage(
    database: Database, settings: Settings
) -> None:
    submit(database)
    with database.transaction() as session:
        watch_engines(session, RULES)
        session.execute(text("UPDATE outages SET since = now() - interval '90 s'"))
    assert read(database, settings, "engine_unserved_seconds")[FAKE] == pytest.approx(90, abs=5)
    serve(database, "fake")
    with database.transaction() as session:
        watch_engines(session, RULES)
    assert read(database, settings, "engine_unserved_seconds") == {}


def test_leases_that_ended_count_whether_or_not_a_sweep_has_found_them(
    database: Database, settings: Settings
) -> None:
    for _ in range(3):
        submit(database)
    change(database, state="running", owner="w:1", attempt=1, lease_expires_at=ago(1))
    assert read(database, settings, "dead_leases") == {FAKE: 3}
    with database.transaction() as session:
        assert end_dead_leases(session) == 3
    assert read(database, settings, "dead_leases") == {FAKE: 3}
    with database.transaction() as session:
        session.execute(text("UPDATE job_events SET at = now() - interval '1 hour'"))
    assert read(database, settings, "dead_leases") == {}


def test_the_share_of_failures_is_told_once_enough_runs_have_ended(
    database: Database, settings: Settings
) -> None:
    jobs = [submit(database) for _ in range(10)]
    change(database, state="succeeded", finished_at=ago(1))
    with database.transaction() as session:
        mine = update(EngineRun).where(EngineRun.job_id.in_(jobs[:3]))
        session.execute(mine.values(state="failed"))
    assert read(database, settings, "failure_share") == {FAKE: 0.3}
    with database.transaction() as session:  # nine are too few, cancelled ones tell nothing
        one = update(EngineRun).where(EngineRun.job_id == jobs[0])
        session.execute(one.values(state="cancelled"))
    assert read(database, settings, "failure_share") == {}


def reports(database: Database, count: int, agreement: float, *, ago_seconds: int) -> None:
    """Have jobs compared in which the engine `fake` agreed so far with the others."""
    quality = [{"engine": "fake", "agreement": agreement}, {"engine": "b", "agreement": 0.9}]
    with database.transaction() as session:
        for number in range(count):
            job = uuid4()
            session.execute(
                insert(Job).values(id=job, state="completed", request={}, fingerprint="x", audio={})
            )
            session.execute(
                insert(StoredReport).values(
                    job_id=job,
                    version=1,
                    body={"quality": quality},
                    created_at=ago(ago_seconds - number * 0.1),
                )
            )


def test_an_engine_that_agrees_less_than_usual_shows(
    database: Database, settings: Settings
) -> None:
    reports(database, LEAST_REPORTS, 0.9, ago_seconds=300)
    usual = read(database, settings, "agreement_drop")
    assert usual[FAKE] == pytest.approx(0.0, abs=0.01)
    reports(database, 20, 0.2, ago_seconds=200)
    fallen = read(database, settings, "agreement_drop")
    assert fallen[FAKE] > 0.4
    assert fallen[labels(engine="b")] == pytest.approx(0.0, abs=0.01)
    again = read(database, settings, "agreement_drop")
    assert again == fallen, "no report counts twice"


def test_what_is_broken_does_not_become_what_is_usual() -> None:
    mean: dict[str, Any] | None = None
    for _ in range(300):
        mean = moved(mean, 0.9)
    for _ in range(100):
        mean = moved(mean, 0.5)
    assert mean is not None
    assert mean["usual"] - mean["recent"] > 0.3


def test_a_silent_node_is_told_with_its_silence_until_it_is_given_up(
    database: Database, settings: Settings
) -> None:
    report(database, "lively")
    report(database, "silent", seconds_ago=90)
    report(database, "gone", seconds_ago=3 * 86_400)
    found = read(database, settings, "node_silent_seconds")
    assert found[labels(node="silent")] == pytest.approx(90, abs=5)
    assert set(found) == {labels(node="silent"), labels(node="lively")}


def test_a_clock_that_is_off_shows_whichever_way(database: Database, settings: Settings) -> None:
    report(database, "box")
    assert read(database, settings, "clock_skew_seconds")[labels(node="box")] < 1
    with database.transaction() as session:
        session.execute(update(Node).values(clock_skew=-7.5))
    assert read(database, settings, "clock_skew_seconds")[labels(node="box")] == 7.5


def test_the_coordinators_own_clock_is_compared_with_the_databases(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 100)
    found = read(database, settings, "clock_skew_seconds")
    assert found[labels(node="here")] == pytest.approx(100, abs=1)


def test_a_card_that_is_no_longer_told_of_is_lost_until_it_is_back(
    database: Database, settings: Settings
) -> None:
    report(database, "box")
    card = labels(node="box", device="cuda:0")
    assert read(database, settings, "gpu_lost") == {card: 0.0}
    assert card in read(database, settings, "gpu_celsius")
    with database.transaction() as session:
        session.execute(update(Node).values(devices=[]))
    assert read(database, settings, "gpu_lost") == {card: 1.0}
    assert read(database, settings, "gpu_celsius") == {}
    with database.transaction() as session:  # a day later
        session.execute(text("UPDATE alert_facts SET at = now() - interval '25 hours'"))
        learn(session)
        assert facts(session, CARD) == {}


def test_the_cards_of_a_node_that_is_silent_are_not_known(
    database: Database, settings: Settings
) -> None:
    report(database, "box")
    read(database, settings, "gpu_lost")
    with database.transaction() as session:
        session.execute(update(Node).values(devices=[], seen_at=ago(300)))
    assert read(database, settings, "gpu_lost") == {}


def test_the_disks_of_this_machine_and_of_the_nodes_are_read(
    database: Database, settings: Settings
) -> None:
    with database.transaction() as session:
        write_node(session, NodeReport("box", "running", 1, "m", 4, 10**9, disk_used=0.97))
    found = read(database, settings, "disk_used_share")
    assert found[labels(node="box", folder="media")] == 0.97
    assert 0 < found[labels(node="here", folder="data")] <= 1


def test_a_pool_whose_memory_grows_all_the_time_shows_its_rate(
    database: Database, settings: Settings
) -> None:
    with database.transaction() as session:
        write_node(session, NodeReport("box", "running", 1, "m", 4, 10**9))
        adopt(session, "box", {"leaky": ("leaky@box", ("fake",))})
    memory = PoolMemory()
    quick = settings.model_copy(update={"alerts": AlertSettings(growth_seconds=40)})
    found: dict[Labels, float] = {}
    for number in range(50):
        readings = Readings()
        with database.transaction() as session:
            session.execute(
                update(NodePool).values(
                    identity="one", memory=10**9 + number * 10**6, seen_at=ago(50 - number)
                )
            )
        with database.reading() as session:
            memory.read(Scene(session, quick, "here"), readings)
        found = dict(readings.of("memory_growth_bytes_per_hour") or {})
    rate = found[labels(node="box", pool="leaky")]
    assert rate == pytest.approx(10**6 * HOUR, rel=0.15)
    with database.transaction() as session:
        session.execute(update(NodePool).values(identity="two", seen_at=func.now()))
    readings = Readings()
    with database.reading() as session:
        memory.read(Scene(session, quick, "here"), readings)
    assert readings.of("memory_growth_bytes_per_hour") == {}, "it has started again"


def test_the_last_sweep_is_read(database: Database, settings: Settings) -> None:
    assert read(database, settings, "sweeper_silent_seconds") == {}
    with database.transaction() as session:
        note(session, SWEPT)
        session.execute(text("UPDATE alert_facts SET at = now() - interval '200 s'"))
    found = read(database, settings, "sweeper_silent_seconds")
    assert found[ALONE] == pytest.approx(200, abs=5)


def test_the_broker_tells_of_its_memory(database: Database, settings: Settings) -> None:
    assert 0 < read(database, settings, "broker_memory_share")[ALONE] < 1
    assert read(database, settings, "broker_silent_seconds") == {ALONE: 0.0}


@pytest.mark.parametrize(
    ("told", "share"),
    [
        ({"used_memory": 50, "maxmemory": 100, "total_system_memory": 1000}, 0.5),
        ({"used_memory": 50, "maxmemory": 0, "total_system_memory": 1000}, 0.05),
        ({}, 0.0),
    ],
)
def test_the_share_is_of_the_limit_or_else_of_the_machines_memory(
    told: dict[str, int], share: float
) -> None:
    assert memory_share(told) == share


def test_of_a_broker_that_does_not_answer_nothing_but_the_silence_is_known(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, readings = BrokerReader(), Readings()
    monkeypatch.setattr(broker, "ask_memory", lambda _settings: None)
    with database.reading() as session:
        reader.read(Scene(session, settings, "here"), readings)
    assert readings.of("broker_memory_share") is None
    (silent,) = (readings.of("broker_silent_seconds") or {}).values()
    assert silent > 0


def test_a_reader_that_fails_costs_its_own_metrics_alone(
    database: Database, settings: Settings
) -> None:
    with database.transaction() as session:
        session.execute(
            text("INSERT INTO alert_facts VALUES ('agreement', 'fake', CAST(:it AS jsonb))"),
            {"it": json.dumps({"nonsense": 1})},
        )
    readings = Measuring("here").read(database, settings)
    assert readings.of("agreement_drop") is None
    assert readings.of("broker_silent_seconds") == {ALONE: 0.0}
