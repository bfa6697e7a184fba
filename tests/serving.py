"""Makes the ledger what it is when workers serve engines."""

from __future__ import annotations

from sqlalchemy import delete, func, text
from sqlalchemy.dialects.postgresql import insert

from schemas.database import Database
from schemas.settings import SchedulingSettings
from schemas.tables import Pool

#: The product's own figures, for tests that admit by hand.
RULES = SchedulingSettings()


def serve(database: Database, *engines: str, slots: int = 1000, worker: str = "test") -> None:
    """Let a worker of each engine be alive, for as long as any test takes."""
    made = insert(Pool)
    soon = func.now() + text("interval '1 day'")
    with database.transaction() as session:
        for engine in engines:
            session.execute(
                made.values(
                    worker=worker, engine=engine, slots=slots, seen_at=soon
                ).on_conflict_do_update(
                    index_elements=["worker", "engine"], set_={"slots": slots, "seen_at": soon}
                )
            )


def serve_no_more(database: Database, worker: str = "test") -> None:
    """Let that worker be gone."""
    with database.transaction() as session:
        session.execute(delete(Pool).where(Pool.worker == worker))
