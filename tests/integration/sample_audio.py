"""The speech that the engines' tests hear."""

from __future__ import annotations

import pytest

from coordinator.errors import BadSourceError
from coordinator.sample import sample_recording
from engine_workers.engines.audio import SAMPLE_RATE, Audio
from engine_workers.media.decode import decode

#: More than the sample lasts, in seconds.
LONGEST_SECONDS = 60.0


def sample_audio(seconds: float = LONGEST_SECONDS) -> Audio:
    """Return the beginning of the sample recording; skip the test where it is not installed."""
    try:
        path = sample_recording()
    except BadSourceError:
        pytest.skip("the sample recording is in the package moonshine-voice")
    return Audio(decode(path, LONGEST_SECONDS).samples[: int(seconds * SAMPLE_RATE)])
