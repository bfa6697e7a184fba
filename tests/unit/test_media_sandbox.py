"""A recording is opened by a process of its own, whose end, however it comes, is a typed error."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from engine_workers.errors import BadMediaError, StorageError
from engine_workers.media.canonical import read
from engine_workers.media.making import NO_SPEECH
from engine_workers.media.sandbox import known, prepare
from schemas.audio import AudioRef
from schemas.settings import MediaSettings, Settings, WorkerSettings, load_settings
from tests.integration.engine_rows import stage, until
from tests.unit.media_files import encoded, many_streams, silence, tone, video, wav
from tests.unit.test_media_hostile import REFUSED

if TYPE_CHECKING:
    from engine_workers.media.child import Report

#: Of the silence.
HOURS = 3


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """Return settings with a media store of this test's own."""
    return load_settings(
        _env_file=None, broker_url=None, database_url=None, media_dir=tmp_path / "media"
    )


@pytest.fixture(scope="module")
def hours() -> bytes:
    """Return hours of silence: what takes long enough to be caught at work."""
    return silence("flac", "flac", HOURS * 3600)


def left_over(own: Settings) -> list[Path]:
    """Return the unfinished files."""
    return list((own.media_root / "incoming").glob("*"))


def test_it_leaves_one_file_for_all_engines_with_what_was_found_out(own: Settings) -> None:
    audio = stage(encoded("mp3", "libmp3lame", 3.0), own.media_root)
    prepared = prepare(audio, own)
    assert prepared.info.container == "mp3"
    assert prepared.info.seconds == pytest.approx(3.0, abs=0.1)
    assert prepared.notes == (NO_SPEECH,)
    assert prepared.loudness is not None
    target = own.media_root / audio.canonical_key
    assert len(read(target)) == round(prepared.info.seconds * 16_000)
    assert known(audio, own.media_root) == prepared
    assert left_over(own) == []
    target.unlink()
    assert known(audio, own.media_root) is None


@pytest.mark.parametrize(
    "name",
    ["ffconcat", "m3u8", "m3u8 of http", "1 Hz", "no channels", "255 channels", "not a number"],
)
def test_bad_input_keeps_its_reason(own: Settings, name: str, tmp_path: Path) -> None:
    neighbour = tmp_path / "neighbour.wav"
    neighbour.write_bytes(wav(tone(2.0)))
    content = REFUSED[name].replace(b"NEIGHBOUR", str(neighbour).encode())
    with pytest.raises(BadMediaError) as caught:
        prepare(stage(content, own.media_root), own)
    assert 10 < len(str(caught.value)) < 200
    assert str(tmp_path) not in str(caught.value)
    assert left_over(own) == []


def test_a_film_without_sound_says_so(own: Settings) -> None:
    with pytest.raises(BadMediaError, match="no sound in it that can be decoded, only video"):
        prepare(stage(video(), own.media_root), own)


def test_one_of_forty_audio_streams_is_heard(own: Settings) -> None:
    prepared = prepare(stage(many_streams(40), own.media_root), own)
    assert prepared.info.seconds == pytest.approx(1.0)


