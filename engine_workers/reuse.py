"""Finds what an engine heard of the same recording before, asked the same."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import func, select, update

from engine_workers.catalogue import find_engine, package_version
from engine_workers.errors import RunError
from engine_workers.options import engine_options
from engine_workers.store.places import Models
from schemas.errors import LedgerError
from schemas.tables import EngineRun
from schemas.transcript import Transcript

if TYPE_CHECKING:
    from uuid import UUID

    from engine_workers.claim import Lease
    from schemas.database import Database
    from schemas.settings import Settings

#: Raised when a transcript comes to mean something else, or recordings are prepared otherwise:
#: what was heard before is not found then.
FORM = 1
#: Entries of one question that are looked at: more than one only where the newest was spoilt.
LOOKED_AT = 3

log = structlog.get_logger("engine_workers")


@dataclass(frozen=True, slots=True)
class Reused:
    """An earlier transcript, found whole."""

    run_id: UUID
    transcript: Transcript
    #: Seconds that the engine took then; None: not known.
    processing_seconds: float | None


def heard_by(lease: Lease, settings: Settings) -> str | None:
    """Return what tells this machine's answer from another's: SHA-256; None: it is not to be kept.

    It covers the engine, its version, its model by name, size and date of each file, all options
    in force, the kind of device. A run that is eased, because memory ran out before, is not kept.
    """
    if not settings.cache.enabled or lease.eases:
        return None
    asked = lease.request.options.get(lease.engine, {})
    try:
        known = _facts(
            lease.engine,
            json.dumps(settings.engines.get(lease.engine, {}), sort_keys=True, default=str),
            json.dumps(asked, sort_keys=True),
            settings.models_root,
            (settings.worker.device or "").partition(":")[0],
        )
    except RunError:
        return None  # its run will tell why
    except Exception:  # an engine's own code
        log.info("not_kept", engine=lease.engine, exc_info=True)
        return None
    if known is None or not known[1]:
        return known and known[0]
    facts = [known[0], [_files(folder) for folder in known[1]]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@lru_cache(maxsize=256)
def _facts(
    name: str, configured: str, asked: str, models_root: Path, device: str
) -> tuple[str, tuple[Path, ...]] | None:
    """Return what does not change while a process lives, with the folders of models, which may.

    Looking for installed packages takes milliseconds, which is much beside a short run.
    """
    kind = find_engine(name)
    if not kind.info.repeatable:
        return None
    models = Models(models_root)  # nothing is pulled here
    options = engine_options(kind, json.loads(configured), json.loads(asked), models)
    engine = kind(options)
    facts = {
        "form": FORM,
        "engine": [name, package_version(name), engine.version, engine.model],
        "options": options.model_dump(mode="json"),
        "device": device,
    }
    named = (getattr(options, option, None) for option in kind.info.model_options)
    folders = [Path(model) for model in named if isinstance(model, str) and model.startswith("/")]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return digest, tuple(folder for folder in folders if folder.is_dir())


def find_heard(
    database: Database, lease: Lease, settings: Settings, by: str | None
) -> Reused | None:
    """Return the newest transcript that answers the lease's question; None where there is none.

    An entry that is not what was stored, or of another form, is never used, and is taken out.
    A ledger that does not answer just costs the work.
    """
    if by is None or not lease.known or not lease.request.use_cache:
        return None
    try:
        with database.reading() as session:
            rows = session.execute(_entries(lease, settings, by)).all()
        for row in rows:
            transcript = _checked(row, lease)
            if transcript is not None:
                return Reused(row.id, transcript, row.processing_seconds)
            log.warning("spoilt_entry", run=str(row.id))
            with database.transaction() as session:
                session.execute(
                    update(EngineRun).where(EngineRun.id == row.id).values(question=None)
                )
    except LedgerError as error:
        log.warning("not_looked_up", error=str(error))
    return None


def _entries(lease: Lease, settings: Settings, by: str) -> Any:  # noqa: ANN401  # a select
    age = func.make_interval(0, 0, 0, 0, 0, 0, settings.cache.ttl_seconds)
    return (
        select(EngineRun.id, EngineRun.transcript, EngineRun.digest, EngineRun.processing_seconds)
        .where(
            EngineRun.question == lease.question,
            EngineRun.heard_by == by,
            EngineRun.finished_at > func.now() - age,
        )
        .order_by(EngineRun.finished_at.desc())
        .limit(LOOKED_AT)
    )


def _checked(row: Any, lease: Lease) -> Transcript | None:  # noqa: ANN401  # a row of `_entries`
    if row.transcript is None or hashlib.sha256(row.transcript).hexdigest() != row.digest:
        return None
    try:
        found = Transcript.model_validate_json(zlib.decompress(row.transcript))
    except (ValueError, zlib.error):  # of an older form
        return None
    return found if found.engine == lease.engine else None


def _files(folder: Path) -> list[tuple[str, int, int]]:
    """Return what a model's folder holds, so that another revision is another model."""
    found = ((path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file())
    return [(str(path.relative_to(folder)), at.st_size, at.st_mtime_ns) for path, at in found]
