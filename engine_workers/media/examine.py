"""Finds out what a file on this machine is, as preparing it would."""

from __future__ import annotations

import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine_workers.errors import BadMediaError
from engine_workers.media.sandbox import made_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine_workers.media.child import Report
    from schemas.audio import Prepared
    from schemas.settings import Settings


@contextmanager
def examined(
    source: Path,
    settings: Settings,
    watch: Callable[[Report], None] = lambda _report: None,
    *,
    by_channel: bool = False,
) -> Iterator[tuple[Prepared, Path]]:
    """Give what a recording is, with its canonical file, which goes with the block.

    Args:
        source: a file of this machine; nothing of it is kept.
        settings: what decoding it may cost.
        watch: called about once a second with how far it has come.
        by_channel: whether the canonical file has the channels one after another.

    Raises:
        BadMediaError: it is no file, or no recording that can be decoded.
        StorageError: it cannot be read.
        TimeLimitError: its decoder hung.
        MemoryError: the system killed its decoder.
    """
    _check(source)
    with tempfile.TemporaryDirectory(prefix="chordscribe-") as folder:
        target = Path(folder) / "canonical.flac"
        yield made_apart(source, target, settings, watch, by_channel=by_channel), target


def _check(source: Path) -> None:
    try:
        mode = source.stat().st_mode
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        message = f"it cannot be read: {why}"
        raise BadMediaError(message) from error
    if not stat.S_ISREG(mode):
        message = "it is no regular file: name an audio or video file"
        raise BadMediaError(message)
