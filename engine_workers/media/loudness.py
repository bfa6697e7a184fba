"""Measures a recording's loudness as it is decoded."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.error import BlockingIOError as NothingYetError
from av.error import EOFError as EndError
from av.filter import Graph

from engine_workers.engines.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What FFmpeg calls the integrated loudness, in LUFS.
INTEGRATED = "lavfi.r128.I"
#: What it says where nothing is above the gate of ITU-R BS.1770, in LUFS.
NOTHING = -70.0


class Loudness:
    """FFmpeg's meter after EBU R 128."""

    def __init__(self) -> None:
        """Build the meter."""
        self._graph = Graph()
        source = self._graph.add_abuffer(
            sample_rate=SAMPLE_RATE, format="flt", layout="mono", time_base=Fraction(1, SAMPLE_RATE)
        )
        meter = self._graph.add("ebur128", "metadata=1")
        sink = self._graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        self._graph.configure()
        self._at = 0
        self._last: str | None = None

    def add(self, samples: NDArray[np.float32]) -> None:
        """Measure more samples."""
        frame = av.AudioFrame.from_ndarray(samples[None], "flt", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, self._at
        frame.time_base = Fraction(1, SAMPLE_RATE)
        self._at += len(samples)
        self._graph.push(frame)
        while True:
            try:
                measured = self._graph.pull()
            except (NothingYetError, EndError):
                return
            self._last = measured.metadata.get(INTEGRATED, self._last)

    def integrated(self) -> float | None:
        """Return the loudness so far in LUFS; None where nothing is loud enough to count."""
        found = float(self._last) if self._last is not None else NOTHING
        return round(found, 1) if np.isfinite(found) and found > NOTHING else None
