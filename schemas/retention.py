"""For how long what of a job is kept."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.audio import Sha256
from schemas.base import Contract
from schemas.scheduling import OwnerName

#: A label's name, or its value.
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Trace(StrEnum):
    """What a job leaves behind."""

    #: The recording's own bytes, with the prepared file.
    MEDIA = "media"
    #: What each engine heard, by which it also answers others.
    TRANSCRIPTS = "transcripts"
    #: The comparison with the merged transcript, which has the engines' texts too.
    REPORTS = "reports"
    #: The job's story. What was learned about the engines, which is figures, stays.
    EVENTS = "events"


class RetentionRule(BaseModel):
    """What is erased of which jobs, so long after their end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    erase: Annotated[tuple[Trace, ...], Field(min_length=1)]
    #: Days after a job's end.
    after_days: Annotated[float, Field(ge=0, le=36_500)]
    #: Of jobs that ended so; none given: however they ended.
    states: tuple[Literal["completed", "failed", "cancelled"], ...] = ()
    #: Of these owners' jobs; none given: everybody's.
    owners: tuple[OwnerName, ...] = ()
    #: Of jobs that have all these labels, from a manifest.
    labels: dict[Label, Label] = Field(default_factory=dict)


class RetentionSettings(BaseModel):
    """The rules that the coordinator follows; without any, everything is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Seconds between two looks.
    every_seconds: Annotated[float, Field(gt=0)] = 3600.0
    rules: tuple[RetentionRule, ...] = ()


class Purged(Contract):
    """What a rule erased, or would erase."""

    #: Which rule, from 1, as they are configured.
    rule: int
    erase: tuple[Trace, ...]
    jobs: int
    #: Recordings whose media went: nobody else's job had heard them, or all those may go too.
    recordings: int
    files: int
    bytes: int


class Forgotten(Contract):
    """What was erased of a recording."""

    sha256: Sha256
    jobs: int
    files: int
    bytes: int
