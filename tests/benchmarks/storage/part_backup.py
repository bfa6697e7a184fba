"""How long a backup takes to make, to verify, to bring back."""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING

from coordinator.backup.create import create_backup
from coordinator.backup.restore import restore_backup
from coordinator.backup.verify import verify_backup
from schemas.media_store import open_store
from tests.benchmarks.figures import Figure, informs
from tests.benchmarks.storage.installations import fill, installation

if TYPE_CHECKING:
    from pathlib import Path

JOBS, QUICK_JOBS = 100_000, 5_000
#: What each engine heard: as long as a minute's transcript is when it is stored.
HEARD = zlib.compress(" ".join(f"word{n} {n * 7919 % 1000}" for n in range(160)).encode())


def measure(*, quick: bool) -> list[Figure]:
    """Make a backup of many jobs, verify it, restore it into an empty installation."""
    jobs = QUICK_JOBS if quick else JOBS
    with installation() as source, installation() as target:
        fill(source.database, jobs, HEARD)
        folder = source.settings.data_dir.parent / "kept"
        began = time.monotonic()
        manifest = create_backup(source.database, open_store(source.settings), folder, say=_quiet)
        made = time.monotonic()
        verify_backup(folder)
        verified = time.monotonic()
        restored = restore_backup(target.database, target.settings, folder, _quiet)
        ended = time.monotonic()
        size = _size(folder)
    assert restored.rows == manifest.rows
    label = f"{jobs:,} jobs"
    return [
        informs(f"backup of {label}", made - began, "s"),
        informs(f"size of it, {manifest.rows:,} rows", size / 2**20, "MiB"),
        informs("verifying it", verified - made, "s"),
        informs("restoring it, verified once more", ended - verified, "s"),
    ]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _quiet(_text: str) -> None:
    pass
