"""What evaluations and earlier jobs taught about the engines, kept as events in the ledger."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlalchemy.orm import Session

from aggregation.experience import Experience
from aggregation.trust import Prior
from schemas.database import Database, record_event
from schemas.report import EngineQuality
from schemas.tables import StoredEvent

#: Event kinds that teach something.
COMPLETED, EVALUATED = "job_completed", "job_evaluated"
#: Version of what the events carry; others are passed over.
RECORD_VERSION = 1
#: Reference words from which an evaluation counts instead of experience.
MIN_REFERENCE_WORDS = 2_000
#: Seconds for which a process takes what it has read for what is known.
KNOWN_SECONDS = 30.0
#: The newest events of each kind that are looked at.
MAX_EVENTS = 1_000

#: By ledger and language: when it was read, by the monotonic clock, with what was found.
_KNOWN: WeakKeyDictionary[Database, dict[str | None, tuple[float, dict[str, Prior]]]] = (
    WeakKeyDictionary()
)


def experience_of(language: str | None, qualities: tuple[EngineQuality, ...]) -> dict[str, Any]:
    """Return what a finished job's event carries for later jobs."""
    if len(qualities) < Experience.MIN_ENGINES:
        return {}
    fits = {q.engine: [round(q.fit or 0.0, 4), q.places] for q in qualities}
    return {"record": {"version": RECORD_VERSION, "language": _primary(language), "fit": fits}}


def save_evaluation(
    session: Session, job_id: UUID, language: str | None, errors: Mapping[str, tuple[int, int]]
) -> None:
    """Store a job's word errors; a later evaluation of the same job replaces an earlier one.

    Args:
        session: An open transaction.
        job_id: The job.
        language: Its language.
        errors: By engine, its word errors with the words of the reference.
    """
    record = {
        "version": RECORD_VERSION,
        "language": _primary(language),
        "errors": {engine: list(pair) for engine, pair in errors.items()},
    }
    record_event(session, job_id, EVALUATED, record=record)


def load_priors(session: Session, language: str | None) -> dict[str, Prior]:
    """Return what is known of engines in a language: evaluations where they suffice."""
    wanted = _primary(language)
    seen = Experience()
    for record in _records(session, COMPLETED, wanted):
        for engine, (fit, places) in record["fit"].items():
            seen.add(engine, float(fit), int(places))
    priors = seen.priors()
    wrong: defaultdict[str, int] = defaultdict(int)
    words: defaultdict[str, int] = defaultdict(int)
    for record in _records(session, EVALUATED, wanted):
        for engine, (errors, length) in record["errors"].items():
            wrong[engine] += int(errors)
            words[engine] += int(length)
    for engine, count in words.items():
        if count >= MIN_REFERENCE_WORDS:
            priors[engine] = Prior(max(0.0, 1 - wrong[engine] / count), float(count))
    return priors


def known_priors(database: Database, language: str | None) -> dict[str, Prior]:
    """Return what `load_priors` does, or did for this ledger less than half a minute ago.

    A thousand earlier jobs are too much to read for each new one, and teach the same.

    Raises:
        LedgerError: the database does not answer.
    """
    known = _KNOWN.setdefault(database, {})
    key, now = _primary(language), time.monotonic()
    if key not in known or now - known[key][0] > KNOWN_SECONDS:
        with database.reading() as session:
            known[key] = (now, load_priors(session, language))
    return known[key][1]


def _records(session: Session, kind: str, language: str | None) -> list[Mapping[str, Any]]:
    """Return the newest records of a kind, one a job."""
    rows = session.execute(
        select(StoredEvent.job_id, StoredEvent.data)
        .where(StoredEvent.kind == kind, StoredEvent.data.has_key("record"))
        .order_by(StoredEvent.id.desc())
        .limit(MAX_EVENTS)
    ).all()
    newest: dict[UUID, Mapping[str, Any]] = {}
    for job_id, data in rows:
        record = data["record"]
        if record.get("version") == RECORD_VERSION and record.get("language") == language:
            newest.setdefault(job_id, record)
    return list(newest.values())


def _primary(language: str | None) -> str | None:
    return language.split("-")[0].lower() if language else None
