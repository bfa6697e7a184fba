"""Remembers what the readers of metrics need from one look to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from schemas.alert_tables import AlertFact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

#: The kinds of facts: the last sweep, a graphics card, an engine's agreement, how far reports
#: were read.
SWEPT, CARD, AGREEMENT, READ = "swept", "card", "agreement", "read"


def note(
    session: Session, kind: str, name: str = "", data: Mapping[str, Any] | None = None
) -> None:
    """Remember that something is so now."""
    row = insert(AlertFact).values(kind=kind, name=name, data=dict(data or {}), at=func.now())
    session.execute(
        row.on_conflict_do_update(
            index_elements=["kind", "name"],
            set_={"data": row.excluded.data, "at": row.excluded.at},
        )
    )


def facts(session: Session, kind: str) -> dict[str, dict[str, Any]]:
    """Return what is remembered of a kind by name."""
    rows = session.execute(
        select(AlertFact.name, AlertFact.data).where(AlertFact.kind == kind)
    ).all()
    return {row.name: row.data for row in rows}


def age(session: Session, kind: str, name: str = "") -> float | None:
    """Return the seconds since something was noted; None: it never was."""
    seconds = func.extract("epoch", func.now() - AlertFact.at)
    found = session.scalar(select(seconds).where(AlertFact.kind == kind, AlertFact.name == name))
    return None if found is None else float(found)


def forget(session: Session, kind: str, seconds: float) -> None:
    """Forget what was not noted for so long."""
    before = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    session.execute(delete(AlertFact).where(AlertFact.kind == kind, AlertFact.at < before))
