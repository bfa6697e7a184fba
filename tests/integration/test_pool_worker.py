"""The worker of a pool works however its processes begin, tied to its supervisor."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest
from sqlalchemy import select as query

from coordinator.app import know_queues, make_app
from engine_workers.pool_worker import ALIVE, READY, TIE_VARIABLE
from engine_workers.pools import WorkerOptions
from schemas.names import TASK_TRANSCRIBE, engine_queue
from schemas.node_tables import Footprint
from schemas.runs import RunState
from schemas.tables import Pool
from tests.integration.engine_rows import add_run, row, stage, until
from tests.unit.media_files import tone, wav

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.database import Database
    from schemas.settings import Settings

QUEUE = engine_queue("fake")
#: Seconds that a worker may take to begin, or to end.
PATIENCE_SECONDS = 60.0


@contextmanager
def tied_worker(
    settings: Settings, start_method: str = "fork"
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a worker of the engine `fake`; yield it with our end of its tie."""
    assert settings.broker_url is not None
    assert settings.database_url is not None
    ours, theirs = os.pipe()
    env = {
        **os.environ,
        "CHORDSCRIBE_BROKER_URL": settings.broker_url.get_secret_value(),
        "CHORDSCRIBE_DATABASE_URL": settings.database_url.get_secret_value(),
        "CHORDSCRIBE_MEDIA_DIR": str(settings.media_root),
        "CHORDSCRIBE_WORKER__DEVICE": "cpu",
        "CHORDSCRIBE_WORKER__SHUTDOWN_SECONDS": "1",
        "C_FORCE_ROOT": "1",
        TIE_VARIABLE: str(theirs),
    }
    options = WorkerOptions("engine_workers.app", "tied@here", (QUEUE,), 1, start_method)
    argv = [sys.executable, "-P", "-m", "engine_workers.pool_worker", options.to_json()]
    process = subprocess.Popen(argv, env=env, pass_fds=[theirs], start_new_session=True)
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()


def hears(handle: int, what: bytes) -> None:
    """Read the tie until it says so."""
    heard = b""
    while what not in heard:
        assert select.select([handle], [], [], PATIENCE_SECONDS)[0], heard
        got = os.read(handle, 1024)
        assert got, "the worker is gone"
        heard += got


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_a_pool_hears_recordings_however_its_processes_begin(
    settings: Settings, database: Database, start_method: str
) -> None:
    app = make_app(settings)
    know_queues(app, (QUEUE,))
    message = add_run(database, stage(wav(tone(1.0)), settings.media_root))
    with tied_worker(settings, start_method) as (process, tie):
        hears(tie, READY)
        [child] = psutil.Process(process.pid).children()[-1:]
        assert ("billiard.spawn" in " ".join(child.cmdline())) == (start_method == "spawn")
        kwargs = message.model_dump(mode="json")
        app.send_task(TASK_TRANSCRIBE, (), kwargs, queue=QUEUE)
        until(lambda: row(database, message.run_id).state == RunState.SUCCEEDED)
        os.close(tie)
    heard = row(database, message.run_id)
    assert (heard.device, heard.model) == ("cpu", "")
    with database.transaction() as session:
        [footprint] = session.scalars(query(Footprint))
        assert (footprint.engine, footprint.model, footprint.device) == ("fake", "", "cpu")
        assert footprint.memory > 10 * 2**20
        assert footprint.vram is None
        presence = session.scalars(query(Pool)).one()
        assert (presence.device, presence.free_vram) == ("cpu", None)


def test_a_worker_ends_with_its_supervisor(settings: Settings, database: Database) -> None:
    with tied_worker(settings) as (process, tie):
        hears(tie, READY)
        hears(tie, ALIVE)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        os.close(tie)  # what a supervisor's death does
        process.wait(PATIENCE_SECONDS)
        assert psutil.wait_procs(children, PATIENCE_SECONDS)[1] == []
    with database.transaction() as session:
        assert session.scalars(query(Pool)).all() == [], "it took its presence back"
