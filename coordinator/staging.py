"""Copies a user's recording into the media store under the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import BadSourceError, StagingError
from coordinator.sources import local
from coordinator.sources.reference import Reference, read_reference
from schemas.audio import AudioRef
from schemas.settings import SourceSettings

if TYPE_CHECKING:
    from typing import BinaryIO

#: What is read where nothing is configured.
RULES = SourceSettings()


def stage(
    source: str | os.PathLike[str], media_root: Path, rules: SourceSettings = RULES
) -> AudioRef:
    """Copy the recording that `source` names into the media store, unless its bytes are there.

    The copy is written aside, flushed to disk, then renamed: a reader never sees half a file.

    Args:
        source: a path, or an address.
        media_root: the media store.
        rules: which addresses may be read.

    Raises:
        BadSourceError: `source` names nothing that can and may be read, it is empty, or it
            changed meanwhile.
        StagingError: the media store cannot be written.
    """
    reference = read_reference(source, rules)
    with _opened(reference, rules) as blocks:
        try:
            return _store(_capped(blocks, reference, rules), reference, media_root)
        except OSError as error:
            message = f"cannot write to the media store {media_root}: {error.strerror}"
            raise StagingError(message) from error


def _opened(reference: Reference, rules: SourceSettings) -> AbstractContextManager[Iterator[bytes]]:
    if reference.local:
        return local.opened(reference, rules)
    if reference.scheme == "https":
        from coordinator.sources import web  # noqa: PLC0415  # seldom needed, long to import

        return web.opened(reference, rules)
    from coordinator.sources import clouds  # noqa: PLC0415  # likewise

    return clouds.opened(reference, rules)


def _capped(
    blocks: Iterator[bytes], reference: Reference, rules: SourceSettings
) -> Iterator[bytes]:
    """Give the blocks on; end where there are none, or too many from elsewhere."""
    size = 0
    for block in blocks:
        size += len(block)
        if size > rules.max_bytes and not reference.local:
            message = (
                f"{reference.shown} is larger than {rules.max_bytes:,} bytes, "
                "the most that is fetched (security.sources.max_bytes)"
            )
            raise BadSourceError(message)
        yield block
    if size == 0:
        message = f"{reference.shown} is empty: there is nothing to transcribe"
        raise BadSourceError(message)


def _store(blocks: Iterator[bytes], reference: Reference, media_root: Path) -> AudioRef:
    first = next(blocks)  # an empty recording leaves no trace
    incoming = media_root / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=incoming)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as copy:
            digest = hashlib.sha256()
            size = _write(first, copy, digest)
            for block in blocks:
                size += _write(block, copy, digest)
            copy.flush()
            os.fsync(copy.fileno())
        ref = AudioRef(sha256=digest.hexdigest(), size=size, name=reference.name)
        _keep(part, media_root / ref.key)
    finally:
        part.unlink(missing_ok=True)
    return ref


def _write(block: bytes, copy: BinaryIO, digest: hashlib._Hash) -> int:
    digest.update(block)
    return copy.write(block)


def _keep(part: Path, final: Path) -> None:
    """Move `part` to its place; the workers, who may be other users, can read it."""
    part.chmod(0o644)
    final.parent.mkdir(exist_ok=True)
    part.replace(final)
