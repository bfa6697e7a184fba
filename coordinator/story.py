"""Tells all that the ledger knows of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from coordinator.ledger import read_events, read_job, read_report
from schemas.audio import Prepared
from schemas.history import Attempt, JobStory, Timings
from schemas.media_table import Medium

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from schemas.jobs import JobEvent, JobView

#: The events that end an attempt, with what they call it.
ENDS = {
    "run_succeeded": "succeeded",
    "run_failed": "failed",
    "run_cancelled": "cancelled",
    "run_retried": "retried",
    "run_handed_back": "handed_back",
    "run_rescued": "rescued",
}


def read_story(session: Session, job_id: UUID) -> JobStory:
    """Return a job with its attempts, workers, timings, events, report.

    Raises:
        JobNotFoundError: there is none of that id.
    """
    view = read_job(session, job_id)
    events = read_events(session, job_id)
    medium = session.get(Medium, view.audio.sha256, populate_existing=True)
    prepared = medium.prepared if medium else None
    return JobStory(
        job=view,
        media=Prepared.model_validate(prepared).info if prepared else None,
        timings=timings(view),
        attempts=attempts(events),
        events=events,
        report=read_report(session, job_id),
    )


def attempts(events: Sequence[JobEvent]) -> tuple[Attempt, ...]:
    """Return the workers' attempts at a job's runs, in the order in which they began.

    A run that ended without anybody trying it, as its engine was given up, is one too.
    """
    found: dict[tuple[str, int], Attempt] = {}
    for event in events:
        if event.kind != "run_started" and event.kind not in ENDS:
            continue
        told = event.data
        key = (str(told.get("run")), _number(told.get("attempt")))
        before = found.get(key) or Attempt(
            run=UUID(key[0]), engine=_engine(told, events), attempt=key[1]
        )
        found[key] = before.model_copy(update=_change(event))
    return tuple(found.values())


def _change(event: JobEvent) -> dict[str, object]:
    told = event.data
    worker = {"worker": told["worker"]} if told.get("worker") else {}
    if event.kind == "run_started":
        return {"started_at": event.at, **worker}
    why = told.get("why") or (f"repeats run {told['reused']}" if told.get("reused") else None)
    return {"ended_at": event.at, "outcome": ENDS[event.kind], "why": why, **worker}


def _engine(told: dict[str, object], events: Iterable[JobEvent]) -> str:
    """Return the engine of a run; some events only name the run."""
    if told.get("engine"):
        return str(told["engine"])
    named = (e.data.get("engine") for e in events if e.data.get("run") == told.get("run"))
    return str(next(filter(None, named), ""))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def timings(view: JobView) -> Timings:
    """Return where a job's time went."""
    began = min((run.started_at for run in view.runs if run.started_at), default=None)
    ended = None
    if view.runs and all(run.finished_at for run in view.runs):
        ended = max(run.finished_at for run in view.runs if run.finished_at)
    return Timings(
        waited=_between(view.created_at, began),
        heard=_between(began, ended),
        compared=_between(ended, view.finished_at),
        whole=_between(view.created_at, view.finished_at),
    )


def _between(first: datetime | None, second: datetime | None) -> float | None:
    if first is None or second is None:
        return None
    return round((second - first).total_seconds(), 3)
