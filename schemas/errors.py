"""The root of all our errors, and those that more than one package raises."""

from __future__ import annotations

from typing import ClassVar


class ChordscribeError(Exception):
    """Something went wrong in Chordscribe."""

    #: The exit code of a command that ends with this error.
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str | None = None) -> None:
        """Keep `message`, or the class's docstring where none is given."""
        super().__init__(message or (self.__doc__ or "").strip())


class UsageError(ChordscribeError):
    """The request itself is wrong, so nothing was done."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A setting is missing or wrong."""


class LedgerError(ChordscribeError):
    """The database refused or could not be reached; nothing that was accepted is lost."""


class SchemaVersionError(LedgerError):
    """The database's schema is not the one this version of the code needs."""


class MediaStoreError(ChordscribeError):
    """The media store cannot be read or written."""


class MissingMediaError(MediaStoreError):
    """The media store does not have it."""
