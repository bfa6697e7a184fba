"""The Python client: submit recordings, follow them, fetch their results."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self, Unpack
from uuid import UUID, uuid4

from coordinator.alert_client import AlertClient
from coordinator.asking import Scheduling, make_schedule
from coordinator.batch_client import BatchClient
from coordinator.bulk_client import BulkClient
from coordinator.catalogue import choose_engines
from coordinator.erase_client import EraseClient
from coordinator.errors import JobFailedError, JobNotFinishedError, LocalStackError
from coordinator.history_client import HistoryClient
from coordinator.holding import pause, pause_batch, resume, resume_batch
from coordinator.ledger import (
    count_jobs,
    find_job,
    list_jobs,
    read_events,
    read_job,
    read_report,
    request_cancel,
)
from coordinator.local.stack import running
from coordinator.queue_client import QueueClient
from coordinator.staging import stage
from coordinator.submit import accept, job_request
from coordinator.watching import watch_jobs
from schemas.audio import Channels
from schemas.database import Database
from schemas.live_settings import LiveSettings
from schemas.media_store import open_store
from schemas.retention import Trace
from schemas.settings import Settings, load_settings
from schemas.tables import Batch

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from coordinator.local.stack import RunningStack
    from schemas.jobs import JobEvent, JobState, JobView
    from schemas.report import Report


class Client(QueueClient, BulkClient, BatchClient, HistoryClient, EraseClient, AlertClient):
    """A connection to Chordscribe; use it as a context manager.

    With `CHORDSCRIBE_DATABASE_URL` and `CHORDSCRIBE_BROKER_URL` set it talks to those servers and
    starts nothing. Without them it uses the embedded stack of this user's data directory: the one
    that `chordscribe up` runs, or else one that it starts itself and that ends with it.

    >>> with Client() as client:                                    # doctest: +SKIP
    ...     job = client.submit("interview.mp3", engines=["faster_whisper", "moonshine"])
    ...     client.wait(job.id)
    ...     print(client.result(job.id).merged.text)
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        work: bool = True,
        stack: RunningStack | None = None,
        on_status: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare a client.

        Args:
            settings: the configuration; None reads it from the environment.
            work: start the workers that submitted jobs need, in an embedded stack of this client's
                own; False leaves the jobs for the next stack that works.
            stack: one that runs for as long as the client lives; None: one of its own.
            on_status: called with a line of text as an embedded stack starts.
        """
        self._follow = settings is None and stack is None
        chosen = settings or (stack.settings if stack else load_settings())
        self._live = LiveSettings(chosen, follow=self._follow)
        self._work = work
        self._on_status = on_status
        self._exit = ExitStack()
        self._given = stack
        self._stack: RunningStack | None = None
        self._database: Database | None = None

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            ChordscribeError: no server can be reached or started, or the schema is not ours.
        """
        with ExitStack() as opened:
            self._stack = self._given or opened.enter_context(
                running(self.settings, work=False, on_status=self._on_status)
            )
            self._live = LiveSettings(self._stack.settings, follow=self._follow)
            self._database = Database(self._stack.settings)
            opened.callback(self._database.dispose)
            self._database.check_schema()
            self._exit = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect; an embedded stack that nobody else uses stops."""
        self._exit.__exit__(kind, error, traceback)
        self._database = None

    @property
    def settings(self) -> Settings:
        """The settings in force, with the addresses of the servers in use.

        Those that were not given follow the configuration file.
        """
        return self._live.now

    @property
    def stack(self) -> RunningStack:
        """The servers in use."""
        if self._stack is None:
            message = "use the client in a `with` block"
            raise RuntimeError(message)
        return self._stack

    @property
    def database(self) -> Database:
        """The ledger in use."""
        if self._database is None:
            message = "use the client in a `with` block"
            raise RuntimeError(message)
        return self._database

    def submit(  # noqa: PLR0913  # each is a keyword with a default
        self,
        source: str | os.PathLike[str],
        *,
        engines: Sequence[str] = (),
        language: str | None = None,
        options: Mapping[str, Mapping[str, object]] | None = None,
        require_all: bool = False,
        use_cache: bool = True,
        channels: Channels = Channels.MIX,
        idempotency_key: str | None = None,
        join_open: bool = False,
        batch_id: UUID | None = None,
        **schedule: Unpack[Scheduling],
    ) -> JobView:
        """Submit one recording; when this returns, the job is accepted and cannot be lost.

        Args:
            source: path of an audio or video file; it is copied, so it may go afterwards.
            engines: who shall hear it; empty asks every engine that can run.
            language: BCP-47 tag of the language spoken; None lets the engines detect it.
            options: options by engine name.
            require_all: fail the job when any engine gives no answer, rather than complete without.
            use_cache: take what an engine heard of the same bytes before, asked the same.
            channels: whether the channels are mixed, or each is heard apart, as one speaker.
            idempotency_key: the same key gives the same job, however often it is submitted.
            join_open: answer with an unfinished job that asks the same of the same bytes.
            batch_id: the batch that the job belongs to, from `new_batch`.
            **schedule: how urgent it is, whose, by when, after which: see `Scheduling`.

        Raises:
            UsageError: the recording or the request is wrong; nothing was accepted.
            StagingError: the media store cannot be written.
            LedgerError: the database does not answer.
        """
        settings = self.settings
        chosen = choose_engines(settings, engines)
        request = job_request(
            chosen, language, options, require_all=require_all, use_cache=use_cache
        )
        scheduled = make_schedule(schedule)
        staged = stage(source, open_store(settings), settings.sources)
        with self.database.transaction() as session:
            accepted = accept(
                session,
                request,
                staged.heard(channels),
                idempotency_key=idempotency_key,
                join_open=join_open,
                batch_id=batch_id,
                schedule=scheduled,
                rules=settings.scheduling,
                media=settings.media,
            )
        if self._work or self.stack.reused:
            self.stack.need(engines=request.engines, work=True)
        return self.status(accepted.job_id)

    def find(self, reference: str | UUID) -> UUID:
        """Return the id of the job that an id, or the unique beginning of one, means.

        Raises:
            JobNotFoundError: there is none, or more than one begins so.
        """
        with self.database.transaction() as session:
            return find_job(session, reference)

    def status(self, job_id: UUID) -> JobView:
        """Return a job as it stands now.

        Raises:
            JobNotFoundError: there is none of that id.
        """
        with self.database.transaction() as session:
            return read_job(session, job_id)

    def watch(self, *job_ids: UUID, timeout: float | None = None) -> Iterator[JobView]:
        """Yield each job as it stands, then again at every change, until all have ended.

        Woken by the database's NOTIFY; a database that restarts meanwhile is waited for.

        Raises:
            JobNotFoundError: one of the jobs does not exist.
            WaitTimeoutError: `timeout` seconds passed; the jobs go on.
            LocalStackError: a part of the embedded stack keeps failing, or the stack is gone.
        """
        return watch_jobs(self.database, job_ids, timeout, self._check_stack)

    def _check_stack(self) -> None:
        """Raise what went wrong in the embedded stack, rather than wait for what cannot come."""
        notice = self.stack.poll()
        if notice:
            message = f"{notice}; the jobs wait for the next stack"
            raise LocalStackError(message)

    def wait(self, job_id: UUID, timeout: float | None = None) -> JobView:
        """Return the job when it has ended.

        Raises:
            JobNotFoundError: there is none of that id.
            WaitTimeoutError: `timeout` seconds passed; the job goes on.
        """
        last = None
        for view in self.watch(job_id, timeout=timeout):
            last = view
        return last or self.status(job_id)

    def result(self, job_id: UUID) -> Report:
        """Return the report of a completed job.

        Raises:
            JobNotFoundError: there is none of that id.
            JobNotFinishedError: the job still waits or runs.
            JobFailedError: it failed or was cancelled; the message says why.
        """
        with self.database.transaction() as session:
            view = read_job(session, job_id)
            report = read_report(session, job_id)
        if report is not None:
            return report
        if not view.state.terminal:
            message = f"job {job_id} is {view.state}: it has no result yet"
            raise JobNotFinishedError(message)
        why = f": {view.failure.message}" if view.failure else ""
        if Trace.REPORTS in view.erased:
            why = "; its report was erased"
        message = f"job {job_id} was {view.state}{why}"
        raise JobFailedError(message)

    def events(self, job_id: UUID) -> tuple[JobEvent, ...]:
        """Return what has happened to a job, the oldest event first."""
        with self.database.transaction() as session:
            return read_events(session, job_id)

    def cancel(self, job_id: UUID) -> JobView:
        """Stop a job: at once when it waits, at each engine's next segment when it runs.

        A job that has ended stays as it is.

        Raises:
            JobNotFoundError: there is none of that id.
        """
        with self.database.transaction() as session:
            return request_cancel(session, job_id)

    def pause(self, job_id: UUID) -> JobView:
        """Start nothing more of a job until it is resumed; what runs already goes on.

        A job that has ended stays as it is.

        Raises:
            JobNotFoundError: there is none of that id.
        """
        with self.database.transaction() as session:
            return pause(session, job_id)

    def resume(self, job_id: UUID) -> JobView:
        """Let a paused job go on.

        Raises:
            JobNotFoundError: there is none of that id.
        """
        with self.database.transaction() as session:
            return resume(session, job_id)

    def new_batch(self, label: str | None = None) -> UUID:
        """Make a batch, to which jobs can be submitted, and return its id."""
        with self.database.transaction() as session:
            batch = Batch(id=uuid4(), label=label)
            session.add(batch)
        return batch.id

    def pause_batch(self, batch_id: UUID) -> int:
        """Pause a batch's unfinished jobs, and those still to come; return how many were paused.

        Raises:
            BatchNotFoundError: there is none of that id.
        """
        with self.database.transaction() as session:
            return pause_batch(session, batch_id)

    def resume_batch(self, batch_id: UUID) -> int:
        """Let a batch's paused jobs go on; return how many there were.

        Raises:
            BatchNotFoundError: there is none of that id.
        """
        with self.database.transaction() as session:
            return resume_batch(session, batch_id)

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state."""
        with self.database.transaction() as session:
            return count_jobs(session)

    def list(self, *, states: Sequence[JobState] = (), limit: int = 20) -> tuple[JobView, ...]:
        """Return the newest jobs, those in `states` alone when any are given.

        Raises:
            BadRequestError: `limit` is not between 1 and 1,000.
        """
        with self.database.transaction() as session:
            return list_jobs(session, states, limit)
