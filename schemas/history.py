"""What was done, page by page, with the whole story of each job."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.audio import MediaInfo
from schemas.base import Contract
from schemas.jobs import JobEvent, JobState, JobView
from schemas.names import EngineName
from schemas.report import Report
from schemas.runs import FailureKind
from schemas.scheduling import OwnerName
from schemas.transcript import Seconds

#: The most jobs that one page shows.
MAX_PAGE = 1000
#: The longest text that is searched for, in characters.
MAX_SEARCH_CHARACTERS = 1000


class HistoryFilter(Contract):
    """Which jobs are wanted; what is not given does not matter."""

    states: tuple[JobState, ...] = ()
    #: One that was asked.
    engine: EngineName | None = None
    owner: OwnerName | None = None
    batch: UUID | None = None
    #: Submitted from then on; before then.
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    #: What any engine heard: words, `"a phrase"`, `or`, `-not`.
    text: Annotated[str, StringConstraints(max_length=MAX_SEARCH_CHARACTERS)] | None = None


class Passage(Contract):
    """The first segment of a merged transcript that has one of the words."""

    start: Seconds | None
    text: str


class HistoryEntry(Contract):
    """One job in a few figures."""

    id: UUID
    state: JobState
    degraded: bool
    name: str
    sha256: str
    owner: str
    batch: UUID | None
    engines: tuple[str, ...]
    created_at: datetime
    finished_at: datetime | None
    #: Length of the recording in seconds; None where it is not known any more, or yet.
    audio_seconds: Seconds | None
    #: Words of the merged transcript, how far the engines agree, who is recommended: once it is
    #: completed, and for as long as its events are kept.
    words: int | None = None
    similarity: float | None = None
    recommended: str | None = None
    failure: FailureKind | None = None
    #: What of it was erased.
    erased: tuple[str, ...] = ()
    passage: Passage | None = None


class HistoryPage(Contract):
    """Jobs, the newest first."""

    entries: tuple[HistoryEntry, ...]
    #: What the next page is asked for with; None: this is the last.
    next: str | None = None


class Attempt(Contract):
    """A worker's try at an engine's run."""

    run: UUID
    engine: str
    attempt: Annotated[int, Field(ge=0)]
    worker: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    #: `succeeded`, `failed`, `cancelled`, `retried`, `handed_back`, `rescued`; None: it goes on.
    outcome: str | None = None
    #: Why it ended so, where there is something to say.
    why: str | None = None


class Timings(Contract):
    """Where a job's time went, in seconds; None where it has not come that far."""

    #: From the submission to the first engine at work, the recording's preparation included.
    waited: float | None = None
    #: From the first engine at work to the end of the last run.
    heard: float | None = None
    #: From then to the job's end.
    compared: float | None = None
    #: From the submission to the job's end.
    whole: float | None = None


class JobStory(Contract):
    """All that the ledger knows of a job."""

    job: JobView
    #: What the recording is, once it is prepared.
    media: MediaInfo | None
    timings: Timings
    attempts: tuple[Attempt, ...]
    events: tuple[JobEvent, ...]
    report: Report | None
