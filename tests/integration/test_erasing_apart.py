"""What is erased of recordings whose channels were heard apart, of those that lie in a bucket."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import fsspec
import pytest
from sqlalchemy import func, select

from coordinator.erasing.forget import find_recording, forget_recording
from coordinator.erasing.media import remove_again
from coordinator.erasing.retention import purge
from coordinator.staging import stage
from schemas.audio import AudioRef, apart_of, keys_of
from schemas.media_store import open_store
from schemas.media_table import Medium
from schemas.memory_tables import Tombstone
from schemas.retention import RetentionRule
from schemas.settings import Settings, load_settings
from tests.integration.ended_jobs import heard_job, recording
from tests.integration.s3_server import s3_keys, s3_server
from tests.unit.media_files import tone, wav

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.database import Database

__all__ = ["s3_keys", "s3_server"]
WEEK = timedelta(days=7)
WORD = "plutonium"


def heard_apart(database: Database, settings: Settings, content: bytes) -> tuple[AudioRef, Path]:
    """Put a recording into the store that was heard channel by channel; return both its names."""
    source = recording(settings, content)
    apart = source.model_copy(update={"sha256": apart_of(source.sha256), "split_of": source.sha256})
    prepared = settings.media_root / apart.canonical_key
    prepared.parent.mkdir(parents=True, exist_ok=True)
    prepared.write_bytes(b"channels of " + content)
    heard_job(database, apart, WORD, age=WEEK)
    return apart, prepared


def rules(settings: Settings, *erase: str) -> Settings:
    """Return settings of which one rule lets traces go after a day."""
    rule = RetentionRule.model_validate({"erase": erase, "after_days": 1})
    kept = settings.retention.model_copy(update={"rules": (rule,)})
    return settings.model_copy(update={"retention": kept})


@pytest.mark.parametrize("named", ["source", "apart"])
def test_a_recording_is_forgotten_with_its_channels_by_either_name(
    database: Database, settings: Settings, named: str
) -> None:
    apart, prepared = heard_apart(database, settings, b"stereo")
    source = str(apart.split_of)
    with database.transaction() as session:
        asked = source if named == "source" else apart.sha256
        assert find_recording(session, asked) == source
    assert forget_recording(database, settings, source).jobs == 1
    assert not prepared.exists()
    assert not any((settings.media_root / key).exists() for key in keys_of(source))
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Medium)) == 0
        dead = set(session.scalars(select(Tombstone.sha256)).all())
    assert dead == {source, apart.sha256}
    prepared.write_bytes(b"a worker was at it")
    with database.reading() as session:
        assert remove_again(session, open_store(settings)).count == 1


def test_a_rule_erases_the_source_with_the_channels(database: Database, settings: Settings) -> None:
    apart, prepared = heard_apart(database, settings, b"stereo")
    source = settings.media_root / keys_of(str(apart.split_of))[0]
    for path in (source, prepared):
        os.utime(path, (0, 0))
    (purged,) = purge(database, rules(settings, "media"))
    assert (purged.jobs, prepared.exists(), source.exists()) == (1, False, False)


def test_a_source_stays_while_a_job_that_heard_it_whole_may_need_it(
    database: Database, settings: Settings
) -> None:
    apart, prepared = heard_apart(database, settings, b"stereo")
    source = recording(settings, b"stereo")
    assert source.sha256 == apart.split_of
    heard_job(database, source, WORD)
    for key in (source.key, source.canonical_key):
        os.utime(settings.media_root / key, (0, 0))
    os.utime(prepared, (0, 0))
    purge(database, rules(settings, "media"))
    assert (settings.media_root / source.key).exists()


@pytest.mark.usefixtures("s3_keys")
def test_a_recording_is_forgotten_in_a_bucket_with_this_machines_copies(
    database: Database, tmp_path: Path
) -> None:
    url = "s3://chordscribe-erased/prod"
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdirs("chordscribe-erased", exist_ok=True)
    settings = load_settings(
        _env_file=None, broker_url=None, database_url=None, data_dir=tmp_path, storage={"url": url}
    )
    store = open_store(settings)
    (tmp_path / "a.wav").write_bytes(wav(tone(0.2)))
    audio = stage(str(tmp_path / "a.wav"), store, settings.sources)
    heard_job_in_bucket = heard_job(database, audio, WORD, age=WEEK)
    assert store.has(audio.key)
    gone = forget_recording(database, settings, audio.sha256)
    assert (gone.jobs, gone.files, heard_job_in_bucket is not None) == (1, 1, True)
    assert not store.has(audio.key)
    assert not [path for path in tmp_path.rglob(f"*{audio.sha256}*") if path.is_file()]
