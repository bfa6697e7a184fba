"""Recordings whose preparation is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from schemas.media_table import Medium
from tests.benchmarks.figures import at_least, at_most
from tests.chaos import invariants
from tests.chaos.lab import Lab, case

if TYPE_CHECKING:
    from uuid import UUID

    from tests.benchmarks.figures import Figure

#: Seconds that a recording lasts.
SECONDS = 120.0
#: Seconds within which a job has to have ended, for which a test waits, until a point is reached.
RESCUE_SECONDS, PATIENCE_SECONDS, REACH_SECONDS = 60, 150, 60.0
#: Where it is cut off, and what is done there: the last takes the message away as well.
DEATHS = (
    ("mid_prepare", "kill_child"),
    ("mid_prepare", "kill_worker"),
    ("after_pop", "kill_worker"),
)
#: The first of the recordings that no other case has had prepared.
FIRST = 10


@case("media", "SIGKILL of whoever decodes a recording: the child, the worker, with its message")
def media(lab: Lab) -> list[Figure]:
    """Cut off one recording after another, while two jobs wait for each."""
    cluster = lab.shared()
    slowest = 0.0
    jobs: list[UUID] = []
    recordings: list[str] = []
    for number, (point, action) in enumerate(DEATHS, FIRST):
        audio = cluster.recording(SECONDS, number)
        recordings.append(audio.sha256)
        cluster.points.arm(point, action)
        made = cluster.submit(2, audio=audio, seconds_per_segment=60.0)
        cluster.points.heard(REACH_SECONDS)
        slowest = max(slowest, cluster.wait(made, PATIENCE_SECONDS))
        jobs += made
    invariants.check(cluster, jobs)
    with cluster.database.transaction() as session:
        attempts = session.scalars(
            select(Medium.attempt).where(Medium.sha256.in_(recordings))
        ).all()
    completed = sum(cluster.report(job) is not None for job in jobs)
    return [
        at_most("slowest job", slowest, RESCUE_SECONDS, "s"),
        at_least("completed", completed, len(jobs)),
        at_most("attempts at a recording", max(attempts), 2),
        at_most("attempts at all, for two jobs each", sum(attempts), 2 * len(DEATHS) - 1),
    ]
