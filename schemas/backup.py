"""What a backup holds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.audio import Sha256
from schemas.base import Contract

#: Raised when a backup's form changes so that older programs cannot read it.
BACKUP_VERSION: Final = 1


class TableFile(Contract):
    """One table of the ledger, as Postgres's COPY writes it, compressed by gzip."""

    name: str
    columns: tuple[str, ...]
    rows: Annotated[int, Field(ge=0)]
    #: Of the compressed file.
    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256


class MediaFile(Contract):
    """One file of the media store."""

    #: Its path below the store's root.
    key: str
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256


class Manifest(Contract):
    """A backup's table of contents."""

    version: Literal[1] = BACKUP_VERSION
    made_at: datetime
    #: The ledger's schema.
    revision: str
    tables: tuple[TableFile, ...]
    #: Whether the recordings are in it, or only listed.
    with_media: bool
    media_files: Annotated[int, Field(ge=0)]
    media_bytes: Annotated[int, Field(ge=0)]
    #: Of the list of the media.
    media_sha256: Sha256
    #: Recordings that the ledger knows and the media store did not have.
    missing: Annotated[int, Field(ge=0)] = 0

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)


class Restored(Contract):
    """What was brought back."""

    rows: int
    media_files: int
    #: Recordings that the ledger knows and the media store does not have.
    missing: int
