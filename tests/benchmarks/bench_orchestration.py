"""What the ledger costs: Chordscribe's jobs against bare Celery chords on the same processes."""

from __future__ import annotations

import statistics
import sys
import threading
import time
from typing import TYPE_CHECKING

from celery import chord
from sqlalchemy import func, select, text

from coordinator.app import know_queues
from coordinator.watching import watch_jobs
from schemas.names import QUEUE_AGGREGATION, engine_queue
from schemas.tables import Job
from tests.benchmarks.figures import Figure, at_least, at_most, informs
from tests.benchmarks.orchestration import NO_WORK
from tests.benchmarks.orchestration.aggregation_app import DONE
from tests.chaos.engines import ENGINES
from tests.chaos.lab import Lab
from tests.serving import serve

if TYPE_CHECKING:
    from redis import Redis

    from tests.chaos.cluster import Cluster

#: Seconds that anything here may take.
PATIENCE_SECONDS = 1200
#: Seconds between two questions whether all jobs have ended.
ASK_SECONDS = 0.1
MODULES = {
    "coordinator_module": "coordinator.service",
    "aggregation_app": "tests.benchmarks.orchestration.aggregation_app",
    "engine_app": "tests.benchmarks.orchestration.engine_app",
}
#: The ledger's share of the bare throughput, and the milliseconds that it may cost when idle.
SHARE, IDLE_MS = 0.5, 60
#: Statements that one job may take.
STATEMENTS = 20
#: How many jobs are queued while the broker's bytes are counted.
BYTES_OF = (1, 100, 10_000)
#: How far the bytes of a queued job may differ between few and many.
FLAT = 1.2
#: What begins and ends a transaction, and what is not about a job.
CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SELECT pg_stat_statements", "DEALLOCATE")


def main(quick: bool) -> list[Figure]:  # noqa: FBT001  # every benchmark is called so
    """Measure; `quick` takes fewer jobs and rounds."""
    with Lab(quick=False) as lab:
        figures: list[Figure] = []
        for working in (True, False):
            with lab.cluster(**MODULES) as cluster:
                _start(cluster, working=working)
                figures += _speed(cluster, 100, 2 if quick else 6, working)
                if not working:
                    figures += [] if quick else _speed(cluster, 10_000, 1, working)
                    figures += _idle(cluster, 30 if quick else 200)
                    figures += _statements(cluster, 50 if quick else 200)
        with lab.cluster(**MODULES) as cluster:
            cluster.coordinator()
            # Nothing is published while nobody lives who could take it.
            serve(cluster.database, *ENGINES, slots=2 * max(BYTES_OF))
            figures += _bytes(cluster, BYTES_OF[:2] if quick else BYTES_OF)
        return figures


def _start(cluster: Cluster, *, working: bool) -> None:
    socket = str(cluster.servers.paths.sockets / "valkey.sock")
    cluster.coordinator()
    idle = {} if working else {NO_WORK: "1"}
    cluster.aggregation(BENCH_SOCKET=socket, **idle)
    for engine in ENGINES:
        cluster.engine(engine, **idle)
    cluster.ready()
    know_queues(cluster.app, [engine_queue(engine) for engine in ENGINES])
    cluster.wait(cluster.submit(5), PATIENCE_SECONDS)
    with cluster.servers.redis() as broker:
        _bare(cluster, broker, 5)


def _bare(cluster: Cluster, broker: Redis, count: int) -> float:
    """Send bare chords and wait for them; return the seconds."""
    began = time.monotonic()
    for _ in range(count):
        header = [
            cluster.app.signature("bench.header", queue=engine_queue(engine), immutable=True)
            for engine in ENGINES
        ]
        body = cluster.app.signature("bench.body", queue=QUEUE_AGGREGATION, immutable=True)
        chord(header, body, app=cluster.app).apply_async()
    for _ in range(count):
        assert broker.brpop(DONE, PATIENCE_SECONDS)
    return time.monotonic() - began


def _ours(cluster: Cluster, count: int) -> float:
    """Submit jobs and wait for them; return the seconds until the last one's report was there.

    The ledger's clock is this machine's. It is asked now and then, so that asking costs little.
    """
    began = time.time()
    made = set(cluster.submit(count))
    deadline = time.monotonic() + PATIENCE_SECONDS
    still = select(func.count()).select_from(Job).where(Job.finished_at.is_(None))
    while True:
        with cluster.database.transaction() as session:
            if not session.scalar(still):
                ended = session.scalar(select(func.max(Job.finished_at)).where(Job.id.in_(made)))
                assert ended is not None
                return float(ended.timestamp() - began)
        assert time.monotonic() < deadline
        threading.Event().wait(ASK_SECONDS)


