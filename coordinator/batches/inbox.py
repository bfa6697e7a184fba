"""Watches a folder for recordings that arrive."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from watchfiles import watch

from coordinator.batches.settling import Settling
from coordinator.errors import BadSourceError
from coordinator.sources.shown import shown

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator

    from coordinator.sources.walking import Folders

#: Milliseconds between two looks at what may have settled.
LOOK_MS = 500
#: Seconds between two looks at all files: network folders tell of no changes.
RESCAN_SECONDS = 60.0


class Inbox:
    """A folder whose files are given once each, when they have stopped growing."""

    def __init__(self, folder: Path, folders: Folders, settle_seconds: float) -> None:
        """Look at nothing yet.

        Args:
            folder: the folder.
            folders: which of its files are taken, and whether folders in it are looked through.
            settle_seconds: seconds without a change after which a file counts as whole.

        Raises:
            BadSourceError: it is no folder.
        """
        self._folder, self._folders = folder, folders
        self._real = folder.resolve()
        self._settling = Settling(settle_seconds)
        self._check()

    def ready(self, stop: threading.Event | None = None) -> Iterator[list[str]]:
        """Yield files that are whole, as they become so, until `stop` is set.

        They are given again until `took` or `put_off` was called with them.

        Raises:
            BadSourceError: the folder is gone.
        """
        scanned: float | None = None  # all is looked at once the watch has begun: nothing is missed
        for changes in watch(
            self._folder,
            watch_filter=None,
            stop_event=stop,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
            recursive=self._folders.recursive,
            ignore_permission_denied=True,
        ):
            self._check()
            now = time.monotonic()
            paths = [self._named(path) for _, path in changes]
            # A folder that was moved here does not tell of the files in it.
            folders = any(Path(path).is_dir() for path in paths)
            if scanned is None or folders or now - scanned >= RESCAN_SECONDS:
                scanned, paths = now, list(self._all())
            self._note(paths, now)
            whole = self._settling.settled(now)
            if whole:
                yield whole

    def took(self, paths: list[str]) -> None:
        """Give these no more, unless they change."""
        self._settling.take(paths)

    def put_off(self, paths: list[str]) -> None:
        """Give these again after a while."""
        self._settling.put_off(paths, time.monotonic())

    def _named(self, path: str) -> str:
        """Return a path as below the folder that was named, where the system follows its links."""
        real = Path(path)
        if not real.is_relative_to(self._real):
            return path
        return str(self._folder / real.relative_to(self._real))

    def _note(self, paths: Iterable[str], now: float) -> None:
        for path in paths:
            if self._wants(path):
                self._settling.note(path, now)

    def _wants(self, path: str) -> bool:
        """Return whether a file is one that `submit` would take from the folder."""
        below = Path(path).relative_to(self._folder)
        parts = below.parts
        if any(part.startswith(".") for part in parts) or not self._folders.wants(str(below)):
            return False
        if len(parts) > 1 and not self._folders.recursive:
            return False
        return not any(parent.is_symlink() for parent in Path(path).parents[: len(parts) - 1])

    def _all(self) -> Iterator[str]:
        for base, folders, names in os.walk(self._folder):
            wanted = (name for name in folders if not name.startswith("."))
            folders[:] = wanted if self._folders.recursive else ()
            yield from (os.path.join(base, name) for name in names)  # noqa: PTH118  # many, quickly

    def _check(self) -> None:
        if not self._folder.is_dir():
            message = f"{shown(self._folder)} is no folder, or is gone"
            raise BadSourceError(message)
