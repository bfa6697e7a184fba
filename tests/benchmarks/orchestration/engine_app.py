"""The engines' app, with a task that does nothing and, when asked, a decoder that does nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

import engine_workers.hear
from engine_workers.app import app
from engine_workers.media.decode import Decoded
from schemas.audio import MediaInfo
from tests.benchmarks.orchestration import NO_WORK

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["app"]


@app.task(name="bench.header", ignore_result=True)
def header() -> None:
    """Do nothing."""


def _silence(_path: Path, _max_seconds: float) -> Decoded:
    """Return what a recording of 0.2 s would be decoded to."""
    info = MediaInfo(seconds=0.2, container="wav", codec="pcm", channels=1, sample_rate=16_000)
    return Decoded(np.zeros(3200, np.float32), info, ())


if os.environ.get(NO_WORK):
    engine_workers.hear.decode = _silence  # type: ignore[assignment]  # parameters' names
