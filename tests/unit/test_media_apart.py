"""Each channel of a recording can be had by itself: for engines, or as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine_workers.errors import BadMediaError, StorageError
from engine_workers.media.canonical import read
from engine_workers.media.converting import Form, convert
from engine_workers.media.examine import examined
from engine_workers.media.samples import samples_of
from engine_workers.media.sandbox import prepare
from schemas.audio import AudioRef, Channels, Span
from schemas.settings import Settings, load_settings
from tests.integration.engine_rows import stage
from tests.unit.media_files import RATE, tone, wav

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds of the call.
SECONDS = 1.25


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """Return settings with a media store of this test's own."""
    return load_settings(
        _env_file=None, broker_url=None, database_url=None, media_dir=tmp_path / "media"
    )


def call(*levels: float, rate: int = RATE) -> bytes:
    """Return a recording whose channels have the same tone at these levels."""
    mono = np.frombuffer(tone(SECONDS, rate), "<i2")
    together = np.stack([mono * level for level in levels], axis=1).astype("<i2")
    return wav(together.tobytes(), channels=len(levels), rate=rate)


def loudest(samples: np.ndarray) -> float:
    return float(np.abs(samples).max())


def test_engines_hear_one_channel_after_the_other(own: Settings) -> None:
    audio = stage(call(1.0, 0.25), own.media_root).heard(Channels.SPLIT)
    prepared = prepare(audio, own)
    assert prepared.info.channels == 2
    assert prepared.info.seconds == pytest.approx(2 * SECONDS)
    for number, level in enumerate((1.0, 0.25)):
        span = Span(start=number * SECONDS, seconds=SECONDS)
        samples, _ = samples_of(audio, span, own, lambda: None)
        assert len(samples) == SECONDS * RATE
        assert loudest(samples) == pytest.approx(level * 8000 / 32768, rel=0.02)


def test_the_same_recording_mixed_is_another_one(own: Settings) -> None:
    mixed = stage(call(1.0, 0.0), own.media_root)
    apart = mixed.heard(Channels.SPLIT)
    assert prepare(mixed, own).info.seconds == pytest.approx(SECONDS)
    assert prepare(apart, own).info.seconds == pytest.approx(2 * SECONDS)
    assert apart.heard(Channels.SPLIT) == apart
    assert apart.key == mixed.key
    assert apart.canonical_key != mixed.canonical_key
    assert AudioRef.model_validate_json(apart.model_dump_json()) == apart
    assert "split_of" not in mixed.model_dump(mode="json")


def test_a_recording_of_one_channel_is_heard_as_one(own: Settings) -> None:
    prepared = prepare(stage(call(1.0), own.media_root).heard(Channels.SPLIT), own)
    assert prepared.info.channels == 1
    assert prepared.info.seconds == pytest.approx(SECONDS)


def test_more_channels_than_anybody_speaks_in_are_refused(own: Settings) -> None:
    with pytest.raises(BadMediaError, match="9 channels; 8 at most are heard apart"):
        prepare(stage(call(*[1.0] * 9), own.media_root).heard(Channels.SPLIT), own)


@pytest.mark.parametrize("form", list(Form))
def test_a_recording_is_written_as_a_file_for_each_channel(
    own: Settings, tmp_path: Path, form: Form
) -> None:
    source = tmp_path / "call.wav"
    source.write_bytes(call(1.0, 0.25, rate=48_000))
    targets = [tmp_path / "out" / f"call-{number}.{form}" for number in (1, 2)]
    with examined(source, own, by_channel=True) as (_, canonical):
        convert(canonical, targets, form)
    assert sorted((tmp_path / "out").iterdir()) == targets
    for target, level in zip(targets, (1.0, 0.25), strict=True):
        with examined(target, own) as (prepared, again):
            assert (prepared.info.channels, prepared.info.sample_rate) == (1, RATE)
            assert prepared.info.seconds == pytest.approx(SECONDS, abs=0.001)
            assert loudest(read(again)) == pytest.approx(level * 8000 / 32768, rel=0.02)


def test_a_target_that_cannot_be_written_leaves_nothing(own: Settings, tmp_path: Path) -> None:
    source = tmp_path / "call.wav"
    source.write_bytes(call(1.0))
    (tmp_path / "out").write_text("a file where the folder should be")
    with (
        examined(source, own) as (_, canonical),
        pytest.raises(StorageError, match="cannot be written"),
    ):
        convert(canonical, [tmp_path / "out" / "call.flac"], Form.FLAC)


@pytest.mark.parametrize("name", ["gone.wav", "folder", "nul\0.wav"])
def test_what_is_no_file_is_told_before_anything_is_decoded(
    own: Settings, tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(BadMediaError, match=r"cannot be read|no regular file"),
        examined(tmp_path / name, own),
    ):
        pass