@pytest.mark.parametrize("part", [1, 13, 40, 63])
def test_a_recording_cut_short_is_heard_or_refused(own: Settings, part: int) -> None:
    whole = encoded("flac", "flac", 4.0)
    audio = stage(whole[: len(whole) * part // 64], own.media_root)
    try:
        prepared = prepare(audio, own)
    except BadMediaError:
        assert part < 13
    else:
        assert 0.1 <= prepared.info.seconds < 4.0
        assert len(prepared.notes) >= 2, "the end that is missing is told"


def test_hours_of_silence_are_refused_unless_they_are_allowed(own: Settings, hours: bytes) -> None:
    strict = own.model_copy(update={"worker": WorkerSettings(max_audio_seconds=7200.0)})
    with pytest.raises(BadMediaError, match="MAX_AUDIO_SECONDS"):
        prepare(stage(hours, own.media_root), strict)
    assert left_over(own) == []


def test_what_takes_too_much_of_the_processor_is_ended(own: Settings, hours: bytes) -> None:
    strict = MediaSettings(base_seconds=1.0, per_audio_second=1e-6)
    audio = stage(hours, own.media_root)
    with pytest.raises(BadMediaError, match="more of the processor"):
        prepare(audio, own.model_copy(update={"media": strict}))
    assert left_over(own) == []


@pytest.mark.parametrize(
    ("sent", "error", "said"),
    [
        (signal.SIGSEGV, BadMediaError, "SIGSEGV"),
        (signal.SIGKILL, MemoryError, "killed"),
    ],
)
def test_a_decoder_that_dies_is_a_typed_failure(
    own: Settings, hours: bytes, sent: signal.Signals, error: type[Exception], said: str
) -> None:
    audio = stage(hours, own.media_root)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(prepare, audio, own)
        until(lambda: bool(left_over(own)))
        for child in children(os.getpid()):
            child.send_signal(sent)
        with pytest.raises(error, match=said):
            ended.result(60)
    assert left_over(own) == []


def children(pid: int) -> list[psutil.Process]:
    """Return the decoding processes below a process."""
    found = psutil.Process(pid).children(recursive=True)
    return [one for one in found if "engine_workers.media.child" in one.cmdline()]


#: Prepares what it is told to, in a process that a test can kill.
PREPARE = """
import sys
from pathlib import Path
from engine_workers.media.sandbox import prepare
from schemas.audio import AudioRef
from schemas.settings import load_settings
settings = load_settings(_env_file=None, media_dir=Path(sys.argv[1]))
prepare(AudioRef.model_validate_json(sys.argv[2]), settings)
"""


def test_it_ends_with_the_worker_that_wanted_it(own: Settings, hours: bytes) -> None:
    audio = stage(hours, own.media_root)
    command = [sys.executable, "-c", PREPARE, str(own.media_root), audio.model_dump_json()]
    with subprocess.Popen(command) as worker:
        until(lambda: bool(left_over(own)))
        (child,) = children(worker.pid)
        worker.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert left_over(own) == []


#: Imports a library that reports to its maker, as several engines do.
IMPORT = "import engine_workers, onnxruntime as o; o.get_available_providers()"


def test_onnxruntime_tells_nobody_anything(tmp_path: Path) -> None:
    if not find_spec("onnxruntime"):
        pytest.skip("onnxruntime is not installed")
    env = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    env["TMPDIR"] = str(tmp_path)
    subprocess.run([sys.executable, "-c", IMPORT], env=env, check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_later_attempt_removes_what_an_earlier_one_left(own: Settings) -> None:
    audio = stage(wav(tone(1.0)), own.media_root)
    folder = own.media_root / "incoming"
    folder.mkdir()
    for tag in ("a1", "a2"):
        (folder / f"{audio.sha256}.{tag}.flac").touch()
    prepare(audio, own, tag="a3")
    assert left_over(own) == []


def test_whoever_watches_can_end_it(own: Settings, hours: bytes) -> None:
    audio = stage(hours, own.media_root)
    seen: list[Report] = []

    def watch(report: Report) -> None:
        seen.append(report)
        if report.done_seconds > 0:
            raise TimeoutError

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        prepare(audio, own, watch)
    assert time.monotonic() - began < 20
    assert seen[-1].seconds == pytest.approx(HOURS * 3600, rel=0.01)
    assert children(os.getpid()) == []
    assert left_over(own) == []


def test_a_source_that_was_deleted_or_has_grown_is_a_storage_failure(own: Settings) -> None:
    content = wav(tone(1.0))
    audio = stage(content, own.media_root)
    (own.media_root / audio.key).write_bytes(content + b"more")
    with pytest.raises(StorageError, match="was staged with"):
        prepare(audio, own)
    (own.media_root / audio.key).unlink()
    with pytest.raises(StorageError, match="media store has no"):
        prepare(audio, own)


def test_a_media_store_that_cannot_be_written_is_a_storage_failure(own: Settings) -> None:
    audio = AudioRef(sha256=hashlib.sha256(b"x").hexdigest(), size=1, name="x")
    (own.media_root / audio.key).parent.mkdir(parents=True)
    (own.media_root / audio.key).write_bytes(b"x")
    (own.media_root / "incoming").touch()  # a file where the folder should be
    with pytest.raises(StorageError, match="cannot be written"):
        prepare(audio, own)


def test_the_longest_recording_is_a_setting(own: Settings) -> None:
    short = own.model_copy(update={"worker": WorkerSettings(max_audio_seconds=1.5)})
    with pytest.raises(BadMediaError, match=r"longer than 1\.5 s"):
        prepare(stage(wav(tone(2.0)), own.media_root), short)
