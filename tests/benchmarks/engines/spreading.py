"""How well many workers share one long recording: simulated engines, real orchestration."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import numpy as np

from coordinator.staging import stage
from coordinator.submit import accept, job_request
from schemas.names import engine_queue
from schemas.settings import MediaSettings
from tests.benchmarks.figures import Figure, at_least
from tests.chaos.lab import Lab

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.audio import AudioRef
    from tests.chaos.cluster import Cluster

#: Chunks for each worker, and what each takes its engine, in seconds: a fraction of what a chunk
#: of ten minutes takes a real one.
CHUNKS_EACH, QUICK_CHUNKS_EACH, ENGINE_SECONDS = 4, 2, 5.0
#: The same in the job before, in which every worker opens its connections, loads its engine.
FIRST_SECONDS = 0.5
#: Seconds of sound in a chunk: as little as shows that it is read.
CHUNK_SECONDS = 2.0
#: The least efficiency, to so many workers and beyond.
FEW, LEAST_FEW, LEAST_MANY = 16, 0.95, 0.9
PATIENCE_SECONDS = 300
MODULES = {
    "coordinator_module": "coordinator.service",
    "aggregation_app": "aggregation.app",
    "engine_app": "engine_workers.app",
}


def measure(*, quick: bool) -> list[Figure]:
    """Have the same recording's parts heard by more and more workers."""
    if quick:
        return [_efficiency(8, QUICK_CHUNKS_EACH)]
    return [_efficiency(count, CHUNKS_EACH) for count in (1, 2, 4, 8, 16, 32, 64)]


def _efficiency(workers: int, chunks_each: int) -> Figure:
    """Return the share of their time for which the workers' engines heard something."""
    chunks = chunks_each * workers
    media = MediaSettings(chunk_seconds=CHUNK_SECONDS)
    with Lab(quick=False) as lab, lab.cluster(**MODULES) as cluster:
        cluster.settings = cluster.settings.model_copy(update={"media": media})
        cluster.coordinator()
        cluster.aggregation()
        _simulated(cluster, workers)
        cluster.ready()
        audio = _recording(cluster, chunks * CHUNK_SECONDS)
        cluster.wait([_submit(cluster, audio, FIRST_SECONDS)], PATIENCE_SECONDS)  # prepares it, too
        job = _submit(cluster, audio, ENGINE_SECONDS)
        cluster.wait([job], PATIENCE_SECONDS)
        view = cluster.view(job)
    assert len(view.runs) == chunks
    assert view.finished_at is not None
    took = (view.finished_at - view.created_at).total_seconds()
    share = chunks * ENGINE_SECONDS / workers / took
    name = f"{workers} workers on one recording of {chunks} chunks: efficiency"
    return at_least(name, share, LEAST_FEW if workers <= FEW else LEAST_MANY)


def _simulated(cluster: Cluster, workers: int) -> None:
    """Run one worker whose engines, each in a process of its own, only wait."""
    argv = (*("worker", "-Q", engine_queue("fake"), "-n", "many@bench", "-P", "prefork"),)
    cluster.threaded("many", cluster.engine_app, (*argv, "-c", str(workers)))


def _recording(cluster: Cluster, seconds: float) -> AudioRef:
    path = cluster.folder / "long.wav"
    noise = np.random.default_rng(1).integers(-300, 300, int(seconds * 16_000), np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(noise.tobytes())
    return stage(path, cluster.settings.media_root)


def _submit(cluster: Cluster, audio: AudioRef, engine_seconds: float) -> UUID:
    options = {"fake": {"delay_seconds": engine_seconds, "seconds_per_segment": 3600.0}}
    request = job_request(["fake"], options=options)
    with cluster.database.transaction() as session:
        return accept(session, request, audio, media=cluster.settings.media).job_id
