"""Machines that share nothing but a bucket's address stage, prepare, hear the same recordings."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import fsspec
import pytest

from coordinator.errors import StagingError
from coordinator.staging import stage
from coordinator.submit import accept, job_request
from engine_workers.errors import StorageError
from engine_workers.forgotten import Forgotten
from engine_workers.media.samples import samples_of
from engine_workers.media.sandbox import known, prepare
from engine_workers.work import Worker
from schemas.audio import AudioRef
from schemas.media_store import BucketStore, open_store
from schemas.memory_tables import Tombstone
from schemas.runs import RunState
from schemas.settings import Settings, load_settings
from tests.integration.engine_rows import add_run
from tests.integration.s3_server import s3_keys, s3_server
from tests.unit.media_files import tone, wav

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from schemas.database import Database

__all__ = ["s3_keys", "s3_server"]
pytestmark = pytest.mark.usefixtures("s3_keys")
URL = "s3://chordscribe-media/prod"


@pytest.fixture
def bucket(s3_keys: None) -> Any:  # noqa: ANN401  # fsspec has no types
    """Return the file system, with the bucket there, versions of its objects kept."""
    system = fsspec.filesystem("s3", skip_instance_cache=True, version_aware=True)
    system.mkdirs("chordscribe-media", exist_ok=True)
    system.call_s3(
        "put_bucket_versioning",
        Bucket="chordscribe-media",
        VersioningConfiguration={"Status": "Enabled"},
    )
    return system


@pytest.fixture
def machine(tmp_path: Path, bucket: object) -> Callable[..., Settings]:
    """Return a function that makes a machine of its own: it knows the address, no more."""

    def made(name: str, **storage: object) -> Settings:
        return load_settings(
            _env_file=None,
            broker_url=None,
            database_url=None,
            data_dir=tmp_path / name,
            storage={"url": URL, **storage},
        )

    return made


def recording(tmp_path: Path, name: str = "talk.wav", seconds: float = 1.0) -> Path:
    path = tmp_path / name
    path.write_bytes(wav(tone(seconds)) + name.encode())
    return path


def cached(settings: Settings) -> set[str]:
    """Return the names of what a machine keeps."""
    folders = settings.media_cache.glob("[0-9a-f][0-9a-f]/*")
    return {path.name for path in folders}


def versions(bucket: Any, key: str) -> int:  # noqa: ANN401  # fsspec has no types
    return len(bucket.object_version_info(f"chordscribe-media/prod/{key}"))


def test_the_same_bytes_are_uploaded_once(
    machine: Callable[..., Settings],
    bucket: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    laptop, other = machine("laptop"), machine("other")
    path = recording(tmp_path)
    first = stage(path, open_store(laptop))
    second = stage(path, open_store(other))
    assert first == second
    assert bucket.cat(f"chordscribe-media/prod/{first.key}") == path.read_bytes()
    assert versions(bucket, first.key) == 1
    left = [one for one in laptop.media_cache.rglob("*") if one.is_file()]
    assert left == [], "who submits keeps nothing"


def test_what_one_machine_prepared_another_hears_without_the_source(
    machine: Callable[..., Settings],
    bucket: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    laptop, first, second = machine("laptop"), machine("first"), machine("second")
    audio = stage(recording(tmp_path), open_store(laptop))
    assert known(audio, open_store(first)) is None
    prepared = prepare(audio, first)
    assert known(audio, open_store(second)) == prepared
    bucket.rm(f"chordscribe-media/prod/{audio.key}")
    samples, _ = samples_of(audio, None, second, lambda: None)
    assert len(samples) == pytest.approx(16_000, abs=100)
    assert cached(second) == {f"{audio.sha256}.flac", f"{audio.sha256}.json"}
    unfinished = [*first.media_cache.glob("incoming/*"), *second.media_cache.glob("incoming/*")]
    assert unfinished == []


def test_an_engine_works_on_a_machine_that_knows_the_address_alone(
    machine: Callable[..., Settings], settings: Settings, database: Database, tmp_path: Path
) -> None:
    audio = stage(recording(tmp_path, seconds=2.0), open_store(machine("laptop")))
    far = settings.model_copy(
        update={"data_dir": tmp_path / "far", "storage": machine("far").storage, "media_dir": None}
    )
    outcome = Worker(far, database).run(add_run(database, audio), "far:1")
    assert outcome.state is RunState.SUCCEEDED


def test_what_was_not_used_for_longest_leaves_first(
    machine: Callable[..., Settings], tmp_path: Path
) -> None:
    laptop = machine("laptop")
    audios = [
        stage(recording(tmp_path, name), open_store(laptop)) for name in ("a.wav", "b.wav", "c.wav")
    ]
    store = open_store(machine("small", cache_bytes=2 * audios[0].size))
    for audio in (audios[0], audios[1], audios[0], audios[2]):
        with store.held(audio.key) as path:
            assert path.stat().st_size == audio.size
    assert cached(machine("small")) == {audios[0].sha256, audios[2].sha256}


def test_what_is_being_read_stays_however_small_the_cache_is(
    machine: Callable[..., Settings], tmp_path: Path
) -> None:
    laptop = machine("laptop")
    first, second, third = (
        stage(recording(tmp_path, name), open_store(laptop)) for name in ("a.wav", "b.wav", "c.wav")
    )
    store = open_store(machine("tiny", cache_bytes=0))
    with store.held(first.key) as path, store.held(second.key) as other:
        assert (path.stat().st_size, other.stat().st_size) == (first.size, second.size)
    with store.held(third.key):
        assert cached(machine("tiny")) == {third.sha256}


def test_processes_that_want_the_same_fetch_it_once(
    machine: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = stage(recording(tmp_path), open_store(machine("laptop")))
    store, fetched = open_store(machine("busy")), []
    real = BucketStore._fetch  # noqa: SLF001

    def counted(self: BucketStore, key: str, part: Path, stop: threading.Event) -> None:
        fetched.append(key)
        real(self, key, part, stop)

    monkeypatch.setattr(BucketStore, "_fetch", counted)
    sizes: list[int] = []

    def want() -> None:
        with store.held(audio.key) as path:
            sizes.append(path.stat().st_size)

    threads = [threading.Thread(target=want) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sizes, fetched) == ([audio.size] * 4, [audio.key])


def test_a_recording_that_was_altered_in_the_bucket_is_not_heard(
    machine: Callable[..., Settings],
    bucket: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    audio = stage(recording(tmp_path), open_store(machine("laptop")))
    bucket.pipe(f"chordscribe-media/prod/{audio.key}", bytes(audio.size))
    with pytest.raises(StorageError, match="not what was stored"):
        prepare(audio, machine("worker"))
    assert cached(machine("worker")) == set()


@pytest.mark.parametrize("url", ["s3://chordscribe-media/prod", "s3://no-such-bucket"])
def test_a_recording_that_is_not_there_is_a_storage_failure(
    machine: Callable[..., Settings], url: str
) -> None:
    audio = AudioRef(sha256="ab" * 32, size=5, name="gone.wav")
    with pytest.raises(StorageError, match="does not have it, or does not exist") as caught:
        prepare(audio, machine("worker", url=url))
    assert "secret" not in str(caught.value)


def test_a_store_that_does_not_answer_is_told_without_keys(
    machine: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StagingError, match="media store s3://chordscribe-media") as caught:
        stage(recording(tmp_path), open_store(machine("lonely")))
    assert "secret" not in str(caught.value)


def test_a_transfer_ends_when_nobody_wants_it_any_more(
    machine: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = stage(recording(tmp_path), open_store(machine("laptop")))
    blocked = threading.Event()

    def never(self: BucketStore, key: str, part: Path, stop: threading.Event) -> None:
        blocked.set()
        stop.wait(60)

    monkeypatch.setattr(BucketStore, "_fetch", never)

    def lost() -> None:
        if blocked.is_set():
            raise TimeoutError

    with pytest.raises(TimeoutError), open_store(machine("worker")).held(audio.key, lost):
        pass


def test_a_machine_drops_its_copies_of_what_was_erased_unless_they_are_in_use(
    machine: Callable[..., Settings], database: Database, tmp_path: Path
) -> None:
    laptop, worker = machine("laptop"), machine("worker")
    audios = [stage(recording(tmp_path, f"{n}.wav"), open_store(laptop)) for n in range(3)]
    for audio in audios:
        prepare(audio, worker)
    with database.transaction() as session:
        for audio in audios[:2]:
            session.add(Tombstone(sha256=audio.sha256, why="forgotten", what=["media"], jobs=1))
    with database.transaction() as session:  # the second was submitted again
        accept(session, job_request(["fake"]), audios[1])
    with open_store(worker).held(audios[0].canonical_key):
        Forgotten(database, worker).look()
        assert f"{audios[0].sha256}.flac" in cached(worker)
    assert Forgotten(database, worker).look() == 1
    assert {name.partition(".")[0] for name in cached(worker)} == {a.sha256 for a in audios[1:]}
