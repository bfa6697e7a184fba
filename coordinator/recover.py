"""Puts interrupted work back into the queue when a whole stack starts anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, func, select, update

from schemas.database import record_event
from schemas.jobs import JobState
from schemas.runs import RunState
from schemas.scheduling import Place
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

OPEN_RUNS = (RunState.QUEUED.value, RunState.RUNNING.value)


def reopen_interrupted(session: Session) -> int:
    """Re-open every run that was being worked on; return the number of jobs to publish again.

    Call it only while no worker is alive, as the embedded stack's lock guarantees at its start:
    whatever the ledger calls running then was cut off, and whatever the broker held is void.
    """
    reopened = session.scalars(
        update(EngineRun)
        .where(
            EngineRun.state.in_(OPEN_RUNS),
            # Those that were never admitted go on waiting.
            EngineRun.place.is_(None) | (EngineRun.place == Place.WINDOW.value),
            EngineRun.job_id.in_(select(Job.id).where(Job.state == JobState.RUNNING.value)),
        )
        .values(
            state=RunState.QUEUED.value,
            owner=None,
            lease_expires_at=None,
            progress_seconds=0.0,
            due_at=func.now(),
            # It was cut off with the whole stack: that is not held against it.
            forgiven=case(
                (EngineRun.state == RunState.RUNNING.value, EngineRun.forgiven + 1),
                else_=EngineRun.forgiven,
            ),
        )
        .returning(EngineRun.job_id)
        .execution_options(synchronize_session=False)
    ).all()
    jobs = set(reopened)
    # The counters of their chords went with the broker's contents.
    session.execute(
        update(Job)
        .where(Job.state == JobState.RUNNING.value, Job.one_chord)
        .values(one_chord=False)
        .execution_options(synchronize_session=False)
    )
    for job_id in jobs:
        record_event(session, job_id, "job_resumed")
    return len(jobs)
