"""On the real ledger, admission gives each engine's places to those whose turn it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update

from coordinator.admission import admit
from coordinator.errors import QuotaError
from coordinator.holding import pause, resume
from coordinator.ledger import request_cancel
from coordinator.order import Spare, window
from coordinator.overview import read_queue
from coordinator.steering import (
    pause_whole,
    prioritise,
    resume_whole,
    set_engine_quota,
    set_owner_quota,
)
from coordinator.submit import accept, job_request
from coordinator.why import explain
from schemas.audio import AudioRef
from schemas.measure_table import Measure
from schemas.scheduling import Priority, Schedule
from schemas.settings import SchedulingSettings
from schemas.tables import EngineRun, Job, Pool, Share
from tests.serving import serve

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=320_000, name="talk.wav")
#: Windows of exactly one more than there are slots.
RULES = SchedulingSettings(spare_share=0.0, spare_seconds=0.0, min_free_vram=2**20)


def submit(database: Database, *engines: str, **schedule: object) -> UUID:
    with database.transaction() as session:
        request = job_request(engines or ["fake"])
        return accept(session, request, AUDIO, schedule=Schedule(**schedule)).job_id


def admitted(database: Database) -> list[UUID]:
    with database.transaction() as session:
        return list(admit(session, RULES))


def end_runs(database: Database, engine: str = "fake", took: float = 3.0) -> None:
    """End what is in an engine's window, as its workers would."""
    with database.transaction() as session:
        session.execute(
            update(EngineRun)
            .where(EngineRun.engine == engine, EngineRun.place == "window")
            .values(
                state="succeeded",
                due_at=None,
                audio_seconds=10.0,
                processing_seconds=took,
                finished_at=text("now()"),
            )
        )


def test_without_a_worker_nothing_is_admitted_and_the_reason_is_shown(database: Database) -> None:
    job = submit(database)
    assert admitted(database) == []
    with database.transaction() as session:
        (line,) = read_queue(session, RULES, 10)
        assert (line.engine, line.waiting, line.stopped) == (
            "fake",
            1,
            "no live worker serves the engine",
        )
        (run,) = explain(session, job, RULES).runs
    assert "no live worker" in run.reason


def test_a_worker_that_has_been_silent_counts_as_gone(database: Database) -> None:
    serve(database, "fake")
    with database.transaction() as session:
        session.execute(update(Pool).values(seen_at=text("now() - interval '31 s'")))
    submit(database)
    assert admitted(database) == []


@pytest.mark.parametrize(
    ("what", "least"),
    [("free_memory", RULES.min_free_memory), ("free_vram", RULES.min_free_vram)],
)
def test_a_worker_without_free_memory_is_given_nothing(
    database: Database, what: str, least: int
) -> None:
    serve(database, "fake")
    with database.transaction() as session:
        session.execute(update(Pool).values(**{what: least - 1}))
    job = submit(database)
    assert admitted(database) == []
    with database.transaction() as session:
        assert "memory" in explain(session, job, RULES).runs[0].reason
        session.execute(update(Pool).values(**{what: least}))
    assert admitted(database) == [job]


def test_only_as_many_runs_are_out_as_the_workers_can_take_and_one_more(
    database: Database,
) -> None:
    serve(database, "fake", slots=2)
    jobs = [submit(database) for _ in range(5)]
    assert admitted(database) == jobs[:3]
    assert admitted(database) == []
    end_runs(database)
    assert admitted(database) == jobs[3:]


def test_a_slow_engine_holds_up_no_other(database: Database) -> None:
    serve(database, "fake", "moonshine", slots=1)
    jobs = [submit(database, "fake", "moonshine") for _ in range(6)]
    assert sorted(admitted(database), key=str) == sorted(2 * jobs[:2], key=str)
    for done in (2, 4):
        end_runs(database, "fake")
        assert admitted(database) == jobs[done : done + 2]
    with database.transaction() as session:
        slow = select(EngineRun.job_id).where(
            EngineRun.engine == "moonshine", EngineRun.place == "window"
        )
        assert set(session.scalars(slow)) == set(jobs[:2])


def test_a_critical_job_goes_before_all_that_wait(database: Database) -> None:
    serve(database, "fake", slots=1)
    lows = [submit(database, priority="low") for _ in range(20)]
    assert admitted(database) == lows[:2]
    urgent = submit(database, priority="critical")
    end_runs(database)
    assert admitted(database) == [urgent, lows[2]]


def test_a_low_job_past_its_target_goes_before_a_flood_of_critical_ones(
    database: Database,
) -> None:
    serve(database, "fake", slots=1)
    low = submit(database, priority="low")
    with database.transaction() as session:
        long_ago = text(f"now() - interval '{RULES.low_target_seconds + 1} s'")
        session.execute(update(EngineRun).values(submitted_at=long_ago))
    flood = [submit(database, priority="critical") for _ in range(20)]
    assert admitted(database) == [low, flood[0]]


def test_two_owners_have_engine_seconds_by_their_weights(database: Database) -> None:
    serve(database, "fake", slots=9)
    with database.transaction() as session:
        set_owner_quota(session, "b", weight=3.0)
    early = {submit(database, owner="a") for _ in range(250)}
    late = {submit(database, owner="b") for _ in range(250)}
    had = {"a": 0, "b": 0}
    while sum(had.values()) < 200:
        given = admitted(database)
        had["a"] += len(early & set(given))
        had["b"] += len(late & set(given))
        end_runs(database)
    assert had["b"] / sum(had.values()) == pytest.approx(0.75, rel=0.1)


