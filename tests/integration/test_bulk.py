"""Many jobs are accepted together, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from coordinator.admission import admit
from coordinator.bulk import MAX_JOBS, accept_many
from coordinator.errors import BadRequestError
from coordinator.ledger import read_events, read_job
from coordinator.submit import job_request
from schemas.audio import AudioRef
from schemas.scheduling import Schedule
from schemas.tables import Job
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
REQUEST = job_request(["fake", "moonshine"])


def test_each_recording_is_a_whole_job(database: Database) -> None:
    serve(database, "fake", "moonshine")
    schedule = Schedule(owner="a", priority="high")
    with database.transaction() as session:
        jobs = accept_many(session, REQUEST, 300 * [AUDIO], schedule=schedule)
    assert len(set(jobs)) == 300
    with database.transaction() as session:
        view = read_job(session, jobs[0])
        assert [event.kind for event in read_events(session, jobs[0])] == ["job_submitted"]
        assert len(set(admit(session, RULES, limit=600))) == 300
    assert (view.schedule.owner, view.schedule.priority) == ("a", "high")
    assert [run.engine for run in view.runs] == ["fake", "moonshine"]


def test_too_many_are_refused_whole(database: Database) -> None:
    with (
        pytest.raises(BadRequestError, match="at most 100,000"),
        database.transaction() as session,
    ):
        accept_many(session, REQUEST, (MAX_JOBS + 1) * [AUDIO])
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0
