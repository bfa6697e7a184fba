"""A batch is filled once, however often it is asked for; what is refused costs no other."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import func, select

from coordinator.batches import filling
from coordinator.batches.changing import cancel_batch
from coordinator.batches.filling import Step, fill, open_batch
from coordinator.batches.looking import find_batch, list_batches, read_batch
from coordinator.batches.wanted import Order
from coordinator.errors import BadManifestError, BatchNotFoundError
from coordinator.sources.walking import Folders
from schemas.batch_tables import BatchItem
from schemas.jobs import JobState
from schemas.tables import Job

if TYPE_CHECKING:
    from schemas.database import Database
    from schemas.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of twenty recordings, of which two are the same."""
    for number in range(20):
        (tmp_path / f"{number:02}.wav").write_bytes(
            b"RIFF%d" % (number // 2 if number < 2 else number)
        )
    return tmp_path


def order(settings: Settings, *sources: object, **more: object) -> Order:
    return Order(settings, [str(source) for source in sources], engines=("fake",), **more)  # type: ignore[arg-type]


def opened(database: Database, wanted: Order) -> UUID:
    with database.transaction() as session:
        return open_batch(session, wanted.key, wanted.label)[0]


def filled(database: Database, settings: Settings, wanted: Order) -> Step:
    """Fill the order's batch; return what became of it, added up."""
    whole = Step()
    for step in fill(database, settings, opened(database, wanted), wanted.wanted()):
        whole.accepted += step.accepted
        whole.refused += step.refused
        whole.known += step.known
    return whole


def jobs(database: Database) -> int:
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(Job)) or 0


def test_the_same_order_again_submits_what_is_missing_alone(
    database: Database, settings: Settings, folder: Path
) -> None:
    first = filled(database, settings, order(settings, folder))
    assert (len(first.accepted), first.known, first.refused) == (20, 0, [])
    (folder / "new.wav").write_bytes(b"new")
    (folder / "05.wav").write_bytes(b"another content")
    second = filled(database, settings, order(settings, folder))
    assert [Path(source).name for _, source in second.accepted] == ["05.wav", "new.wav"]
    assert second.known == 19
    assert jobs(database) == 22


def test_an_order_that_was_interrupted_goes_on(
    database: Database, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "CHUNK", 3)
    wanted = order(settings, folder)
    steps = fill(database, settings, opened(database, wanted), wanted.wanted())
    for _ in itertools.islice(steps, 2):
        pass
    steps.close()  # type: ignore[attr-defined]  # as Ctrl-C does
    assert jobs(database) == 6
    rest = filled(database, settings, wanted)
    assert (len(rest.accepted), rest.known) == (14, 6)


def test_two_who_fill_the_same_batch_submit_nothing_twice(
    database: Database, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "CHUNK", 4)
    with ThreadPoolExecutor(3) as pool:
        done = list(
            pool.map(lambda _: filled(database, settings, order(settings, folder)), range(3))
        )
    assert sum(len(step.accepted) for step in done) == 20
    assert jobs(database) == 20


def test_another_order_is_another_batch(
    database: Database, settings: Settings, folder: Path
) -> None:
    orders = [
        order(settings, folder),
        order(settings, folder, label="again"),
        order(settings, folder, folders=Folders(recursive=True)),
        order(settings, folder, language="en"),
        order(settings, folder / "00.wav"),
    ]
    assert len({wanted.key for wanted in orders}) == 5
    assert order(settings, f"{folder}/./").key == orders[0].key


def test_what_is_refused_is_told_and_the_others_are_accepted(
    database: Database, settings: Settings, folder: Path
) -> None:
    (folder / "empty.wav").touch()
    sources = (folder, "gone.wav", "http://example.org/a.wav?sig=secret", "lone\ud800.wav")
    done = filled(database, settings, order(settings, *sources))
    assert len(done.accepted) == 20
    assert [reason.rpartition(" ")[0] != "" for _, reason in done.refused] == 4 * [True]
    assert "secret" not in str(done.refused)
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(BatchItem)) == 20


def test_each_row_of_a_manifest_asks_for_itself(
    database: Database, settings: Settings, folder: Path
) -> None:
    rows = [
        {"source": "00.wav", "language": "de", "priority": "high", "labels": {"team": "a"}},
        {"source": "00.wav", "language": "en", "reference": "00.txt"},
        {"source": "02.wav"},
    ]
    manifest = folder / "m.jsonl"
    manifest.write_text("\n".join(json.dumps(row) for row in rows))
    wanted = order(settings, manifest=manifest)
    assert wanted.count() == 3
    assert len(filled(database, settings, wanted).accepted) == 3
    assert filled(database, settings, wanted).known == 3
    with database.transaction() as session:
        found = session.execute(
            select(
                Job.request["language"].astext, Job.priority, BatchItem.labels, BatchItem.reference
            )
            .join(BatchItem, BatchItem.job_id == Job.id)
            .order_by(Job.priority, Job.request["language"].astext)
        ).all()
    assert found[0] == ("de", 1, {"team": "a"}, None)
    assert found[1] == ("en", 2, {}, "00.txt")


def test_a_manifest_with_one_wrong_row_submits_nothing(settings: Settings, folder: Path) -> None:
    (folder / "m.csv").write_text("source,deadline\n00.wav,2h\n02.wav,yesterday\n")
    with pytest.raises(BadManifestError, match=r"02\.wav.*no deadline"):
        order(settings, manifest=folder / "m.csv").count()


def test_a_batch_is_counted_found_and_cancelled(
    database: Database, settings: Settings, folder: Path
) -> None:
    wanted = order(settings, folder, label="calls")
    filled(database, settings, wanted)
    batch = opened(database, wanted)
    with database.transaction() as session:
        assert find_batch(session, "calls") == find_batch(session, str(batch)[:8]) == batch
        view = read_batch(session, batch)
        assert [found.id for found in list_batches(session)] == [batch]
        with pytest.raises(BatchNotFoundError):
            find_batch(session, "unknown")
    assert (view.total, view.ended, view.counts[JobState.QUEUED]) == (20, 0, 20)
    assert cancel_batch(database, batch) == 20
    assert cancel_batch(database, batch) == 0
    with database.transaction() as session:
        view = read_batch(session, batch)
    assert (view.ended, view.counts[JobState.CANCELLED]) == (20, 20)
