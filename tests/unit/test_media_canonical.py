"""Engines read exactly the part of a prepared recording that is theirs."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.errors import StorageError
from engine_workers.media.canonical import FlacWriter, read
from schemas.audio import Span
from tests.unit.media_files import encoded


class NoLongerWantedError(Exception):
    """What a cancelled job raises."""


@pytest.fixture(scope="module")
def whole() -> np.ndarray:
    """Return a minute of noise."""
    return np.random.default_rng(3).uniform(-0.9, 0.9, 60 * SAMPLE_RATE).astype(np.float32)


@pytest.fixture(scope="module")
def path(whole: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return it as a canonical file, written in odd pieces."""
    made = tmp_path_factory.mktemp("canonical") / "noise.flac"
    writer = FlacWriter(made)
    for start in range(0, len(whole), 999):
        writer.add(whole[start : start + 999])
    writer.close()
    return made


def test_what_is_read_is_what_was_written(path: Path, whole: np.ndarray) -> None:
    found = read(path)
    assert found.dtype == np.float32
    assert len(found) == len(whole)
    assert np.abs(found - whole).max() < 1 / 32_000


@pytest.mark.parametrize(
    ("start", "seconds"), [(0, 1), (0.1, 59.9), (7.77, 0.5), (31.00005, 12), (59.5, 0.5), (58, 9)]
)
def test_a_part_is_exact_to_the_sample(path: Path, start: float, seconds: float) -> None:
    first = round(start * SAMPLE_RATE)
    last = round((start + seconds) * SAMPLE_RATE)
    part = read(path, Span(start=start, seconds=seconds))
    assert np.array_equal(part, read(path)[first:last])


def test_what_is_no_flac_is_a_storage_failure(tmp_path: Path) -> None:
    for name, content in (("text", b"notes" * 99), ("mp3", encoded("mp3", "libmp3lame", 1.0))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StorageError):
            read(tmp_path / name)
    with pytest.raises(StorageError):
        read(tmp_path / "gone")


def test_reading_ends_where_it_is_no_longer_wanted(path: Path) -> None:
    stop = threading.Event()

    def reached() -> None:
        if stop.is_set():
            raise NoLongerWantedError
        stop.set()

    with pytest.raises(NoLongerWantedError):
        read(path, None, reached)
