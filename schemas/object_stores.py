"""Opens object stores: S3, Google Cloud Storage, Azure."""

from __future__ import annotations

import logging
from typing import Any

#: Libraries whose debugging logs would hold keys and signed addresses.
TALKATIVE = ("adlfs", "aiobotocore", "azure", "botocore", "fsspec", "gcsfs", "s3fs")
#: Seconds to connect in, and to wait for the next bytes of an answer.
CONNECT_SECONDS, READ_SECONDS = 10, 60


def object_store(scheme: str) -> Any:  # noqa: ANN401  # fsspec has no types
    """Return the file system of an object store; its keys come from the environment.

    It belongs to the process that asked: a forked child asks anew.

    Raises:
        ImportError: its library is not installed.
    """
    import fsspec  # noqa: PLC0415  # long to import, seldom needed

    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    more: dict[str, Any] = {}
    if scheme == "s3":
        more["config_kwargs"] = {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
        }
    return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True, **more)
