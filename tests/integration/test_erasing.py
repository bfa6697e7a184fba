"""Rules let traces go, a recording can be forgotten; what others need stays."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from coordinator.batches.again import do_again
from coordinator.client import Client
from coordinator.erasing.forget import find_recording, forget_recording
from coordinator.erasing.media import remove_again
from coordinator.erasing.retention import Retention, purge
from coordinator.errors import BadRequestError, JobFailedError, JobNotFoundError
from coordinator.forgetting import count_cache
from coordinator.history import history_filter, read_page
from coordinator.ledger import read_events, read_job, read_report
from coordinator.submit import accept, job_request
from engine_workers.claim import Lease, claim
from engine_workers.errors import StaleLeaseError
from engine_workers.lease import save_transcript
from schemas.audio import AudioRef, apart_of
from schemas.batch_tables import BatchItem
from schemas.errors import ConfigurationError
from schemas.jobs import JobState
from schemas.media_store import open_store
from schemas.media_table import Medium
from schemas.memory_tables import Tombstone
from schemas.names import CHANNEL_FORGOTTEN
from schemas.retention import RetentionRule, Trace
from schemas.settings import load_settings
from schemas.tables import Batch, EngineRun, Job
from schemas.transcript import Transcript
from tests.integration.ended_jobs import heard_job, recording
from tests.integration.engine_rows import add_run

if TYPE_CHECKING:
    from schemas.database import Database
    from schemas.settings import Settings

WEEK = timedelta(days=7)
WORD = "plutonium"


def ruled(settings: Settings, *rules: dict[str, Any]) -> Settings:
    """Return settings with these rules."""
    made = tuple(RetentionRule.model_validate(rule) for rule in rules)
    kept = settings.retention.model_copy(update={"rules": made})
    return settings.model_copy(update={"retention": kept})


def old_recording(settings: Settings, content: bytes) -> AudioRef:
    """Put a recording into the store that lies there for long."""
    audio = recording(settings, content, f"{WORD}.wav")
    os.utime(settings.media_root / audio.key, (0, 0))
    return audio


def traces(database: Database, settings: Settings, job: UUID) -> set[str]:
    """Return what there is of a job."""
    with database.transaction() as session:
        view = read_job(session, job)
        path = settings.media_root / view.audio.key
        canonical = settings.media_root / view.audio.canonical_key
        assert path.exists() == canonical.exists()
        heard = session.scalars(select(EngineRun.transcript).where(EngineRun.job_id == job)).all()
        there = {
            Trace.MEDIA: path.exists(),
            Trace.TRANSCRIPTS: any(heard),
            Trace.REPORTS: read_report(session, job) is not None,
            Trace.EVENTS: any(e.kind == "job_submitted" for e in read_events(session, job)),
        }
    return {trace.value for trace, is_there in there.items() if is_there}


ALL = {trace.value for trace in Trace}


@pytest.mark.parametrize("trace", sorted(ALL))
def test_a_rule_erases_what_it_names_and_nothing_else(
    database: Database, settings: Settings, trace: str
) -> None:
    job = heard_job(database, old_recording(settings, b"one"), WORD, age=WEEK)
    settings = ruled(settings, {"erase": [trace], "after_days": 6})
    (counted,) = purge(database, settings, dry=True)
    assert traces(database, settings, job) == ALL
    assert purge(database, settings) == (counted,)
    assert counted.jobs == 1
    assert traces(database, settings, job) == ALL - {trace}
    assert [purged.jobs for purged in purge(database, settings)] == [0]
    with database.transaction() as session:
        assert read_job(session, job).erased == (trace,)


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        ({"after_days": 8}, ""),
        ({"after_days": 0}, "ab"),
        ({"after_days": 0, "states": ["failed"]}, ""),
        ({"after_days": 0, "owners": ["me"]}, "b"),
        ({"after_days": 0, "labels": {"kind": "call"}}, "b"),
        ({"after_days": 0, "labels": {"kind": "call", "team": "x"}}, ""),
    ],
)
def test_a_rule_is_about_state_age_owner_and_labels(
    database: Database, settings: Settings, rule: dict[str, Any], gone: str
) -> None:
    batch = UUID(int=7)
    with database.transaction() as session:
        session.add(Batch(id=batch))
    jobs = {
        "a": heard_job(database, old_recording(settings, b"a"), WORD, age=WEEK),
        "b": heard_job(
            database, old_recording(settings, b"b"), WORD, age=WEEK, owner="me", batch_id=batch
        ),
    }
    with database.transaction() as session:
        labels = {"kind": "call"}
        session.add(
            BatchItem(batch_id=batch, mark="m", job_id=jobs["b"], source="b", labels=labels)
        )
    purge(database, ruled(settings, {"erase": ["reports"], **rule}))
    left = {name for name, job in jobs.items() if "reports" in traces(database, settings, job)}
    assert left == {"a", "b"} - set(gone)


def test_a_recording_stays_as_long_as_anybody_needs_it(
    database: Database, settings: Settings
) -> None:
    audio = old_recording(settings, b"shared")
    mine = heard_job(database, audio, "words", age=WEEK, owner="me")
    theirs = heard_job(database, audio, "words", age=WEEK, owner="them")
    rule = {"erase": ["media"], "after_days": 1}
    settings = ruled(settings, {**rule, "owners": ["me"]})
    purge(database, settings)
    assert "media" in traces(database, settings, mine)
    settings = ruled(
        settings, {**rule, "owners": ["me"]}, {**rule, "owners": ["them"], "after_days": 3}
    )
    purge(database, settings)
    assert "media" not in traces(database, settings, theirs)
    with database.transaction() as session:
        stone = session.get_one(Tombstone, audio.sha256)
        assert (stone.why, stone.what, stone.jobs) == ("retention", ["media"], 2)


def test_a_recording_that_was_just_copied_or_is_being_heard_stays(
    database: Database, settings: Settings
) -> None:
    settings = ruled(settings, {"erase": ["media"], "after_days": 0})
    fresh = recording(settings, b"fresh")
    heard_job(database, fresh, "words", age=WEEK)
    heard = old_recording(settings, b"heard")
    heard_job(database, heard, "words", age=WEEK)
    with database.transaction() as session:
        accept(session, job_request(["fake"]), heard)
    assert [purged.recordings for purged in purge(database, settings)] == [0]
    assert (settings.media_root / fresh.key).exists()
    assert (settings.media_root / heard.key).exists()


def test_what_was_learned_about_engines_outlives_their_events(
    database: Database, settings: Settings
) -> None:
    engines = ["fake", "slow"]
    job = heard_job(database, old_recording(settings, b"x"), WORD, engines=engines, age=WEEK)
    purge(database, ruled(settings, {"erase": ["events"], "after_days": 1}))
    with database.transaction() as session:
        (left,) = read_events(session, job)
    assert left.data["record"]


def test_the_coordinator_purges_once_in_a_while(database: Database, settings: Settings) -> None:
    heard_job(database, old_recording(settings, b"x"), WORD, age=WEEK)
    retention, rules = Retention(), ruled(settings, {"erase": ["reports"], "after_days": 1})
    assert retention.look(database, rules) == 1
    heard_job(database, old_recording(settings, b"y"), WORD, age=WEEK)
    assert retention.look(database, rules) == 0


def test_a_result_that_was_erased_is_told_to_be(database: Database, settings: Settings) -> None:
    job = heard_job(database, old_recording(settings, b"x"), WORD, age=WEEK)
    purge(database, ruled(settings, {"erase": ["reports"], "after_days": 1}))
    with Client(settings) as client, pytest.raises(JobFailedError, match="was erased"):
        client.result(job)


def test_no_engine_is_asked_about_a_recording_that_is_gone(
    database: Database, settings: Settings
) -> None:
    job = heard_job(database, old_recording(settings, b"x"), WORD, age=WEEK)
    purge(database, ruled(settings, {"erase": ["media"], "after_days": 1}))
    with database.transaction() as session, pytest.raises(BadRequestError, match="was erased"):
        do_again(session, settings, job, ["slow"])


def everything(database: Database) -> str:
    """Return all that the ledger holds, as text."""
    with database.transaction() as session:
        tables = session.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        ).all()
        found = [
            session.scalars(text(f"SELECT row_to_json(t)::text FROM {table} AS t")).all()  # noqa: S608
            for table in tables
        ]
        heard = session.scalars(
            select(EngineRun.transcript).where(EngineRun.transcript.is_not(None))
        ).all()
    return "\n".join(row for rows in found for row in rows) + repr(heard)


def test_a_forgotten_recording_leaves_a_tombstone_and_no_word(
    database: Database, settings: Settings
) -> None:
    batch = UUID(int=7)
    with database.transaction() as session:
        session.add(Batch(id=batch))
    audio = recording(settings, b"x", f"{WORD}.wav")
    options: dict[str, dict[str, object]] = {"fake": {"text": WORD}}
    job = heard_job(database, audio, WORD, batch_id=batch, options=options)
    heard_job(database, audio, WORD, owner="them")
    with database.transaction() as session:
        session.add(
            BatchItem(
                batch_id=batch,
                mark="m",
                job_id=job,
                source=f"/{WORD}.wav",
                reference=WORD,
                labels={"about": WORD},
            )
        )
    assert WORD in everything(database)
    forgotten = forget_recording(database, settings, audio.sha256)
    assert (forgotten.jobs, forgotten.files) == (2, 2)
    assert WORD not in everything(database)
    assert traces(database, settings, job) == set()
    assert count_cache(database).entries == 0
    with database.transaction() as session:
        stone = session.get_one(Tombstone, audio.sha256)
        assert (stone.why, set(stone.what), stone.jobs) == ("forgotten", ALL, 2)
        assert session.get(Medium, audio.sha256) is None
        assert read_job(session, job).state is JobState.COMPLETED
        assert [event.kind for event in read_events(session, job)] == ["job_forgotten"]
        assert read_page(session, history_filter(text=WORD)).entries == ()


def test_what_a_worker_hears_of_a_forgotten_recording_is_not_stored(
    database: Database, settings: Settings
) -> None:
    audio = recording(settings, b"x", f"{WORD}.wav")
    message = add_run(database, audio)
    lease = claim(database, message, "here", 30.0)
    assert isinstance(lease, Lease)
    forget_recording(database, settings, audio.sha256)
    heard = Transcript(
        engine="fake", engine_version="1", model="none", audio_seconds=1.0, segments=()
    )
    with pytest.raises(StaleLeaseError):
        save_transcript(database, lease, heard, 1.0)
    with database.transaction() as session:
        assert read_job(session, message.job_id).state is JobState.CANCELLED


def test_a_file_that_comes_back_goes_again_unless_it_was_submitted_again(
    database: Database, settings: Settings
) -> None:
    audio = recording(settings, b"x")
    heard_job(database, audio, WORD)
    forget_recording(database, settings, audio.sha256)
    recording(settings, b"x")  # a worker was at it
    with database.reading() as session:
        assert remove_again(session, open_store(settings)).count == 2
    recording(settings, b"x")
    with database.transaction() as session:
        accept(session, job_request(["fake"]), audio)
    with database.reading() as session:
        assert remove_again(session, open_store(settings)).count == 0


def test_every_process_that_keeps_copies_hears_of_it(
    database: Database, settings: Settings
) -> None:
    audio = recording(settings, b"x")
    with database.listen(CHANNEL_FORGOTTEN) as connection:
        thread = threading.Thread(target=forget_recording, args=(database, settings, audio.sha256))
        thread.start()
        notes = list(connection.notifies(timeout=10, stop_after=2))
        thread.join()
    assert {note.payload for note in notes} == {audio.sha256, apart_of(audio.sha256)}


def test_a_recording_is_named_by_its_hash_or_by_a_job(
    database: Database, settings: Settings
) -> None:
    audio = recording(settings, b"x")
    job = heard_job(database, audio, "words")
    with database.reading() as session:
        assert find_recording(session, audio.sha256.upper()) == audio.sha256
        assert find_recording(session, job.hex[:8]) == audio.sha256
        with pytest.raises(JobNotFoundError):
            find_recording(session, "0" * 32)
    with pytest.raises(JobNotFoundError):
        forget_recording(database, settings, "b" * 64)


@pytest.mark.parametrize(
    "rule",
    [
        {"erase": [], "after_days": 1},
        {"erase": ["media"]},
        {"erase": ["media"], "after_days": -1},
        {"erase": ["everything"], "after_days": 1},
        {"erase": ["media"], "after_days": 1, "states": ["running"]},
        {"erase": ["media"], "after_days": 1, "state": ["failed"]},
    ],
)
def test_a_wrong_rule_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="retention"):
        load_settings(_env_file=None, retention={"rules": [rule]})


def test_jobs_are_counted_in_more_than_one_go(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordinator.erasing.retention.TOGETHER", 2)
    for number in range(5):
        heard_job(database, old_recording(settings, bytes([number])), WORD, age=WEEK)
    (purged,) = purge(database, ruled(settings, {"erase": ["media", "reports"], "after_days": 1}))
    assert (purged.jobs, purged.recordings, purged.files) == (5, 5, 10)
    with database.transaction() as session:
        left = select(func.count()).select_from(Job).where(~Job.erased.contains(["media"]))
        assert session.scalar(left) == 0
