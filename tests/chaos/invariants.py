"""What has to hold after every fault test, whatever died in between."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from schemas.jobs import JobState
from schemas.retries import MAX_ATTEMPTS
from schemas.runs import RunState
from schemas.tables import EngineRun, Job, StoredEvent, StoredReport

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from uuid import UUID

    from tests.chaos.cluster import Cluster

#: Jobs that are looked at in one question to the ledger.
SLICE = 2000
#: Seconds that leftovers get to go away, and between two looks.
QUIET_SECONDS, LOOK_SECONDS = 100.0, 0.1
#: Keys by which the broker counts a chord; `.d` and `.c` remember for minutes that it is done.
CHORD_KEYS, CHORD_DONE = "celery-taskset-meta-*", (b".d", b".c")


def check(cluster: Cluster, jobs: Collection[UUID], connections: int | None = None) -> None:
    """Check I1 to I5 for these jobs, the only ones of the cluster that may be open.

    Raises:
        AssertionError: naming what does not hold, for which jobs.
    """
    problems: list[str] = []
    ordered = list(jobs)
    for start in range(0, len(ordered), SLICE):
        problems += _of_jobs(cluster, ordered[start : start + SLICE])
    problems += _leftovers(cluster, connections)
    assert not problems, "\n".join(problems[:20]) + "\n" + cluster.story(jobs)


def _of_jobs(cluster: Cluster, jobs: list[UUID]) -> Iterator[str]:
    with cluster.database.transaction() as session:
        found = session.scalars(select(Job).where(Job.id.in_(jobs))).all()
        runs = session.scalars(select(EngineRun).where(EngineRun.job_id.in_(jobs))).all()
        reports = session.execute(
            select(StoredReport.job_id, StoredReport.body).where(StoredReport.job_id.in_(jobs))
        ).all()
        ends = session.execute(
            select(StoredEvent.job_id, func.count())
            .where(StoredEvent.job_id.in_(jobs), StoredEvent.kind.in_(_ENDS))
            .group_by(StoredEvent.job_id)
        ).all()
    by_job: dict[UUID, list[EngineRun]] = {}
    for run in runs:
        by_job.setdefault(run.job_id, []).append(run)
        yield from _of_run(run)
    bodies: dict[UUID, dict[str, object]] = dict(reports)
    ended = dict(ends)
    if len(found) != len(jobs):
        yield f"I1: {len(jobs) - len(found)} accepted jobs are gone"
    for job in found:
        yield from _of_job(job, ended.get(job.id, 0), reported=job.id in bodies)
        if job.id in bodies:
            yield from _report(job, by_job[job.id], bodies[job.id])


def _of_run(run: EngineRun) -> Iterator[str]:
    if run.state == RunState.RUNNING.value or run.owner is not None:
        yield f"I4: run {run.id} of an ended job is still leased by {run.owner}"
    if run.attempt - run.forgiven > MAX_ATTEMPTS:
        yield f"I4: run {run.id} had {run.attempt} attempts, {run.forgiven} forgiven"


def _of_job(job: Job, ends: int, *, reported: bool) -> Iterator[str]:
    if not JobState(job.state).terminal:
        yield f"I1: job {job.id} is {job.state}"
    if ends != 1:
        yield f"I2: job {job.id} ended {ends} times"
    if (job.state == JobState.COMPLETED.value) != reported:
        yield f"I2: job {job.id} is {job.state}, report: {reported}"


#: The events that end a job.
_ENDS = ("job_completed", "job_failed", "job_cancelled")


def _report(job: Job, runs: list[EngineRun], body: dict[str, object]) -> Iterator[str]:
    engines: list[dict[str, str]] = body["engines"]  # type: ignore[assignment]
    missing: list[dict[str, str]] = body["missing"]  # type: ignore[assignment]
    heard = {engine["engine"] for engine in engines}
    named = {engine["engine"] for engine in missing}
    succeeded = {run.engine for run in runs if run.state == RunState.SUCCEEDED.value}
    if heard != succeeded or named != {run.engine for run in runs} - succeeded:
        yield f"I3: job {job.id}: report has {heard}, misses {named}; succeeded {succeeded}"
    whole = all(run.state == RunState.SUCCEEDED.value for run in runs)
    if job.degraded == whole:
        yield f"I3: job {job.id}: degraded is {job.degraded}, missing {named}"


def _leftovers(cluster: Cluster, connections: int | None) -> list[str]:
    """Return what is left after the last job, once it had time to go away."""
    deadline, tick = time.monotonic() + QUIET_SECONDS, threading.Event()
    while True:
        cluster.keep()
        left = list(_left(cluster, connections))
        if not left or time.monotonic() > deadline:
            return left
        tick.wait(LOOK_SECONDS)


def _left(cluster: Cluster, connections: int | None) -> Iterator[str]:
    with cluster.servers.redis() as broker:
        unacked = broker.hlen("unacked")
        if unacked:
            yield f"I5: {unacked} unacked messages"
        for queue in (b"aggregation", *broker.scan_iter("asr.*")):
            if broker.llen(queue):
                yield f"I5: {broker.llen(queue)} messages in {queue!r}"
        chords = [
            key for key in broker.scan_iter(CHORD_KEYS, count=1000) if not key.endswith(CHORD_DONE)
        ]
        if chords:
            yield f"I5: {len(chords)} chord keys such as {chords[0]!r}"
    files = [path for path in cluster.temp.rglob("*") if path.is_file()]
    files += list((cluster.settings.media_root / "incoming").glob("*"))
    if files:
        yield f"I5: {len(files)} temporary files such as {files[0].name}"
    if connections is not None and (now := count_connections(cluster)) > connections:
        yield f"I5: {now} connections to the ledger, {connections} before"


def count_connections(cluster: Cluster) -> int:
    """Return how many connections the ledger has, ours left out."""
    with cluster.database.transaction() as session:
        return (
            session.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
                )
            )
            or 0
        )
