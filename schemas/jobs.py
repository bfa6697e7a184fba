"""One recording to be transcribed by several engines."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    field_validator,
    model_serializer,
)

from schemas.audio import AudioRef
from schemas.base import Contract
from schemas.media import PreparationView
from schemas.names import EngineName
from schemas.progress import EngineProgress
from schemas.runs import Failure, RunState, RunView
from schemas.scheduling import ScheduleView

#: The most engines that one job may ask for.
MAX_ENGINES = 16
#: The longest idempotency key, in characters.
MAX_KEY_CHARACTERS = 200

#: A value an engine's option may have.
OptionValue = bool | int | float | Annotated[str, StringConstraints(max_length=10_000)] | None
#: A language tag of BCP 47's common form: `en`, `zh-Hant-TW`.
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class JobState(StrEnum):
    """Where a job stands. `completed`, `failed` and `cancelled` are final."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self not in {JobState.QUEUED, JobState.RUNNING}


class JobRequest(Contract):
    """What a user asks for: which engines shall hear the recording, and how."""

    engines: Annotated[tuple[EngineName, ...], Field(min_length=1, max_length=MAX_ENGINES)]
    #: The language spoken; None lets each engine detect it.
    language: LanguageTag | None = None
    #: Options by engine name, for that engine alone.
    options: dict[EngineName, dict[str, OptionValue]] = Field(default_factory=dict)
    #: True: a job that misses any engine's answer has failed, rather than completed degraded.
    require_all: bool = False
    #: False: every engine listens, whatever it heard of the same recording before.
    use_cache: bool = True

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is usual, so that requests from before it are equal, and readable then."""
        values: dict[str, Any] = dump(self)
        if values.get("use_cache"):
            del values["use_cache"]
        return values

    @field_validator("engines")
    @classmethod
    def _each_engine_once(cls, engines: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in engines if engines.count(name) > 1})
        if twice:
            message = f"engine named twice: {', '.join(twice)}"
            raise ValueError(message)
        return engines


class JobView(Contract):
    """A job and its runs as their ledger rows stand."""

    id: UUID
    state: JobState
    #: True when a completed job misses at least one engine's answer, or a part of one.
    degraded: bool = False
    audio: AudioRef
    request: JobRequest
    created_at: datetime
    admitted_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    paused_at: datetime | None = None
    #: What of it was erased: `schemas.retention.Trace` values.
    erased: tuple[str, ...] = ()
    failure: Failure | None = None
    runs: tuple[RunView, ...] = ()
    #: How far each engine has come, its chunks together.
    engines: tuple[EngineProgress, ...] = ()
    #: How far the preparation of the recording has come, while the job waits for it.
    preparation: PreparationView | None = None
    schedule: ScheduleView = ScheduleView()

    @property
    def failed_runs(self) -> tuple[RunView, ...]:
        """The runs whose engine gave no answer."""
        return tuple(run for run in self.runs if run.state is RunState.FAILED)


class JobEvent(Contract):
    """One thing that happened to a job."""

    id: int
    job_id: UUID
    at: datetime
    kind: str
    data: dict[str, object] = Field(default_factory=dict)
