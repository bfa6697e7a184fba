"""A ledger is brought to the next release while the programs of this one work on it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from coordinator.admission import admit
from coordinator.client import Client
from coordinator.doctor import Level, examine
from coordinator.submit import accept, job_request
from ops.migrate import MIGRATIONS, alembic_config, upgrade, upgrade_under_work
from ops.phases import PRE, harmless, least_revision, phase
from schemas.audio import AudioRef
from schemas.database import database_url
from schemas.errors import SchemaVersionError
from schemas.revision import LEAST_REVISION, SCHEMA_REVISION
from tests.integration.ended_jobs import heard_job, recording
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.database import Database
    from schemas.settings import Settings

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
#: Two migrations of a next release: one only adds, one takes away.
NEXT_RELEASE = {
    "9998": (
        SCHEMA_REVISION,
        "pre",
        "ALTER TABLE jobs ADD colour text NOT NULL DEFAULT 'red'",
        "ALTER TABLE jobs DROP colour",
    ),
    "9999": (
        "9998",
        "post",
        "ALTER TABLE nodes DROP clock_skew",
        "ALTER TABLE nodes ADD clock_skew float",
    ),
}
MIGRATION = """
from alembic import op
revision, down_revision, branch_labels, depends_on = {revision!r}, {before!r}, None, None
phase = {phase!r}
def upgrade():
    op.execute({forward!r})
def downgrade():
    op.execute({back!r})
"""


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    """Return the migrations of the next release."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for revision, (before, which, forward, back) in NEXT_RELEASE.items():
        (folder / "versions" / f"{revision}_next.py").write_text(
            MIGRATION.format(
                revision=revision, before=before, phase=which, forward=forward, back=back
            )
        )
    return folder


def test_the_code_knows_the_oldest_schema_that_it_works_on(settings: Settings) -> None:
    scripts = ScriptDirectory.from_config(alembic_config(settings))
    assert least_revision(scripts) == LEAST_REVISION


def test_programs_work_on_beside_the_next_release_until_something_is_taken_away(
    settings: Settings, database: Database, next_release: Path
) -> None:
    assert upgrade_under_work(settings, next_release) == ["9999"]
    database.check_schema()
    serve(database, "fake")
    with database.transaction() as session:
        job = accept(session, job_request(["fake"]), AUDIO).job_id
    with database.transaction() as session:
        assert admit(session, RULES)
        assert session.scalar(text("SELECT colour FROM jobs")) == "red"
    with Client(settings) as client:
        assert client.status(job).id == job
    upgrade(settings, next_release)
    with pytest.raises(SchemaVersionError, match="has schema 9999, newer than"):
        database.check_schema()
    with pytest.raises(SchemaVersionError, match="update Chordscribe"), Client(settings):
        pass


def test_who_may_not_work_beside_a_newer_schema_refuses_it(
    settings: Settings, database: Database, next_release: Path
) -> None:
    upgrade_under_work(settings, next_release)
    with pytest.raises(SchemaVersionError, match="has schema 9998, newer than"):
        database.check_schema(newer=False)
    (*_, told) = examine(settings, print)
    assert (told.level, "update Chordscribe" in told.message) == (Level.FAILED, True)


def test_the_next_releases_programs_work_before_and_after_what_it_takes_away(
    settings: Settings, next_release: Path
) -> None:
    assert least_revision(ScriptDirectory.from_config(alembic_config(settings, next_release))) == (
        "9998"
    )


def test_an_empty_database_gets_everything_at_once(settings: Settings, next_release: Path) -> None:
    command.downgrade(alembic_config(settings), "base")
    engine = create_engine(database_url(settings))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    engine.dispose()
    assert upgrade_under_work(settings, next_release) == []


@dataclass(frozen=True)
class Shape:
    """What programs rely on in a schema, or have to fulfil."""

    #: The type of each column, by table and name.
    columns: dict[tuple[str, str], str]
    #: Columns that have to be given.
    needed: set[tuple[str, str]]
    #: Constraints on rows, by table: what is unique, checked or refers to others.
    rules: set[tuple[str, str]]


