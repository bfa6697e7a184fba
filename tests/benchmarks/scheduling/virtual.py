"""A ledger whose clock a simulation sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from sqlalchemy import text

from coordinator.admission import admit
from coordinator.lines import HEADS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from schemas.database import Database
    from schemas.settings import SchedulingSettings
    from tests.benchmarks.scheduling.load import Task

#: When every simulation begins.
BEGIN = datetime(2030, 1, 1, tzinfo=UTC)

#: `now()` is looked up here before Postgres' own: the product's SQL stays as it is.
CLOCK = """
CREATE SCHEMA sim;
CREATE FUNCTION sim.now() RETURNS timestamptz LANGUAGE sql STABLE
  AS $$ SELECT current_setting('sim.clock')::timestamptz $$;
CREATE FUNCTION sim.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
  AS $$ SELECT sim.now() $$;
"""
SEARCH_PATH = "SET LOCAL search_path = sim, pg_catalog, public"

EMPTY = """TRUNCATE jobs, engine_runs, job_events, shares, engine_lines, owners, pools, measures,
           dependencies, pauses CASCADE"""

#: After how long a run that failed may begin again.
RETRY_SECONDS = 5.0

ENDED = text("""
UPDATE engine_runs AS run
SET state = CASE WHEN given.ok THEN 'succeeded' ELSE 'queued' END,
    finished_at = CASE WHEN given.ok THEN now() END, attempt = attempt + 1,
    due_at = CASE WHEN given.ok THEN NULL ELSE now() + make_interval(secs => :retry) END,
    audio_seconds = given.audio, processing_seconds = given.took
FROM unnest(CAST(:ids AS uuid[]), CAST(:ok AS bool[]), CAST(:audio AS float8[]),
            CAST(:took AS float8[])) AS given (id, ok, audio, took)
WHERE run.id = given.id
""")

TAKE = text("""
WITH due AS (SELECT id, due_at FROM engine_runs WHERE due_at <= now()), taken AS (
  UPDATE engine_runs AS run SET due_at = NULL, published_at = now()
  FROM due WHERE run.id = due.id RETURNING run.id)
SELECT due.id FROM due JOIN taken USING (id) ORDER BY due.due_at
""")


class End(NamedTuple):
    """A run that has ended, or failed and is to be tried again."""

    task: Task
    ok: bool
    took: float


class Ledger:
    """The ledger of one simulation."""

    def __init__(self, database: Database, rules: SchedulingSettings) -> None:
        """Begin with an empty ledger."""
        self._database = database
        self._rules = rules
        with database.transaction() as session:
            session.execute(text(EMPTY))
            if not session.scalar(text("SELECT to_regnamespace('sim')")):
                session.execute(text(CLOCK))

    def fill(
        self, tasks: Sequence[Task], slots: Mapping[str, int], weights: Mapping[str, float]
    ) -> None:
        """Submit everything, let the workers be alive for ever."""
        with self._database.transaction() as session:
            driver = session.connection().connection.driver_connection
            assert driver is not None
            cursor = driver.cursor()
            jobs = "COPY jobs (id, state, request, fingerprint, audio, owner) FROM STDIN"
            with cursor.copy(jobs) as copy:
                for task in {task.job_id: task for task in tasks}.values():
                    size = int(task.audio * task.chunks * 16_000)
                    audio = f'{{"size": {size}, "name": "talk.mp3", "sha256": ""}}'
                    copy.write_row((task.job_id, "queued", "{}", "", audio, task.owner))
            with cursor.copy(
                "COPY engine_runs (id, job_id, engine, chunk, chunk_start, chunk_seconds, "
                "position, state, place, job_owner, priority, submitted_at, latest_start, cost) "
                "FROM STDIN"
            ) as copy:
                targets = self._rules.targets()
                for task in tasks:
                    due = targets[task.priority] + task.submitted - task.cost
                    if task.deadline is not None:
                        due = task.deadline - task.cost
                    part = (task.chunk, task.chunk * task.audio)
                    seconds = task.audio if task.chunks > 1 else None
                    row = (*part, seconds, 0, "queued", "waiting", task.owner, task.priority)
                    when = (moment(task.submitted), moment(due))
                    copy.write_row((task.id, task.job_id, task.engine, *row, *when, task.cost))
            for engine, count in slots.items():
                session.execute(
                    text("INSERT INTO pools VALUES ('w', :e, :n, 'cpu', NULL, NULL, '2100-01-01')"),
                    {"e": engine, "n": count},
                )
            for owner, weight in weights.items():
                session.execute(
                    text("INSERT INTO owners (name, weight) VALUES (:o, :w)"),
                    {"o": owner, "w": weight},
                )
        with self._database.transaction() as session:
            session.execute(text("ANALYZE engine_runs, jobs"))

    def tick(self, now: float, ended: Sequence[End]) -> tuple[list[UUID], float]:
        """Store what has ended, then admit; return the runs admitted, the seconds it took."""
        with self._database.transaction() as session:
            _set_clock(session, now)
            if ended:
                session.execute(
                    ENDED,
                    {
                        "ids": [end.task.id for end in ended],
                        "ok": [end.ok for end in ended],
                        "audio": [end.task.audio for end in ended],
                        "took": [end.took for end in ended],
                        "retry": RETRY_SECONDS,
                    },
                )
            began = datetime.now(UTC)
            admit(session, self._rules, limit=10_000)
            took = (datetime.now(UTC) - began).total_seconds()
            return list(session.scalars(TAKE)), took


def explain_line(database: Database, rules: SchedulingSettings, engine: str) -> str:
    """Return the plan, with its times, by which admission reads an engine's line as it stands."""
    with database.transaction() as session:
        _set_clock(session, 0.0)
        session.execute(text("SET LOCAL enable_seqscan = off"))
        about = {"engines": [engine], "places": 1, "targets": list(rules.targets())}
        asked = text(f"EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) {HEADS.text}")
        return "\n".join(session.scalars(asked, about))


def _set_clock(session: Session, now: float) -> None:
    session.execute(text(SEARCH_PATH))
    clock = text("SELECT set_config('sim.clock', :at, true)")
    session.execute(clock, {"at": moment(now).isoformat()})


def moment(seconds: float) -> datetime:
    """Return the moment so many seconds after the simulation's beginning."""
    return BEGIN + timedelta(seconds=seconds)
