"""The media store: a folder that machines share, or a bucket with a cache before it."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from schemas.errors import MediaStoreError, MissingMediaError
from schemas.media_cache import MediaCache
from schemas.object_stores import object_store

if TYPE_CHECKING:
    from schemas.settings import Settings

#: Seconds between two calls of who waits for a transfer.
LOOK_SECONDS = 1.0
#: Bytes fetched at a time.
BLOCK_BYTES = 4 << 20
#: The name of a staged recording; prepared ones have a suffix.
_STAGED = re.compile(r"[0-9a-f]{64}")

Result = TypeVar("Result")
Alive = Callable[[], None]


def nothing() -> None:
    """Do nothing: what a transfer calls for whoever does not wait for it with a lease in hand."""


class MediaStore(Protocol):
    """Keeps files under the keys of `AudioRef`; each appears whole, or not at all."""

    @property
    def shown(self) -> str:
        """Where it is, for people to read."""

    @property
    def incoming(self) -> Path:
        """A folder of this machine for files that are not finished."""

    def has(self, key: str, size: int | None = None) -> bool:
        """Return whether there is such a file, of that size if one is given.

        Raises:
            MediaStoreError: it cannot be told.
        """

    def size(self, key: str) -> int | None:
        """Return the bytes of a file; None where there is none.

        Raises:
            MediaStoreError: it cannot be told.
        """

    def age(self, key: str) -> float | None:
        """Return the seconds since a file was put there; None where there is none.

        Raises:
            MediaStoreError: it cannot be told.
        """

    def remove(self, key: str) -> None:
        """Remove a file, if there is one, from this machine's cache too.

        Raises:
            OSError: a folder cannot be written.
            MediaStoreError: a bucket cannot be written.
        """

    def put(self, part: Path, key: str, alive: Alive = nothing, *, keep: bool = True) -> None:
        """Move a finished file from `incoming` into the store.

        Args:
            part: the file; it is gone afterwards.
            key: where it is found again.
            alive: called each second; what it raises ends the transfer.
            keep: whether this machine keeps a copy in its cache.

        Raises:
            OSError: a folder cannot be written.
            MediaStoreError: a bucket cannot be written.
        """

    def held(self, key: str, alive: Alive = nothing) -> AbstractContextManager[Path]:
        """Give the path at which this machine can read a file, for as long as the block lasts.

        Raises:
            MissingMediaError: a bucket has no such file; a folder gives its path all the same.
            MediaStoreError: it cannot be read, or is not what was stored.
        """


@dataclass(frozen=True)
class FolderStore:
    """A folder, which other machines may share: files are read where they lie."""

    root: Path

    @property
    def shown(self) -> str:
        """Where it is."""
        return str(self.root)

    @property
    def incoming(self) -> Path:
        """Beside the media: a rename moves a finished file to its place."""
        return self.root / "incoming"

    def has(self, key: str, size: int | None = None) -> bool:
        """Return whether there is such a file."""
        path = self.root / key
        return path.is_file() and size in {None, path.stat().st_size}

    def size(self, key: str) -> int | None:
        """Return its length."""
        path = self.root / key
        return path.stat().st_size if path.is_file() else None

    def age(self, key: str) -> float | None:
        """Return how long ago it was written."""
        path = self.root / key
        return time.time() - path.stat().st_mtime if path.is_file() else None

    def remove(self, key: str) -> None:
        """Remove it."""
        (self.root / key).unlink(missing_ok=True)

    def put(self, part: Path, key: str, alive: Alive = nothing, *, keep: bool = True) -> None:
        """Move `part` to its place; the workers, who may be other users, can read it."""
        del alive, keep
        final = self.root / key
        part.chmod(0o644)
        final.parent.mkdir(exist_ok=True)
        part.replace(final)

    @contextmanager
    def held(self, key: str, alive: Alive = nothing) -> Iterator[Path]:
        """Give where it lies."""
        del alive
        yield self.root / key


@dataclass
class BucketStore:
    """A bucket, or a part of one; what is read comes through this machine's cache."""

    url: str
    cache: MediaCache
    _system: tuple[int, Any] | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """Where it is."""
        return self.url

    @property
    def incoming(self) -> Path:
        """Beside the cache."""
        return self.cache.incoming

    def has(self, key: str, size: int | None = None) -> bool:
        """Return whether there is such a file here, or such an object there."""
        here = self.cache.root / key
        if here.is_file() and size in {None, here.stat().st_size}:
            return True
        return self._is_there(key, size)

    def size(self, key: str) -> int | None:
        """Return the object's length."""
        with self._told("read"):
            try:
                return int(self._files().size(self._remote(key)))
            except FileNotFoundError:
                return None

    def age(self, key: str) -> float | None:
        """Return how long ago the object was written, by the store's clock."""
        with self._told("read"):
            try:
                written = self._files().modified(self._remote(key))
            except FileNotFoundError:
                return None
        return float(time.time() - written.timestamp())

    def remove(self, key: str) -> None:
        """Remove the object, and the copy here."""
        with self._told("written"), suppress(FileNotFoundError):
            self._files().rm_file(self._remote(key))
        (self.cache.root / key).unlink(missing_ok=True)

    def put(self, part: Path, key: str, alive: Alive = nothing, *, keep: bool = True) -> None:
        """Upload `part`, unless the same staged bytes are there."""
        part.chmod(0o644)
        same = _STAGED.fullmatch(_name(key)) and self._is_there(key, part.stat().st_size)
        if not same:
            attended(lambda _stop: self._upload(part, key), alive)
        if keep:
            self.cache.keep(part, key)
        else:
            part.unlink()

    @contextmanager
    def held(self, key: str, alive: Alive = nothing) -> Iterator[Path]:
        """Fetch it unless it is here; it stays as long as the block lasts."""

        def take(stop: threading.Event) -> int:
            with self._told("read"):
                return self.cache.taken(key, lambda part: self._fetch(key, part, stop))

        handle = attended(take, alive)
        try:
            yield self.cache.root / key
        finally:
            os.close(handle)

    def _upload(self, part: Path, key: str) -> None:
        with self._told("written"):
            self._files().put_file(str(part), self._remote(key))

    def _is_there(self, key: str, size: int | None) -> bool:
        there = self.size(key)
        return there is not None and size in {None, there}

    def _fetch(self, key: str, part: Path, stop: threading.Event) -> None:
        """Copy an object to `part`; check its length, for staged bytes their SHA-256 too."""
        files, remote = self._files(), self._remote(key)
        size = files.size(remote)
        self.cache.make_room(size)
        digest, count = hashlib.sha256(), 0
        with files.open(remote, "rb", cache_type="readahead") as source, part.open("wb") as copy:
            while block := source.read(BLOCK_BYTES):
                if stop.is_set():
                    raise MediaStoreError
                digest.update(block)
                count += copy.write(block)
        part.chmod(0o644)
        name = _name(key)
        if count != size or (_STAGED.fullmatch(name) and digest.hexdigest() != name):
            message = f"{self.url}/{key} is not what was stored: {count} bytes came"
            raise MediaStoreError(message)

    def _remote(self, key: str) -> str:
        return f"{self.url.partition('://')[2]}/{key}"

    def _files(self) -> Any:  # noqa: ANN401  # fsspec has no types
        """Return the file system of this process; a parent's does not survive a fork."""
        if self._system is None or self._system[0] != os.getpid():
            scheme = self.url.partition("://")[0]
            try:
                self._system = (os.getpid(), object_store(scheme))
            except ImportError as error:
                message = f"{scheme}:// needs an extra that is not installed: `./run add {scheme}`"
                raise MediaStoreError(message) from error
        return self._system[1]

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what goes wrong at the store into an error that names no key of an account."""
        try:
            yield
        except MediaStoreError:
            raise
        except FileNotFoundError as error:
            message = f"the media store {self.url} does not have it, or does not exist"
            raise MissingMediaError(message) from error
        except PermissionError as error:
            message = f"the media store {self.url} may not be {what} with the keys in use"
            raise MediaStoreError(message) from error
        except Exception as error:  # each store's library has errors of its own
            number = getattr(error, "errno", None)
            why = os.strerror(number) if isinstance(number, int) else type(error).__name__
            message = f"the media store {self.url} cannot be {what}: {why}"
            raise MediaStoreError(message) from error


def open_store(settings: Settings) -> MediaStore:
    """Return the media store of the settings; nothing is asked of it yet."""
    return _opened(
        settings.storage.bucket,
        settings.media_root,
        settings.media_cache,
        settings.storage.cache_bytes,
    )


@lru_cache(maxsize=8)
def _opened(bucket: str | None, folder: Path, cache: Path, cache_bytes: int) -> MediaStore:
    if bucket is None:
        return FolderStore(folder)
    return BucketStore(bucket, MediaCache(cache, cache_bytes))


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def as_store(media: Path | MediaStore) -> MediaStore:
    """Return a folder as a store; a store is one already."""
    return FolderStore(media) if isinstance(media, Path) else media


def attended(work: Callable[[threading.Event], Result], alive: Alive) -> Result:
    """Do slow work in a thread while `alive` is called each second.

    What `alive` raises is raised at once, with the event set that the work looks at.
    """
    stop = threading.Event()
    if alive is nothing:
        return work(stop)
    pool = ThreadPoolExecutor(1, thread_name_prefix="media-store")
    future = pool.submit(work, stop)
    try:
        while not wait([future], LOOK_SECONDS).done:
            alive()
        return future.result()
    finally:
        stop.set()
        pool.shutdown(wait=False)