def shape(settings: Settings) -> Shape:
    """Return the shape of a database."""
    engine = create_engine(database_url(settings))
    found = inspect(engine)
    columns, needed, rules = {}, set(), set()
    for table in found.get_table_names():
        for column in found.get_columns(table):
            columns[table, column["name"]] = str(column["type"])
            if not (column["nullable"] or column["default"] or column.get("identity")):
                needed.add((table, column["name"]))
        kept: list[Any] = [
            *found.get_unique_constraints(table),
            *found.get_check_constraints(table),
            *found.get_foreign_keys(table),
            *(index for index in found.get_indexes(table) if index["unique"]),
        ]
        rules |= {(table, str(rule["name"])) for rule in kept}
    engine.dispose()
    return Shape(columns, needed, rules)


def harm(before: Shape, after: Shape) -> set[object]:
    """Return what programs of before miss, or do not know that they have to do."""
    tables = {table for table, _ in before.columns}
    return {
        *(before.columns.items() - after.columns.items()),
        *(it for it in after.needed - before.needed if it[0] in tables),
        *(it for it in after.rules - before.rules if it[0] in tables),
    }


def test_migrations_that_may_run_under_programs_only_add(
    settings: Settings, next_release: Path
) -> None:
    config = alembic_config(settings, next_release)
    scripts = ScriptDirectory.from_config(config)
    assert harmless(scripts, SCHEMA_REVISION) == ["9998"]
    for migration in [it for it in scripts.walk_revisions() if phase(it) == PRE]:
        command.downgrade(config, str(migration.down_revision))
        before = shape(settings)
        command.upgrade(config, migration.revision)
        assert harm(before, shape(settings)) == set(), migration.revision
    before = shape(settings)
    command.upgrade(config, "9999")
    assert harm(before, shape(settings)) == {(("nodes", "clock_skew"), "DOUBLE PRECISION")}


#: As the first release wrote them.
FIRST_JOB = text("""
INSERT INTO jobs (id, state, request, fingerprint, audio, finished_at, created_at)
VALUES (:job, :state, '{"engines": ["fake"], "language": "en"}', :print, CAST(:audio AS jsonb),
        CASE WHEN :state = 'completed' THEN now() END, now())
""")
WAITING_RUN = text("""
INSERT INTO engine_runs (id, job_id, engine, position, state)
VALUES (:run, :job, 'fake', 0, 'queued')
""")
ENDED_RUN = text("""
INSERT INTO engine_runs (id, job_id, engine, position, state, attempt, transcript, audio_seconds,
                         processing_seconds, started_at, finished_at)
VALUES (:run, :job, 'fake', 0, 'succeeded', 1, :transcript, 2, 1, now(), now())
""")
EVENT = text("INSERT INTO job_events (job_id, kind) VALUES (:job, 'job_accepted')")
REPORT = text("INSERT INTO reports (job_id, version, body) VALUES (:job, 1, CAST(:body AS jsonb))")


def first_job(database: Database, audio: AudioRef, heard: tuple[bytes, str] | None) -> UUID:
    """Add a job as the first release did: a completed one, where something was heard."""
    job, run = uuid4(), uuid4()
    state = "completed" if heard else "queued"
    with database.transaction() as session:
        told = {"job": job, "state": state, "print": state, "audio": audio.model_dump_json()}
        session.execute(FIRST_JOB, told)
        session.execute(EVENT, {"job": job})
        if heard is None:
            session.execute(WAITING_RUN, {"run": run, "job": job})
        else:
            session.execute(ENDED_RUN, {"run": run, "job": job, "transcript": heard[0]})
            session.execute(REPORT, {"job": job, "body": heard[1].replace("JOB", str(job))})
    return job


def test_what_the_first_release_left_is_found_read_and_gone_on_with(
    settings: Settings, database: Database
) -> None:
    audio = recording(settings, b"talk")
    sample = heard_job(database, audio, "the quick brown fox")
    with database.transaction() as session:
        packed = session.scalar(text("SELECT transcript FROM engine_runs"))
        body = str(session.scalar(text("SELECT body::text FROM reports")))
    config = alembic_config(settings)
    command.downgrade(config, "base")
    command.upgrade(config, "0001")
    done = first_job(database, audio, (bytes(packed or b""), body.replace(str(sample), "JOB")))
    waiting = first_job(database, audio, None)
    upgrade(settings)
    database.check_schema()
    with Client(settings) as client:
        assert client.result(done).merged.text == "the quick brown fox"
        assert [it.id for it in client.history(text="brown").entries] == [done]
        assert client.story(done).events[0].kind == "job_accepted"
        assert client.status(waiting).state == "queued"
    serve(database, "fake")
    with database.transaction() as session:
        assert admit(session, RULES)
