"""Makes jobs anew of such that have ended, with the transcripts that they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, text, update

from coordinator.errors import BadRequestError
from coordinator.placing import check_priority, insert_runs
from coordinator.preparing import plans_of
from coordinator.submit import fingerprint
from schemas.audio import AudioRef
from schemas.batch_tables import BatchItem
from schemas.database import notify, record_new
from schemas.jobs import MAX_ENGINES, JobRequest, JobState
from schemas.names import CHANNEL_WORK
from schemas.retention import Trace
from schemas.scheduling import Priority
from schemas.tables import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from schemas.settings import Settings

#: The runs of those engines of a job which answered for the whole recording are repeated as they
#: are; `job` is the new one. An engine that lost a part is asked again for all.
REPEAT = text("""
WITH whole AS (
  SELECT engine FROM engine_runs WHERE job_id = :old
  GROUP BY engine HAVING bool_and(state = 'succeeded' AND transcript IS NOT NULL)
)
INSERT INTO engine_runs (id, job_id, engine, chunk, chunk_start, chunk_seconds, position, state,
  attempt, audio_seconds, progress_seconds, processing_seconds, started_at, finished_at,
  job_owner, priority, transcript, reused_from)
SELECT gen_random_uuid(), :new, run.engine, run.chunk, run.chunk_start, run.chunk_seconds,
  array_position(CAST(:engines AS text[]), run.engine) - 1, 'succeeded',
  0, run.audio_seconds, run.audio_seconds, run.processing_seconds, now(), now(),
  run.job_owner, run.priority, run.transcript, coalesce(run.reused_from, run.id)
FROM engine_runs AS run JOIN whole ON whole.engine = run.engine
WHERE run.job_id = :old AND run.engine = ANY(CAST(:engines AS text[]))
RETURNING engine
""")

#: The engines stand in the order in which the request names them.
ORDER = text("""
UPDATE engine_runs SET position = array_position(CAST(:engines AS text[]), engine) - 1
WHERE job_id = :new
""")


def do_again(
    session: Session, settings: Settings, job_id: UUID, more: Sequence[str] = ()
) -> UUID | None:
    """Make a job that asks the same of the same recording, of more engines if there are `more`.

    Engines that answered for the whole recording are not asked again: the new job has their
    transcripts from its beginning. It takes the old one's place in its batch.

    Args:
        session: an open transaction.
        settings: how recordings are cut, the targets of the priorities.
        job_id: a job that has ended.
        more: engines to ask as well.

    Returns:
        The new job; None where there is nothing to do: it was replaced already, or it has all of
        `more`, and `more` was what was wanted.

    Raises:
        BadRequestError: the job has not ended, or would ask too many engines.
    """
    old = session.get(Job, job_id, with_for_update={"key_share": True}, populate_existing=True)
    if old is None or old.replaced_by is not None:
        return None
    if not JobState(old.state).terminal:
        message = f"job {job_id} has not ended: its engines are being asked"
        raise BadRequestError(message)
    request = JobRequest.model_validate(old.request)
    new = [name for name in more if name not in request.engines]
    if more and not new:
        return None
    engines = (*request.engines, *new)
    if len(engines) > MAX_ENGINES:
        message = f"job {job_id} would ask {len(engines)} engines; {MAX_ENGINES} are the most"
        raise BadRequestError(message)
    request = request.model_copy(update={"engines": engines})
    check_priority(session, old.owner, Priority.of_rank(old.priority))
    return _make(session, settings, old, request)


def _make(session: Session, settings: Settings, old: Job, request: JobRequest) -> UUID:
    audio = AudioRef.model_validate(old.audio)
    plans = plans_of(session, [audio], settings.media)
    row: dict[str, Any] = {
        "id": uuid4(),
        "batch_id": old.batch_id,
        "state": JobState.QUEUED.value,
        "request": request.model_dump(mode="json"),
        "fingerprint": fingerprint(request, audio),
        "audio": old.audio,
        "owner": old.owner,
        "priority": old.priority,
        "deadline": None,  # it was the old one's
        "paused_at": None,
        "preparing": audio.sha256 not in plans,
    }
    session.execute(insert(Job), [row])
    asked = {"old": old.id, "new": row["id"], "engines": list(request.engines)}
    repeated = set(session.scalars(REPEAT, asked))
    missing = [name for name in request.engines if name not in repeated]
    if missing and row["preparing"] and Trace.MEDIA in old.erased:
        message = f"the recording of job {old.id} was erased: there is nothing to hear"
        raise BadRequestError(message)
    if missing:
        insert_runs(session, [(row, missing, audio)], settings.scheduling, plans)
        session.execute(ORDER, asked)
    else:
        _only_compare(session, row["id"])
    _take_place(session, old, row["id"])
    told = {"engines": list(request.engines), "name": audio.name, "again": str(old.id)}
    record_new(session, row["id"], "job_submitted", **told, reused=sorted(repeated))
    return UUID(str(row["id"]))


def _only_compare(session: Session, job_id: UUID) -> None:
    """Begin a job whose runs have all ended; the coordinator sees to its comparison."""
    session.execute(
        update(Job)
        .where(Job.id == job_id)
        .values(state=JobState.RUNNING.value, admitted_at=func.now(), preparing=False)
        .execution_options(synchronize_session=False)
    )
    notify(session, CHANNEL_WORK, job_id)


def _take_place(session: Session, old: Job, new: UUID) -> None:
    """Let the new job stand where the old one stood."""
    old.replaced_by = new
    session.flush()
    session.execute(
        update(BatchItem)
        .where(BatchItem.job_id == old.id)
        .values(job_id=new)
        .execution_options(synchronize_session=False)
    )
