"""Messages that come more than once, or too early."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

from coordinator.publish import publish_aggregation
from schemas.names import engine_queue
from tests.benchmarks.figures import at_least, at_most
from tests.chaos import invariants
from tests.chaos.engines import ENGINES
from tests.chaos.lab import Lab, case
from tests.serving import serve, serve_no_more

if TYPE_CHECKING:
    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds that a test waits.
PATIENCE_SECONDS = 120


@case("duplicates", "Every message delivered three times; callback before the last header")
def duplicates(lab: Lab) -> list[Figure]:
    """Copy the messages in the broker, with two workers for each engine to take them at once."""
    cluster = lab.shared()
    for engine in ENGINES:
        cluster.end(f"{engine}-a")
    cluster.prepare(cluster.recording())  # those who would have ended
    # Nothing is published while nobody lives who could take it.
    serve(cluster.database, *ENGINES)
    jobs = cluster.submit(lab.size(10, 100))
    _until_published(cluster, len(jobs))
    serve_no_more(cluster.database)
    for engine in ENGINES:
        _copy_twice(cluster, engine_queue(engine))
    for job in 3 * jobs:
        publish_aggregation(cluster.app, job)
    for engine in ENGINES:
        cluster.engine(engine, "a")
        cluster.engine(engine, "b")
    cluster.ready()
    cluster.wait(jobs, PATIENCE_SECONDS)
    works = cluster.works()
    invariants.check(cluster, jobs)
    whole = sum(
        len(report.engines) == len(ENGINES)
        for job in jobs
        if (report := cluster.report(job)) is not None
    )
    return [
        at_most("engine work for each run", sum(works.values()) / (len(jobs) * len(ENGINES)), 1),
        at_least("correct reports", whole, len(jobs)),
    ]


def _until_published(cluster: Cluster, count: int) -> None:
    """Wait for the coordinator; a poller of the broker is woken by nothing."""
    with cluster.servers.redis() as broker:
        last = engine_queue(ENGINES[-1])
        for _ in range(count):
            moved = broker.blmove(last, "seen", PATIENCE_SECONDS, "RIGHT", "LEFT")
            assert moved is not None, "the coordinator published too little"
        broker.rename("seen", last)


def _copy_twice(cluster: Cluster, queue: str) -> None:
    with cluster.servers.redis() as broker:
        for raw in broker.lrange(queue, 0, -1):
            message = json.loads(raw)
            for _ in range(2):
                message["properties"]["delivery_tag"] = str(uuid4())
                broker.lpush(queue, json.dumps(message))