def test_what_was_charged_too_much_is_given_back(database: Database) -> None:
    serve(database, "fake")
    submit(database, owner="a")
    assert admitted(database)
    end_runs(database, took=100.0)
    admitted(database)
    with database.transaction() as session:
        assert session.scalar(select(Share.used)) == pytest.approx(100.0)


def test_an_owner_has_no_more_runs_at_a_time_than_the_quota_allows(database: Database) -> None:
    serve(database, "fake", slots=5)
    with database.transaction() as session:
        set_owner_quota(session, "a", max_running=2)
    mine = [submit(database, owner="a") for _ in range(5)]
    other = submit(database, owner="b")
    assert set(admitted(database)) == {*mine[:2], other}
    with database.transaction() as session:
        assert "quota" in explain(session, mine[2], RULES).runs[0].reason
    end_runs(database)
    assert admitted(database) == mine[2:4]


def test_an_engine_has_no_more_runs_at_a_time_than_its_quota_allows(database: Database) -> None:
    serve(database, "fake", slots=5)
    with database.transaction() as session:
        set_engine_quota(session, "fake", 1)
    jobs = [submit(database) for _ in range(3)]
    assert admitted(database) == jobs[:1]


@pytest.mark.parametrize(("kind", "name"), [("owner", "a"), ("engine", "fake"), ("all", "")])
def test_a_pause_of_many_holds_them_until_it_is_taken_back(
    database: Database, kind: str, name: str
) -> None:
    serve(database, "fake")
    job = submit(database, owner="a")
    with database.transaction() as session:
        pause_whole(session, kind, name)  # type: ignore[arg-type]
    assert admitted(database) == []
    with database.transaction() as session:
        assert "paused" in explain(session, job, RULES).runs[0].reason
        resume_whole(session, kind, name)  # type: ignore[arg-type]
    assert admitted(database) == [job]


def test_a_paused_job_takes_no_place_from_the_others(database: Database) -> None:
    serve(database, "fake", slots=1)
    held, second, third = (submit(database) for _ in range(3))
    assert admitted(database) == [held, second]
    with database.transaction() as session:
        pause(session, held)
    assert admitted(database) == [third]
    with database.transaction() as session:
        resume(session, held)
        (run,) = session.get_one(Job, held).runs
        assert run.place == "window"


def test_a_cancelled_job_gives_its_place_back(database: Database) -> None:
    serve(database, "fake", slots=1)
    jobs = [submit(database) for _ in range(4)]
    assert admitted(database) == jobs[:2]
    with database.transaction() as session:
        request_cancel(session, jobs[0])
        request_cancel(session, jobs[2])
    assert admitted(database) == [jobs[3]]


def test_a_priority_can_be_changed_while_the_job_waits(database: Database) -> None:
    jobs = [submit(database) for _ in range(3)]
    with database.transaction() as session:
        view = prioritise(session, jobs[2], Priority.HIGH, RULES)
    assert view.schedule.priority is Priority.HIGH
    serve(database, "fake", slots=1)
    assert admitted(database) == [jobs[2], jobs[0]]


def test_a_priority_above_the_quota_is_refused(database: Database) -> None:
    with database.transaction() as session:
        set_owner_quota(session, "a", top_priority=Priority.NORMAL)
    with pytest.raises(QuotaError, match="normal jobs at most, not high"):
        submit(database, owner="a", priority="high")
    job = submit(database, owner="a")
    with pytest.raises(QuotaError), database.transaction() as session:
        prioritise(session, job, Priority.CRITICAL, RULES)


def test_the_queue_shows_the_order_in_which_jobs_are_then_admitted(database: Database) -> None:
    serve(database, "fake", slots=1)
    for _ in range(2):
        submit(database)
    admitted(database)
    for number in range(12):
        submit(
            database, owner=("a", "b")[number % 2], priority=("low", "normal", "high")[number % 3]
        )
    with database.transaction() as session:
        (line,) = read_queue(session, RULES, 20)
    starts = [run.expected_start for run in line.runs]
    assert None not in starts
    assert starts == sorted(starts)  # type: ignore[type-var]
    order: list[UUID] = []
    while len(order) < 12:
        end_runs(database)
        order += admitted(database)
    assert order == [run.job_id for run in line.runs]


def test_why_says_who_is_ahead_by_what_and_when_it_starts(database: Database) -> None:
    serve(database, "fake", slots=1)
    submit(database, owner="b")
    submit(database, owner="b")
    admitted(database)
    submit(database, owner="c", priority="high")
    jobs = [submit(database, owner="b") for _ in range(2)]
    with database.transaction() as session:
        (run,) = explain(session, jobs[1], RULES).runs
    assert "1 run of higher priority" in run.reason
    assert "1 run submitted earlier" in run.reason
    assert "expected start" in run.reason
    assert run.position == 3


def test_estimates_are_learnt_from_what_runs_took(database: Database) -> None:
    serve(database, "fake")
    for _ in range(30):
        submit(database)
        admitted(database)
        end_runs(database, took=5.0)  # 10 s of audio, 320,000 bytes
    admitted(database)
    with database.transaction() as session:
        found = {row.kind: row for row in session.scalars(select(Measure))}
    assert found["rtf"].median == pytest.approx(0.5, rel=0.1)
    assert found["rate"].median == pytest.approx(32_000, rel=0.1)
    job = submit(database)
    with database.transaction() as session:
        cost = session.scalar(select(EngineRun.cost).where(EngineRun.job_id == job))
    assert cost == pytest.approx(5.0, rel=0.2)


def test_coordinators_at_once_never_give_more_places_than_there_are(database: Database) -> None:
    serve(database, "fake", slots=7)
    for _ in range(40):
        submit(database)
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda _: len(admitted(database)), range(8)))
    assert sum(given) == window(7, 1.0, Spare(0.0, 0.0, 64, 30.0)) == 8
