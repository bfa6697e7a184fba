"""An installation is kept elsewhere, brought back, moved to servers: whole or not at all."""

from __future__ import annotations

import gzip
import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from coordinator.backup.create import create_backup
from coordinator.backup.files import created, write_compressed, write_manifest
from coordinator.backup.move import check_broker, move, new_settings
from coordinator.backup.restore import restore_backup
from coordinator.backup.tables import DERIVED, REVISION_TABLE, tables_of
from coordinator.backup.verify import verify_backup
from coordinator.client import Client
from coordinator.errors import BackupError, MovedError, MoveError, RestoreError
from coordinator.history import history_filter, read_page
from coordinator.ledger import read_events, read_job, read_report
from coordinator.submit import accept, job_request
from schemas.backup import Manifest, TableFile
from schemas.database import Database, record_event
from schemas.errors import SchemaVersionError
from schemas.media_store import open_store
from schemas.media_table import Medium
from schemas.tables import Batch, Job
from tests.conftest import own_settings
from tests.integration.ended_jobs import heard_job, recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemas.settings import Settings
    from tests.conftest import Servers

WORDS = "it was the best of times"


def quiet(_text: str) -> None:
    """Say nothing."""


@pytest.fixture
def other(servers: Servers, settings: Settings, reachable_tmp: Path) -> Iterator[Settings]:
    """Return the settings of another, empty installation."""
    name = "other_installation"
    servers.execute(f"CREATE DATABASE {name} TEMPLATE chordscribe")
    yield servers.settings(name, data_dir=reachable_tmp, media_dir=reachable_tmp / "other")
    servers.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def jobs(database: Database, settings: Settings) -> tuple[UUID, UUID]:
    """Return a job that has ended and one that waits."""
    ended = heard_job(database, recording(settings, b"one"), WORDS, engines=["fake", "slow"])
    with database.transaction() as session:
        two = recording(settings, b"two")
        waits = accept(session, job_request(["fake"]), two, media=settings.media).job_id
    return ended, waits


@pytest.fixture
def kept(database: Database, settings: Settings, jobs: tuple[UUID, UUID], tmp_path: Path) -> Path:
    """Return a backup of both."""
    create_backup(database, open_store(settings), tmp_path / "kept", say=quiet)
    return tmp_path / "kept"


def contents(settings: Settings) -> dict[str, list[str]]:
    """Return every row of a ledger, by table."""
    database = Database(settings)
    try:
        with database.connected() as connection:
            names = [table.name for table in tables_of(connection)] + sorted(DERIVED)
            return {
                name: sorted(
                    row[0]
                    for row in connection.execute(
                        f"SELECT row_to_json(t)::text FROM {name} AS t".encode()  # noqa: S608
                    )
                )
                for name in names
            }
    finally:
        database.dispose()


def media(settings: Settings) -> dict[str, bytes]:
    """Return every file of a media store."""
    root = settings.media_root
    return {str(path.relative_to(root)): path.read_bytes() for path in root.glob("??/*")}


def test_a_restored_installation_is_the_same_to_the_last_row(
    database: Database, settings: Settings, other: Settings, jobs: tuple[UUID, UUID], tmp_path: Path
) -> None:
    made = create_backup(database, open_store(settings), tmp_path / "kept", say=quiet)
    assert verify_backup(tmp_path / "kept") == made
    target = Database(other)
    restored = restore_backup(target, other, tmp_path / "kept", quiet)
    assert (restored.rows, restored.media_files, restored.missing) == (made.rows, 4, 0)
    assert contents(other) == contents(settings)
    assert media(other) == media(settings)
    with target.transaction() as session:
        assert read_page(session, history_filter(text="best")).entries[0].id == jobs[0]
        record_event(session, jobs[0], "something")  # its number is a new one
        session.flush()
        assert read_events(session, jobs[0])[-1].kind == "something"
        assert read_report(session, jobs[0]) is not None
    target.dispose()


def test_a_backup_has_every_table_of_the_ledger(database: Database) -> None:
    with database.connected() as connection:
        found = {table.name for table in tables_of(connection)}
    assert found | DERIVED == set(Medium.metadata.tables)
    assert REVISION_TABLE not in found


def test_a_backup_is_of_one_moment_while_others_write(
    database: Database, settings: Settings, jobs: tuple[UUID, UUID], tmp_path: Path
) -> None:
    told = threading.Event()

    def write_meanwhile(what: str) -> None:
        if "table" in what and not told.is_set():
            told.set()
            heard_job(database, recording(settings, b"three"), WORDS)

    made = create_backup(database, open_store(settings), tmp_path / "kept", say=write_meanwhile)
    rows = {table.name: table.rows for table in made.tables}
    assert told.is_set()
    assert (rows["jobs"], rows["engine_runs"], rows["reports"]) == (2, 3, 1)


