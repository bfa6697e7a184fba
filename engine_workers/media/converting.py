"""Writes a recording in the form that engines hear, as a file of its user's."""

from __future__ import annotations

import os
import tempfile
import wave
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.errors import StorageError
from engine_workers.media.canonical import FULL_SCALE, FlacWriter, frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Form(StrEnum):
    """The files that can be written: 16 kHz, 16 bits, one channel each."""

    FLAC = "flac"
    WAV = "wav"


class Writer(Protocol):
    """Takes samples between -1 and 1."""

    def add(self, samples: NDArray[np.float32]) -> None:
        """Write more samples."""

    def close(self) -> None:
        """Finish the file."""


class WavWriter:
    """Writes samples as they come."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self._file = wave.open(str(path), "wb")  # noqa: SIM115  # `close` closes it
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(SAMPLE_RATE)

    def add(self, samples: NDArray[np.float32]) -> None:
        """Write more samples between -1 and 1."""
        self._file.writeframes(np.rint(samples * FULL_SCALE).astype("<i2").tobytes())

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


WRITERS: dict[Form, type[FlacWriter | WavWriter]] = {Form.FLAC: FlacWriter, Form.WAV: WavWriter}


def convert(canonical: Path, targets: Sequence[Path], form: Form) -> None:
    """Write a canonical file as new files; with several it is cut into so many equal parts.

    They appear whole, or not at all, in place of what was there.

    Args:
        canonical: what preparing a recording has made.
        targets: one file for each channel that it has one after another.
        form: what is written.

    Raises:
        StorageError: the canonical file cannot be read, or the targets cannot be written.
    """
    total = sum(len(samples) for samples in frames(canonical))
    each = total // len(targets)
    try:
        with ExitStack() as stack:
            parts = [_part(stack, target) for target in targets]
            for number, part in enumerate(parts):
                _write(canonical, part, form, number * each, (number + 1) * each)
            for part, target in zip(parts, targets, strict=True):
                part.chmod(0o644)
                part.replace(target)
    except OSError as error:
        message = f"'{targets[0]}' cannot be written: {error.strerror}"
        raise StorageError(message) from error


def _part(stack: ExitStack, target: Path) -> Path:
    """Return an unfinished file beside its target; it is gone at the end."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=target.suffix)
    os.close(handle)
    part = Path(name)
    stack.callback(part.unlink, missing_ok=True)
    return part


def _write(canonical: Path, part: Path, form: Form, first: int, last: int) -> None:
    """Write the samples from the first to the last, exclusive."""
    writer: Writer = WRITERS[form](part)
    at = 0
    for frame in frames(canonical):
        piece = frame[max(0, first - at) : max(0, last - at)]
        if len(piece):
            writer.add(piece.astype(np.float32) / np.float32(FULL_SCALE))
        at += len(frame)
    writer.close()
