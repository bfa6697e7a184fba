"""What the coordinator and its clients can raise."""

from __future__ import annotations

from schemas.errors import ChordscribeError, ConfigurationError, UsageError


class BadSourceError(UsageError):
    """The recording cannot be read."""


class BadManifestError(UsageError):
    """The manifest cannot be read."""


class StagingError(ChordscribeError):
    """The media store cannot be written."""


class BadRequestError(UsageError):
    """The request is wrong."""


class UnknownEngineError(UsageError):
    """There is no engine of that name."""


class EngineNotInstalledError(UsageError):
    """The engine cannot run on this machine."""


class NoEngineError(UsageError):
    """No engine can run here; `chordscribe engines` says what each one lacks."""


class QuotaError(UsageError):
    """The owner's quota does not allow it."""


class IdempotencyConflictError(UsageError):
    """The idempotency key belongs to another request."""


class JobNotFoundError(UsageError):
    """There is no such job."""


class BatchNotFoundError(UsageError):
    """There is no such batch."""


class BatchSealedError(UsageError):
    """The batch takes no more jobs."""


class JobNotFinishedError(ChordscribeError):
    """The job has no result yet."""


class JobFailedError(ChordscribeError):
    """The job ended without a result."""


class WaitTimeoutError(ChordscribeError):
    """The job did not end in the time given; it goes on."""


class ErasingError(ChordscribeError):
    """Something that was to be erased cannot be."""


class BackupError(ChordscribeError):
    """The backup cannot be written, or is damaged."""


class RestoreError(ChordscribeError):
    """The backup cannot be restored here."""


class MoveError(ChordscribeError):
    """The installation cannot be moved there."""


class MovedError(ConfigurationError):
    """The installation is on servers now."""


class OutputError(ChordscribeError):
    """A result cannot be written."""


class DeliveryError(ChordscribeError):
    """The message about an alert did not arrive."""

    def __init__(self, message: str | None = None, *, final: bool = False) -> None:
        """Keep the message; `final` says that it makes no sense to try again."""
        super().__init__(message)
        self.final = final


class LocalStackError(ChordscribeError):
    """The embedded stack could not be started."""


class ServersMissingError(LocalStackError):
    """A server that the embedded stack needs does not run on this machine."""


class DataDirectoryError(ConfigurationError):
    """The data directory cannot be used."""


class StackEndingError(LocalStackError):
    """The embedded stack is just ending; the next start gets a new one."""


class StackLostError(LocalStackError):
    """The embedded stack's supervisor is gone: see logs/supervisor.log in the data directory."""
