"""The engines' app, with a task that does nothing and, when asked, a decoder that does nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

import engine_workers.hear
import engine_workers.work
from engine_workers.app import app
from engine_workers.engines.fake import Fake
from tests.benchmarks.orchestration import NO_WORK
from tests.chaos.engines import Second

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["app"]


@app.task(name="bench.header", ignore_result=True)
def header() -> None:
    """Do nothing."""


def _silence(*_args: object) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return what a recording of 0.2 s would be read as."""
    return np.zeros(3200, np.float32), ()


# What is heard is kept for others, as of any engine; but every question is the first of its kind.
for _engine in (Fake, Second):
    _engine.info = replace(_engine.info, repeatable=True)
engine_workers.work.find_heard = lambda *_: None

if os.environ.get(NO_WORK):
    engine_workers.hear.samples_of = _silence  # type: ignore[assignment]  # parameters' names