def test_work_that_had_not_ended_goes_on_after_the_restore(
    database: Database, settings: Settings, other: Settings, jobs: tuple[UUID, UUID], tmp_path: Path
) -> None:
    create_backup(database, open_store(settings), tmp_path / "kept", say=quiet)
    target = Database(other)
    restore_backup(target, other, tmp_path / "kept", quiet)
    with target.transaction() as session:
        view = read_job(session, jobs[1])
        assert (view.state, view.preparation is not None) == ("queued", True)
        assert session.get_one(Medium, view.audio.sha256).due_at is not None
    target.dispose()


def test_without_media_the_recordings_are_listed_and_missed(
    database: Database, settings: Settings, other: Settings, jobs: tuple[UUID, UUID], tmp_path: Path
) -> None:
    made = create_backup(database, open_store(settings), tmp_path / "kept", media=False, say=quiet)
    assert (made.media_files, made.with_media) == (4, False)
    assert not (tmp_path / "kept" / "media").exists()
    target = Database(other)
    assert restore_backup(target, other, tmp_path / "kept", quiet).missing == 2
    with target.transaction() as session:  # nobody takes it for prepared
        states = session.scalars(select(Medium.state)).all()
    assert list(states) == ["queued"]
    target.dispose()


def test_nothing_is_restored_over_somebodys_jobs(
    database: Database, settings: Settings, jobs: tuple[UUID, UUID], tmp_path: Path
) -> None:
    create_backup(database, open_store(settings), tmp_path / "kept", say=quiet)
    before = contents(settings)
    with pytest.raises(RestoreError, match="not empty"):
        restore_backup(database, settings, tmp_path / "kept", quiet)
    assert contents(settings) == before


def spoil(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "pattern", ["ledger/jobs.copy.gz", "media.jsonl", "media/*/*", "manifest.json"]
)
@pytest.mark.parametrize("how", ["changed", "removed"])
def test_a_damaged_backup_is_not_restored(
    kept: Path, other: Settings, pattern: str, how: str
) -> None:
    path = next(kept.glob(pattern))
    if how == "changed":
        spoil(path)
    else:
        path.unlink()
    with pytest.raises(BackupError, match=path.name.removesuffix(".gz")):
        verify_backup(kept)
    target = Database(other)
    with pytest.raises(BackupError):
        restore_backup(target, other, kept, quiet)
    target.dispose()
    assert contents(other)["jobs"] == []


