"""Every common format becomes the same mono samples at 16,000 hertz, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.errors import BadMediaError, StorageError
from engine_workers.media.decode import decode
from tests.unit.media_files import PITCH, RATE, encoded, silence, tone, wav

#: Seconds that these tests let a recording have.
LONGEST = 60.0


def save(folder: Path, content: bytes) -> Path:
    """Write a file without a suffix, as the media store has them."""
    path = folder / "staged"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("wav", "pcm_s16le"),
        ("wav", "pcm_f32le"),
        ("wav", "pcm_mulaw"),
        ("w64", "pcm_s24le"),
        ("aiff", "pcm_s16be"),
        ("au", "pcm_s16be"),
        ("caf", "pcm_s16be"),
        ("flac", "flac"),
        ("mp3", "libmp3lame"),
        ("ogg", "libopus"),
        ("adts", "aac"),
        ("mp4", "aac"),
        ("webm", "libopus"),
        ("mpegts", "aac"),
        ("avi", "pcm_s16le"),
        ("flv", "aac"),
        ("mpeg", "mp2"),
    ],
)
def test_a_tone_is_heard_in_every_format(tmp_path: Path, container: str, codec: str) -> None:
    rate = 44_100 if container == "flv" else 48_000
    decoded = decode(save(tmp_path, encoded(container, codec, 2.0, rate)), LONGEST)
    samples = decoded.samples
    assert samples.dtype == np.float32
    assert decoded.info.seconds == len(samples) / SAMPLE_RATE == pytest.approx(2.0, abs=0.1)
    assert (decoded.info.channels, decoded.info.sample_rate) == (2, rate)
    assert decoded.notes == ()
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    heard = power.argmax() * SAMPLE_RATE / len(samples)
    assert heard == pytest.approx(PITCH, abs=2)
    assert 0.15 < np.abs(samples).max() < 0.5


def test_a_file_that_breaks_off_is_heard_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = encoded("flac", "flac", 10.0)
    decoded = decode(save(tmp_path, whole[: len(whole) // 2]), LONGEST)
    assert 3.0 < decoded.info.seconds < 7.0
    assert decoded.notes


def test_a_broken_packet_costs_that_packet_alone(tmp_path: Path) -> None:
    broken = bytearray(encoded("adts", "aac", 10.0))
    middle = len(broken) // 2
    broken[middle : middle + 40] = bytes(40)
    decoded = decode(save(tmp_path, bytes(broken)), LONGEST)
    assert decoded.info.seconds > 9.0
    assert "could not be decoded" in " ".join(decoded.notes)


def test_two_recordings_joined_into_one_file_are_both_heard(tmp_path: Path) -> None:
    joined = encoded("mp3", "libmp3lame", 2.0) + encoded("mp3", "libmp3lame", 2.0, 32_000)
    assert decode(save(tmp_path, joined), LONGEST).info.seconds == pytest.approx(4.0, abs=0.2)


def test_a_live_recording_of_unknown_size_is_decoded(tmp_path: Path) -> None:
    decoded = decode(save(tmp_path, wav(tone(2.0), size=0xFFFFFFFF)), LONGEST)
    assert decoded.info.seconds == pytest.approx(2.0)


def test_what_is_too_loud_is_cut_to_full_scale(tmp_path: Path) -> None:
    loud = (np.frombuffer(tone(1.0), "<i2") / 4000).astype("<f4").tobytes()
    samples = decode(save(tmp_path, wav(loud, bits=32, encoding=3)), LONGEST).samples
    assert np.abs(samples).max() == 1.0


def test_a_recording_longer_than_allowed_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, wav(tone(3.0)))
    assert decode(path, 3.5).info.seconds == pytest.approx(3.0)
    with pytest.raises(BadMediaError, match="MAX_AUDIO_SECONDS"):
        decode(path, 2.5)


#: Prints by how many kB decoding lets the peak of memory grow, and how many kB the samples have.
MEASURE = """
import sys
from pathlib import Path
from engine_workers.errors import BadMediaError
from engine_workers.media.decode import decode

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

before, size = peak(), 0
try:
    size = decode(Path(sys.argv[1]), float(sys.argv[2])).samples.nbytes // 1024
except BadMediaError:
    pass
print(peak() - before, size)
"""


def memory(path: Path, longest: float) -> tuple[int, int]:
    """Return the growth of the peak and the size of the samples, in kB; no samples: refused."""
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell a process's peak of memory")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path), str(longest)],
        capture_output=True,
        text=True,
        check=True,
    )
    grown, samples = map(int, done.stdout.split())
    return grown, samples


def test_hours_of_silence_are_refused_without_being_decoded(tmp_path: Path) -> None:
    path = save(tmp_path, silence("flac", "flac", 2 * 3600))
    assert path.stat().st_size < 2 << 20, "a bomb: 450 MB of samples"
    grown, samples = memory(path, 3600)
    assert samples == 0
    assert grown < 30 << 10


def test_memory_is_the_samples_and_little_more(tmp_path: Path) -> None:
    path = save(tmp_path, silence("flac", "flac", 1800))
    grown, samples = memory(path, 3600)
    assert samples == pytest.approx(1800 * SAMPLE_RATE * 4 / 1024, rel=0.001)
    assert grown < 1.25 * samples + (20 << 10)


def test_a_file_that_vanished_is_a_storage_failure(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        decode(tmp_path / "gone", LONGEST)


def test_a_tenth_of_a_second_is_enough(tmp_path: Path) -> None:
    assert decode(save(tmp_path, wav(tone(0.1))), LONGEST).info.seconds == pytest.approx(0.1)
    with pytest.raises(BadMediaError):
        decode(save(tmp_path, wav(tone(0.05))), LONGEST)
    assert RATE == SAMPLE_RATE
