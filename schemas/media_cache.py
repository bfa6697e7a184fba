"""Keeps on this machine what was fetched from a bucket, the least recently used leaving first."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds after which an unfinished file counts as left by a process that was killed.
STALE_SECONDS = 86_400.0


class MediaCache:
    """A folder that all processes of a machine share; it grows to so many bytes.

    What is in use stays, so that it can be larger for a while: a file is locked by who reads it.
    """

    def __init__(self, root: Path, most_bytes: int) -> None:
        """Name the folder; nothing is made yet."""
        self.root = root
        self.incoming = root / "incoming"
        self._most_bytes = most_bytes

    def taken(self, key: str, bring: Callable[[Path], None]) -> int:
        """Return a handle on the file of `key`, which stays in place until the handle is closed.

        Args:
            key: its path below the folder.
            bring: called with a path to write the file to, where it is not here. Of the processes
                that want it at the same time one is called.

        Raises:
            OSError: the folder cannot be written.
            Exception: whatever `bring` raises.
        """
        path = self.root / key
        handle = _held(path)
        if handle is not None:
            return handle
        with self._alone(Path(key).parts[0]):
            handle = _held(path)  # another process may have brought it meanwhile
            return self._brought(path, bring) if handle is None else handle

    def keep(self, part: Path, key: str) -> None:
        """Move a finished file here."""
        self.make_room(part.stat().st_size)
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        _used_now(part)
        part.replace(path)

    def make_room(self, wanted: int) -> None:
        """Remove what was not used for longest until `wanted` more bytes fit, if they can."""
        with self._alone("room"):
            self._remove_stale()
            kept = sorted(self._kept())
            total = sum(size for _, size, _ in kept)
            for _, size, path in kept:
                if total + wanted <= self._most_bytes:
                    return
                if _removed(path):
                    total -= size

    def recordings(self) -> set[str]:
        """Return the SHA-256 of each recording of which something is here."""
        return {path.name.partition(".")[0] for _, _, path in self._kept()}

    def drop(self, sha256: str) -> int:
        """Remove what is here of a recording, save what is in use; return how many files went."""
        return sum(_removed(path) for path in self.root.glob(f"{sha256[:2]}/{sha256}*"))

    def _brought(self, path: Path, bring: Callable[[Path], None]) -> int:
        self.incoming.mkdir(parents=True, exist_ok=True)
        part = self.incoming / f"{path.name}.part"  # one of its kind, as we are alone
        try:
            bring(part)
            handle = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_SH)  # of the file, whatever its name is
                os.fsync(handle)
                _used_now(handle)
                path.parent.mkdir(parents=True, exist_ok=True)
                part.replace(path)
            except BaseException:
                os.close(handle)
                raise
        finally:
            part.unlink(missing_ok=True)
        return handle

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / what).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _kept(self) -> Iterator[tuple[int, int, Path]]:
        """Yield each file with the time of its last use, its size."""
        for folder in self.root.glob("[0-9a-f][0-9a-f]"):
            with os.scandir(folder) as entries:
                for entry in entries:
                    facts = entry.stat(follow_symlinks=False)
                    yield facts.st_mtime_ns, facts.st_size, Path(entry.path)

    def _remove_stale(self) -> None:
        before = time.time() - STALE_SECONDS
        for path in self.incoming.glob("*"):
            try:
                if path.stat().st_mtime < before:
                    path.unlink()
            except FileNotFoundError:  # it was finished just now
                continue


def _held(path: Path) -> int | None:
    """Return a handle on a file that nobody removes meanwhile; None where there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    fcntl.flock(handle, fcntl.LOCK_SH)
    if os.fstat(handle).st_nlink:
        _used_now(handle)
        return handle
    os.close(handle)  # it was removed before we had the lock
    return None


def _used_now(file: int | Path) -> None:
    """Note a use to the nanosecond: the kernel's own times of files come in ticks of some ms."""
    now = time.time_ns()
    os.utime(file, ns=(now, now))


def _removed(path: Path) -> bool:
    """Remove a file unless somebody uses it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
