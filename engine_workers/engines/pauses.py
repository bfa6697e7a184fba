"""Cuts a recording into windows at its quietest moments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from engine_workers.engines.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Samples in one step of the loudness curve: ten milliseconds.
STEP_SAMPLES = SAMPLE_RATE // 100
#: Seconds over which the loudness is averaged: shorter gaps lie inside words.
PAUSE_SECONDS = 0.5


def windows(
    samples: NDArray[np.float32], shortest: float, longest: float
) -> Iterator[tuple[int, int]]:
    """Yield the first sample of each window and the one after its last; together they are all.

    Each cut lies in the middle of the quietest half second between `shortest` and `longest`
    seconds after the one before; the last window may be shorter.
    """
    first, total = 0, len(samples)
    near, far = int(shortest * SAMPLE_RATE), int(longest * SAMPLE_RATE)
    while total - first > far:
        cut = first + near + _quietest(samples[first + near : first + far])
        yield first, cut
        first = cut
    if total > first:
        yield first, total


def _quietest(samples: NDArray[np.float32]) -> int:
    """Return the sample in the middle of the quietest half second."""
    steps = len(samples) // STEP_SAMPLES
    power = np.square(samples[: steps * STEP_SAMPLES]).reshape(steps, STEP_SAMPLES).mean(axis=1)
    width = min(steps, int(PAUSE_SECONDS * 100))
    smooth = np.convolve(power, np.ones(width), "valid")
    return (int(smooth.argmin()) + width // 2) * STEP_SAMPLES
