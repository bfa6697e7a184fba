"""Gives a worker's unfinished runs back when it shuts down, so that nobody waits for a lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from celery.bootsteps import StartStopStep
from celery.signals import worker_shutdown
from sqlalchemy import func, select, update

from engine_workers.app import app, settings
from engine_workers.claim import QUEUED, RUNNING
from schemas.database import Database, notify, record_event
from schemas.errors import LedgerError
from schemas.names import CHANNEL_WORK
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from uuid import UUID

    from celery.worker import WorkController

log = structlog.get_logger("engine_workers")


def give_back(database: Database, worker: str) -> list[UUID]:
    """Make the runs that a worker's children held due again; return the ids of their jobs.

    The interrupted attempt is not held against the run. Should a child still be alive, its
    attempt's number keeps it from writing.

    Args:
        database: the ledger.
        worker: the worker's node name; a run's owner is `NODE:PID`.

    Raises:
        LedgerError: the database does not answer; the leases then end by themselves.
    """
    with database.transaction() as session:
        held = session.execute(
            select(EngineRun.id, EngineRun.job_id, EngineRun.attempt, Job.cancel_requested_at)
            .join(Job)
            .where(
                EngineRun.state == RUNNING,
                EngineRun.owner.startswith(f"{worker}:", autoescape=True),
            )
            .with_for_update(of=EngineRun)
        ).all()
        for run_id, job_id, attempt, cancelled in held:
            session.execute(
                update(EngineRun)
                .where(EngineRun.id == run_id)
                .values(
                    state="cancelled" if cancelled else QUEUED,
                    finished_at=func.now() if cancelled else None,
                    due_at=None if cancelled else func.now(),
                    forgiven=EngineRun.forgiven + 1,
                    owner=None,
                    lease_expires_at=None,
                    progress_seconds=0.0,
                )
            )
            kind = "run_cancelled" if cancelled else "run_handed_back"
            record_event(session, job_id, kind, run=str(run_id), attempt=attempt, worker=worker)
            notify(session, CHANNEL_WORK, job_id)
    return [job_id for _, job_id, _, _ in held]


@worker_shutdown.connect  # type: ignore[untyped-decorator]  # celery is untyped
def on_shutdown(sender: WorkController, **_: object) -> None:
    """Give back what the pool's children, which have ended by now, could not finish."""
    database = Database(settings)
    try:
        jobs = give_back(database, sender.hostname)
    except LedgerError as error:
        log.warning("not_handed_back", error=str(error))
    else:
        if jobs:
            log.info("handed_back", jobs=[str(job_id) for job_id in jobs])
    finally:
        database.dispose()


class HandBack(StartStopStep):  # type: ignore[misc]  # celery is untyped
    """Gives the runs back when the grace is over: Celery then sends no signal.

    A child that still lives by then is fenced off by its attempt's number.
    """

    requires = ("celery.worker.components:Pool",)

    def terminate(self, parent: WorkController) -> None:
        """Do as at a shutdown in order."""
        on_shutdown(sender=parent)


app.steps["worker"].add(HandBack)
