"""What goes wrong in an engine's worker; each error knows the kind of failure it is."""

from __future__ import annotations

from typing import ClassVar

from schemas.errors import ChordscribeError, ConfigurationError, UsageError
from schemas.runs import Failure, FailureKind


class RunError(ChordscribeError):
    """The run cannot succeed."""

    kind: ClassVar[FailureKind] = FailureKind.ENGINE_ERROR

    @property
    def failure(self) -> Failure:
        """The error as the ledger keeps it."""
        return Failure(kind=self.kind, message=str(self))


class BadMediaError(RunError):
    """The file is no recording that can be decoded."""

    kind = FailureKind.BAD_MEDIA


class UnsupportedError(RunError):
    """The engine cannot do what the request asks for."""

    kind = FailureKind.UNSUPPORTED


class NotInstalledError(RunError):
    """The engine is not installed here."""

    kind = FailureKind.NOT_INSTALLED


class ModelMissingError(RunError):
    """The engine's model is not on this machine."""

    kind = FailureKind.MODEL_MISSING


class ModelAlteredError(ModelMissingError):
    """A file of the model is missing, or is not what it was when it came."""


class ModelStoreError(RunError):
    """The models directory, or a hub, does not do what was asked."""

    kind = FailureKind.MODEL_MISSING


class EngineOutputError(RunError):
    """The engine gave something that is no transcript."""


class StorageError(RunError):
    """The staged recording cannot be read."""

    kind = FailureKind.STORAGE


class CancelledError(RunError):
    """The job was cancelled."""

    kind = FailureKind.CANCELLED


class TimeLimitError(RunError):
    """The engine took longer than its time limit allows."""

    kind = FailureKind.TIMEOUT


class StaleLeaseError(ChordscribeError):
    """The run has been given to another worker, so this one's answer no longer counts."""


class NotClaimableError(ChordscribeError):
    """Another worker is at work on this run, or nobody may be now."""


class PoolNotReadyError(ChordscribeError):
    """Something that the pool needs is not there yet."""


class PoolDoesNotFitError(ChordscribeError):
    """Not one process of the pool fits its device."""


class PoolFailedError(ChordscribeError):
    """The pool is not as it was asked to be."""


class PoolWaitError(ChordscribeError):
    """The pool has not become as it was asked to be in time; that is still wanted."""


class NodeSilentError(ChordscribeError):
    """Nobody looks after that node's pools; what was asked is done when somebody does."""


class NodeTakenError(ChordscribeError):
    """Another supervisor looks after the pools of a node of this name."""


class TargetError(UsageError):
    """The file cannot be written there."""


class UnknownPoolError(UsageError):
    """There is no such pool."""


class NoPoolsError(ConfigurationError):
    """No pool is configured: write a table [pools.NAME] into chordscribe.toml."""