def test_a_backup_that_cannot_be_written_leaves_nothing(
    database: Database, settings: Settings, jobs: tuple[UUID, UUID], tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(BackupError, match="exists already"):
        create_backup(database, open_store(settings), tmp_path / "there", say=quiet)

    def fail(what: str) -> None:
        if what == "the recordings":
            raise OSError(28, "No space left on device")

    with pytest.raises(BackupError, match="No space left"):
        create_backup(database, open_store(settings), tmp_path / "kept", say=fail)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_backup_is_its_owners_alone(
    database: Database, settings: Settings, jobs: tuple[UUID, UUID], tmp_path: Path
) -> None:
    create_backup(database, open_store(settings), tmp_path / "kept", say=quiet)
    open_to_others = [
        path
        for path in (tmp_path / "kept").rglob("*")
        if path.is_file() and path.stat().st_mode & 0o077
    ]
    assert open_to_others == []
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0


def handmade(folder: Path, revision: str, columns: tuple[str, ...], rows: bytes) -> None:
    """Write a backup of one batch, with the schema `revision`."""
    folder.mkdir()
    written = write_compressed(folder / "ledger" / "batches.copy.gz", [rows])
    with created(folder / "media.jsonl") as listed:
        pass
    table = TableFile(
        name="batches", columns=columns, rows=1, bytes=written.bytes, sha256=written.sha256
    )
    manifest = Manifest(
        made_at=datetime.now(UTC),
        revision=revision,
        tables=(table,),
        with_media=True,
        media_files=0,
        media_bytes=0,
        media_sha256=listed.sha256,
    )
    write_manifest(folder, manifest)


def test_a_backup_of_an_older_schema_is_brought_to_this_one(
    other: Settings, tmp_path: Path
) -> None:
    row = f"{UUID(int=7)}\t2026-11-24 10:00:00+00\told\n".encode()
    handmade(tmp_path / "kept", "0001", ("id", "created_at", "label"), row)
    target = Database(other)
    restore_backup(target, other, tmp_path / "kept", quiet)
    target.check_schema()
    with target.transaction() as session:
        assert session.get_one(Batch, UUID(int=7)).label == "old"
    target.dispose()


def test_a_backup_of_a_newer_program_is_refused(other: Settings, tmp_path: Path) -> None:
    handmade(tmp_path / "kept", "9999", ("id",), b"")
    target = Database(other)
    with pytest.raises(SchemaVersionError, match="update Chordscribe"):
        restore_backup(target, other, tmp_path / "kept", quiet)
    target.dispose()


def test_a_row_that_does_not_fit_changes_nothing_and_is_not_told(
    other: Settings, tmp_path: Path
) -> None:
    with Database(other).connected() as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert row
    handmade(tmp_path / "kept", row[0], ("id", "created_at", "label"), b"secret words\tx\ty\n")
    target = Database(other)
    with pytest.raises(RestoreError) as caught:
        restore_backup(target, other, tmp_path / "kept", quiet)
    assert "secret" not in str(caught.value).partition(":")[0]
    assert "words\tx" not in str(caught.value)
    target.dispose()
    assert contents(other)["batches"] == []


def moved(source: Settings, target: Settings) -> dict[str, Any]:
    """Move an installation as the command does; return its answer."""
    with Client(source, work=False) as client:
        return move(client, target, quiet).model_dump()


def test_an_embedded_installation_moves_to_servers(copied_data_dir: Path, other: Settings) -> None:
    source = own_settings(copied_data_dir)
    with Client(source, work=False) as client:
        job = heard_job(client.database, recording(client.settings, b"one"), WORDS)
    assert other.database_url
    assert other.broker_url
    target = new_settings(
        source,
        other.database_url.get_secret_value(),
        other.broker_url.get_secret_value(),
        f"file://{other.media_root}",
    )
    answer = moved(source, target)
    assert (answer["media_files"], answer["missing"]) == (2, 0)
    database = Database(other)
    with database.transaction() as session:
        report = read_report(session, job)
        assert report is not None
        assert report.merged.text == WORDS
    database.dispose()
    assert media(other) == media(source)
    with pytest.raises(MovedError, match="moved to"), Client(source, work=False):
        pass


def test_a_move_that_fails_leaves_everything_as_it_was(
    copied_data_dir: Path, other: Settings, database: Database, settings: Settings
) -> None:
    heard_job(database, recording(settings, b"one"), WORDS)  # in what should be empty
    source = own_settings(copied_data_dir)
    target = settings.model_copy(update={"data_dir": source.data_dir})
    with pytest.raises(RestoreError, match="not empty"):
        moved(source, target)
    with Client(source, work=False) as client:
        assert client.list() == ()


def test_a_move_of_an_installation_that_others_use_is_refused(
    copied_data_dir: Path, other: Settings
) -> None:
    source = own_settings(copied_data_dir)
    with Client(source, work=False), pytest.raises(MoveError, match="others are using"):
        moved(source, other)


@pytest.mark.parametrize(
    "storage", ["s3://bucket", "file://host/share", "relative/folder", "https://host/x"]
)
def test_a_storage_that_is_no_shared_folder_is_refused(copied_data_dir: Path, storage: str) -> None:
    with pytest.raises(MoveError):
        new_settings(own_settings(copied_data_dir), "postgresql://h/d", "redis://h", storage)


def test_a_move_from_servers_is_refused(settings: Settings) -> None:
    with pytest.raises(MoveError, match="server already"):
        new_settings(settings, "postgresql://h/d", "redis://h", None)


def test_a_broker_that_does_not_answer_is_told_without_its_password(settings: Settings) -> None:
    closed = SecretStr("redis://:hunter2@127.0.0.1:1/0")
    with pytest.raises(MoveError) as caught:
        check_broker(settings.model_copy(update={"broker_url": closed}))
    assert "hunter2" not in str(caught.value)


def test_tables_are_plain_copies_that_other_programs_can_read(
    database: Database, settings: Settings, jobs: tuple[UUID, UUID], tmp_path: Path
) -> None:
    create_backup(database, open_store(settings), tmp_path / "kept", say=quiet)
    manifest = json.loads((tmp_path / "kept" / "manifest.json").read_text())
    (table,) = [table for table in manifest["tables"] if table["name"] == "jobs"]
    with gzip.open(tmp_path / "kept" / "ledger" / "jobs.copy.gz", "rt") as lines:
        rows = [
            dict(zip(table["columns"], line.rstrip("\n").split("\t"), strict=True))
            for line in lines
        ]
    with database.transaction() as session:
        assert {row["id"] for row in rows} == {str(job) for job in session.scalars(select(Job.id))}
        assert session.scalar(text("SELECT count(*) FROM jobs")) == len(rows)
