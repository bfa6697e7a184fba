"""Streams recordings from object stores: S3, Google Cloud Storage, Azure."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import fsspec

from coordinator.errors import BadSourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.sources.reference import Reference
    from schemas.settings import SourceSettings

#: Bytes fetched at a time.
BLOCK_BYTES = 1 << 20
#: Libraries whose debugging logs would hold keys and signed addresses.
TALKATIVE = ("adlfs", "aiobotocore", "azure", "botocore", "fsspec", "gcsfs", "s3fs")
for _name in TALKATIVE:
    logging.getLogger(_name).setLevel(logging.WARNING)


def file_system(scheme: str) -> Any:  # noqa: ANN401  # fsspec has no types
    """Return the file system of a scheme that was allowed; its keys come from the environment.

    Raises:
        BadSourceError: its library is not installed.
    """
    try:
        return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True)
    except ImportError as error:
        message = f"{scheme}:// needs an extra that is not installed: `./run add {scheme}`"
        raise BadSourceError(message) from error


@contextmanager
def opened(reference: Reference, rules: SourceSettings) -> Iterator[Iterator[bytes]]:
    """Open an object; give its blocks.

    Raises:
        BadSourceError: it is not there, may not be read, or takes too long.
    """
    with told(reference):
        system = file_system(reference.scheme)
        file = system.open(reference.target, "rb", cache_type="readahead")
    with file:
        yield _blocks(file, reference, rules)


def _blocks(file: Any, reference: Reference, rules: SourceSettings) -> Iterator[bytes]:  # noqa: ANN401
    until = time.monotonic() + rules.max_seconds
    while True:
        with told(reference):
            block = file.read(BLOCK_BYTES)
        if not block:
            return
        yield block
        if time.monotonic() > until:
            limit = f"security.sources.max_seconds: {rules.max_seconds:g}"
            message = f"{reference.shown} took too long ({limit})"
            raise BadSourceError(message)


@contextmanager
def told(reference: Reference) -> Iterator[None]:
    """Turn what goes wrong at the store into an error that names no key."""
    try:
        yield
    except BadSourceError:
        raise
    except FileNotFoundError as error:
        message = f"{reference.shown} does not exist"
        raise BadSourceError(message) from error
    except PermissionError as error:
        message = f"{reference.shown} may not be read with the keys in use"
        raise BadSourceError(message) from error
    except Exception as error:  # each store's library has errors of its own
        message = f"{reference.shown} cannot be read: {type(error).__name__}"
        raise BadSourceError(message) from error
