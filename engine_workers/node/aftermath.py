"""Tells the ledger what a worker that was ended by force, or crashed, can tell no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from engine_workers.claim import RUNNING
from schemas.runs import Failure, FailureKind, RunMessage
from schemas.tables import EngineRun, Pool

if TYPE_CHECKING:
    from schemas.database import Database


def hand_back(database: Database, worker: str) -> int:
    """Make the runs of a worker due again that we ended; return how many jobs have some.

    Raises:
        LedgerError: the database does not answer; the leases end by themselves.
    """
    from engine_workers.handback import give_back  # noqa: PLC0415  # it loads Celery

    jobs = give_back(database, worker)
    _withdraw(database, worker)
    return len(jobs)


def count_losses(database: Database, worker: str, how: str) -> int:
    """End the attempts of a worker that crashed; return how many there were.

    Raises:
        LedgerError: the database does not answer; the leases end by themselves.
    """
    with database.transaction() as session:
        held = select(EngineRun.id, EngineRun.job_id).where(
            EngineRun.state == RUNNING,
            EngineRun.owner.startswith(f"{worker}:", autoescape=True),
        )
        found = session.execute(held).all()
    _withdraw(database, worker)
    if not found:
        return 0
    from engine_workers.lost import note_loss  # noqa: PLC0415  # it loads Celery

    failure = Failure(kind=FailureKind.WORKER_LOST, message=f"its pool's worker died: {how}")
    return sum(
        note_loss(database, RunMessage(run_id=run, job_id=job), worker, failure)
        for run, job in found
    )


def _withdraw(database: Database, worker: str) -> None:
    with database.transaction() as session:
        session.execute(delete(Pool).where(Pool.worker == worker))
