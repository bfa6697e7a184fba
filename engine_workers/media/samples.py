"""Gives an engine the part of a prepared recording that it shall hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.errors import StorageError
from engine_workers.fetch import held
from engine_workers.media.canonical import read
from engine_workers.media.sandbox import known, prepare
from schemas.media_store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from schemas.audio import AudioRef, Span
    from schemas.settings import Settings

#: Seconds that a part may fall short of what was planned.
SHORT_SECONDS = 0.5


def samples_of(
    audio: AudioRef, span: Span | None, settings: Settings, check: Callable[[], None]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return the samples, with what had to be put up with when they were prepared.

    Where the prepared file is missing, because somebody tidied the media store for instance, it
    is made again, in a process of its own as ever.

    Args:
        audio: the staged recording.
        span: which part of it; None: all.
        settings: where the media are, and what preparing may cost.
        check: called now and then; what it raises ends the work.

    Raises:
        BadMediaError: it is no recording that can be decoded.
        StorageError: it cannot be read.
    """
    store = open_store(settings)
    prepared = known(audio, store, check) or prepare(audio, settings, lambda _report: check())
    with held(store, audio.canonical_key, check) as path:
        samples = read(path, span, check)
    wanted = span.seconds if span else prepared.info.seconds
    if len(samples) / SAMPLE_RATE < wanted - SHORT_SECONDS:
        message = (
            f"the prepared recording has {len(samples) / SAMPLE_RATE:.1f} s where "
            f"{wanted:.1f} s should be: remove it, and it is made again"
        )
        raise StorageError(message)
    return samples, prepared.notes if span is None or span.start == 0 else ()
