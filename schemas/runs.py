"""One engine's work on one chunk of one job."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from schemas.base import Contract


class RunState(StrEnum):
    """Where a run stands. `succeeded`, `failed` and `cancelled` are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to the run."""
        return self not in {RunState.QUEUED, RunState.RUNNING}


class FailureKind(StrEnum):
    """Why a run or a job failed, in terms that decide what to do about it."""

    BAD_MEDIA = "bad_media"
    UNSUPPORTED = "unsupported"
    NOT_INSTALLED = "not_installed"
    MODEL_MISSING = "model_missing"
    OUT_OF_MEMORY = "out_of_memory"
    ENGINE_ERROR = "engine_error"
    TIMEOUT = "timeout"
    WORKER_LOST = "worker_lost"
    STORAGE = "storage"
    AGGREGATION_ERROR = "aggregation_error"
    CANCELLED = "cancelled"


class Failure(Contract):
    """A typed failure with a sentence that a person can act on."""

    kind: FailureKind
    message: str


class RunMessage(Contract):
    """What the broker carries to an engine's worker; all else is in the ledger."""

    run_id: UUID
    job_id: UUID


class RunOutcome(Contract):
    """What an engine's task returns: small and always the same for the same run and state."""

    run_id: UUID
    state: RunState


class RunView(Contract):
    """A run as its ledger row stands."""

    id: UUID
    engine: str
    chunk: int
    state: RunState
    #: Where its part of the recording begins, in seconds.
    chunk_start: Annotated[float, Field(ge=0)] = 0.0
    #: How often a worker has begun this run.
    attempt: int
    #: Length of the decoded audio in seconds; None before it was decoded.
    audio_seconds: Annotated[float, Field(ge=0)] | None = None
    #: How far into the audio the engine has come, in seconds.
    progress_seconds: Annotated[float, Field(ge=0)] = 0.0
    #: Time the last attempt took, in seconds, without waiting in the queue.
    processing_seconds: Annotated[float, Field(ge=0)] | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure: Failure | None = None
