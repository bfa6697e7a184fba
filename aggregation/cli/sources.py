"""Turns what a command was given, a job or files, into a question for the pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from uuid import UUID

from sqlalchemy import String, cast, select

from aggregation import records, store
from aggregation.answers import answers_of
from aggregation.errors import NoSuchJobError, NothingToMergeError
from aggregation.formats.read import read_transcript
from aggregation.merge.registry import DEFAULT_STRATEGY
from aggregation.pipeline import Question
from aggregation.stitch import Part
from schemas.database import Database
from schemas.errors import ConfigurationError, UsageError
from schemas.names import GROUP_SERVERS
from schemas.settings import Settings, load_settings
from schemas.tables import Job

#: Files that a comparison needs.
MIN_FILES = 2


def is_files(sources: Sequence[str]) -> bool:
    """Tell files from a job: several arguments, or one that exists or has a suffix."""
    return len(sources) > 1 or bool(Path(sources[0]).suffix) or Path(sources[0]).exists()


def from_files(
    paths: Sequence[str], language: str | None = None, strategy: str = DEFAULT_STRATEGY
) -> Question:
    """Return a question about files, each an engine called by its file's name.

    Raises:
        BadTranscriptFileError: a file holds no transcript in a known form.
        UsageError: there is one file only.
    """
    if len(paths) < MIN_FILES:
        message = "one file cannot be compared: name two or more, or a job"
        raise UsageError(message)
    taken: Counter[str] = Counter()
    parts: dict[str, list[Part]] = {}
    for path in map(Path, paths):
        taken[path.stem] += 1
        name = path.stem if taken[path.stem] == 1 else f"{path.stem}-{taken[path.stem]}"
        parts[name] = [Part(read_transcript(path, name))]
    return Question(UUID(int=0), parts, language=language, strategy=strategy)


def from_job(database: Database, reference: str, strategy: str = DEFAULT_STRATEGY) -> Question:
    """Return a question about a job's stored transcripts.

    Args:
        database: The ledger.
        reference: The job's id, or the beginning of it.
        strategy: The merge strategy.

    Raises:
        NoSuchJobError: no job, or more than one, begins like that.
        NothingToMergeError: none of its engines has given a transcript.
    """
    with database.transaction() as session:
        found = session.scalars(
            select(Job).where(cast(Job.id, String).startswith(reference, autoescape=True)).limit(2)
        ).all()
        if len(found) != 1:
            what = "more than one job begins" if found else "no job begins"
            message = f"{what} with '{reference}'"
            raise NoSuchJobError(message)
        job = found[0]
        runs = store.load_runs(session, job.id)
        info = session.scalar(select(store.APART).where(Job.id == job.id))
        answers = answers_of(runs)
        language = job.request.get("language")
        prior = records.load_priors(session, language or answers.language)
    if not answers.parts:
        raise NothingToMergeError
    return Question(
        job_id=job.id,
        parts=answers.parts,
        missing=tuple(answers.missing.values()),
        language=language,
        prior=prior,
        strategy=strategy,
        processing=answers.processing,
        apart=store.apart_of(info),
    )


@contextmanager
def ledger() -> Iterator[Database]:
    """Open the ledger that the settings name, or the embedded one of this machine.

    Raises:
        ConfigurationError: there is neither.
    """
    settings = load_settings()
    with _reachable(settings) as found:
        database = Database(found)
        try:
            yield database
        finally:
            database.dispose()


@contextmanager
def _reachable(settings: Settings) -> Iterator[Settings]:
    if settings.database_url is not None:
        yield settings
        return
    for point in entry_points(group=GROUP_SERVERS):
        with point.load()(settings, work=False) as stack:
            yield stack.settings
        return
    message = "no database: set CHORDSCRIBE_DATABASE_URL"
    raise ConfigurationError(message)
