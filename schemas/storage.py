"""Settings of where staged recordings lie."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.folders import Folder

#: The schemes of object stores that can hold the media.
BUCKETS = ("s3", "gs", "az")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}[A-Za-z0-9](/[A-Za-z0-9._=-]+)*/?")


def _storage_url(url: str) -> str:
    """Refuse what names neither a folder nor a bucket."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "file", url
    if scheme == "file" and Path(rest).is_absolute() and rest.isprintable():
        return rest
    parts = rest.split("/")
    if scheme in BUCKETS and _BUCKET.fullmatch(rest) and not {".", ".."} & set(parts):
        return f"{scheme}://{rest.rstrip('/')}"
    message = (
        "write the absolute path of a folder, file:///folder, or s3://bucket/prefix "
        "(gs, az likewise); keys come from the environment"
    )
    raise ValueError(message)


class StorageSettings(BaseModel):
    """Where staged recordings lie; that is all that workers on other machines have to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: A folder that all machines share, or `s3://bucket/prefix`; None: `media_dir`.
    url: Annotated[str, AfterValidator(_storage_url)] | None = None
    #: Where this machine keeps what it fetched from a bucket; None: `cache/media` below `data_dir`.
    cache_dir: Folder | None = None
    #: The most bytes that are kept there; what was used last stays.
    cache_bytes: Annotated[int, Field(ge=0)] = 20 * 2**30

    def resolved(self) -> StorageSettings:
        """Return the same for a process that runs in another folder."""
        if self.cache_dir is None:
            return self
        return self.model_copy(update={"cache_dir": self.cache_dir.resolve()})

    @property
    def folder(self) -> Path | None:
        """The folder that `url` names; None where it names a bucket, or nothing."""
        return Path(self.url) if self.url is not None and "://" not in self.url else None

    @property
    def bucket(self) -> str | None:
        """The bucket and prefix that `url` names; None where it names a folder, or nothing."""
        return self.url if self.url is not None and "://" in self.url else None