def _speed(cluster: Cluster, count: int, rounds: int, working: bool) -> list[Figure]:  # noqa: FBT001
    """Alternate bare chords and jobs, so that whatever else the machine does hits both."""
    bare, ours = [], []
    with cluster.servers.redis() as broker:
        for _ in range(rounds):
            bare.append(count / _bare(cluster, broker, count))
            ours.append(count / _ours(cluster, count))
    share = statistics.median(ours) / statistics.median(bare)
    how = f"{count:,} queued, " + ("decoded and compared" if working else "no-op")
    return [
        informs(f"bare chords, {how}", statistics.median(bare), "/s"),
        informs(f"jobs, {how}", statistics.median(ours), "/s"),
        informs(f"share of the bare throughput, {how}", share, "×")
        if working
        else at_least(f"share of the bare throughput, {how}", share, SHARE, "×"),
    ]


def _idle(cluster: Cluster, count: int) -> list[Figure]:
    """Send one at a time, in turns."""
    bare, ours = [], []
    with cluster.servers.redis() as broker:
        for _ in range(count):
            bare.append(1000 * _bare(cluster, broker, 1))
            began = time.monotonic()
            for _view in watch_jobs(cluster.database, cluster.submit(1), PATIENCE_SECONDS):
                pass
            ours.append(1000 * (time.monotonic() - began))
    p50, p99 = (_quantile(ours, 0.5), _quantile(ours, 0.99))
    return [
        informs("idle latency of a bare chord, p50", _quantile(bare, 0.5), "ms"),
        informs("idle latency of a bare chord, p99", _quantile(bare, 0.99), "ms"),
        at_most("idle latency, p50 above bare", p50 - _quantile(bare, 0.5), IDLE_MS, "ms"),
        informs("idle latency, p50", p50, "ms"),
        informs("idle latency, p99", p99, "ms"),
    ]


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def _statements(cluster: Cluster, count: int) -> list[Figure]:
    """Count what Postgres is asked for a job that waits behind others, by kind."""
    with cluster.database.transaction() as session:
        session.execute(text("CREATE EXTENSION IF NOT EXISTS pg_stat_statements"))
        session.execute(text("SELECT pg_stat_statements_reset()"))
    made = []
    for _ in range(count):  # one transaction each, as a client has it
        made += cluster.submit(1)
    cluster.wait(made, PATIENCE_SECONDS)
    with cluster.database.transaction() as session:
        rows = session.execute(
            text("SELECT query, calls FROM pg_stat_statements ORDER BY calls DESC")
        ).all()
    real = [(query, calls) for query, calls in rows if not query.startswith(CONTROL)]
    for query, calls in real[:30]:
        print(f"{calls / count:6.2f}  {' '.join(query.split())[:150]}", file=sys.stderr)
    control = sum(calls for query, calls in rows if query.startswith(CONTROL))
    return [
        at_most("statements for a job", sum(calls for _, calls in real) / count, STATEMENTS),
        informs("begins and ends of transactions for a job", control / count),
    ]


def _bytes(cluster: Cluster, counts: tuple[int, ...]) -> list[Figure]:
    """Let jobs queue up with nobody to take them; weigh what the broker holds of each."""
    figures, weights = [], []
    cluster.prepare(cluster.recording())
    queue = engine_queue(ENGINES[-1])
    with cluster.servers.redis() as broker:
        for count in counts:
            broker.flushall()
            cluster.submit(count)
            for _ in range(count):
                assert broker.blmove(queue, "seen", PATIENCE_SECONDS, "RIGHT", "LEFT")
            keys = [key for key in broker.scan_iter(count=1000) if not key.startswith(b"_kombu")]
            with broker.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.memory_usage(key, samples=0)
                weights.append(sum(filter(None, pipe.execute())) / count)
            figures.append(
                informs(f"bytes in the broker for each of {count:,} queued", weights[-1], "B")
            )
    return [
        *figures,
        at_most("the heaviest over the lightest", max(weights) / min(weights), FLAT, "×"),
    ]
