"""A watched folder gives its files as they arrive, each once, also to a watcher that comes anew."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from coordinator.batches.filling import fill, open_batch
from coordinator.batches.inbox import Inbox
from coordinator.batches.wanted import Order
from coordinator.errors import BadSourceError
from coordinator.sources.walking import Folders
from schemas.batch_tables import BatchItem
from schemas.tables import Job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from schemas.database import Database
    from schemas.settings import Settings

SETTLE = 0.3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "inbox"
    found.mkdir()
    (found / "early.wav").write_bytes(b"early")
    return found


@pytest.fixture
def arrivals(folder: Path) -> Iterator[Iterator[str]]:
    """Yield the names of what arrives in the folder, one by one."""
    stop = threading.Event()

    def names() -> Iterator[str]:
        inbox = Inbox(folder, Folders(recursive=True), SETTLE)
        for paths in inbox.ready(stop):
            inbox.took(paths)
            yield from (os.path.relpath(path, folder) for path in paths)

    yield names()
    stop.set()


def test_files_are_given_as_they_arrive_however_they_do(
    folder: Path, arrivals: Iterator[str], tmp_path: Path
) -> None:
    assert next(arrivals) == "early.wav"
    (folder / ".hidden.wav").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x")
    (folder / "written.wav").write_bytes(b"x")
    assert next(arrivals) == "written.wav"
    (tmp_path / "moved.wav").write_bytes(b"x")
    (tmp_path / "moved.wav").rename(folder / "moved.wav")
    assert next(arrivals) == "moved.wav"
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "a.wav").write_bytes(b"x")
    (tmp_path / "day").rename(folder / "day")
    assert next(arrivals) == "day/a.wav"
    (folder / "day" / "b.wav").write_bytes(b"x")
    assert next(arrivals) == "day/b.wav"


def test_a_file_is_not_given_while_it_is_being_written(
    folder: Path, arrivals: Iterator[str]
) -> None:
    assert next(arrivals) == "early.wav"
    enough = threading.Event()

    def write() -> None:
        with (folder / "growing.wav").open("wb", buffering=0) as growing:
            while not enough.wait(SETTLE / 20):
                growing.write(b"x")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        (folder / "other.wav").write_bytes(b"x")
        assert next(arrivals) == "other.wav"
    finally:
        enough.set()
        writer.join()
    assert next(arrivals) == "growing.wav"


def test_a_folder_that_goes_away_is_told(folder: Path) -> None:
    inbox = Inbox(folder, Folders(), SETTLE)
    shutil.rmtree(folder)
    with pytest.raises(BadSourceError, match="is gone"):
        next(inbox.ready())
    with pytest.raises(BadSourceError, match="no folder"):
        Inbox(folder, Folders(), SETTLE)


def submitted(database: Database, settings: Settings, path: Path) -> list[str]:
    """Submit a file as whoever watches its folder does; return the sources of new jobs."""
    with database.transaction() as session:
        batch, _ = open_batch(session, Order(settings, [str(path.parent)]).key, None)
    wanted = Order(settings, [str(path)], engines=["fake"], whole=True).wanted()
    steps = fill(database, settings, batch, wanted, by_bytes=True)
    return [source for step in steps for _, source in step.accepted]


def jobs(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Job)) or 0


def items(database: Database) -> list[UUID]:
    with database.reading() as session:
        return list(session.scalars(select(BatchItem.job_id)))


def test_a_file_that_was_touched_is_not_submitted_again_one_that_was_rewritten_is(
    settings: Settings, database: Database, folder: Path
) -> None:
    path = folder / "[draft] early.wav"
    (folder / "early.wav").rename(path)
    assert submitted(database, settings, path) == [str(path)]
    for at in (1, 2):
        os.utime(path, ns=(at, at))
        assert submitted(database, settings, path) == []
    assert len(items(database)) == 1
    path.write_bytes(b"other")
    assert submitted(database, settings, path) == [str(path)]
    assert (jobs(database), len(items(database))) == (2, 2)
