"""Leaves an engine's runs to workers on better devices, while those can take them all soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from schemas.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session

    from schemas.database import Database
    from schemas.settings import SchedulingSettings

#: The slots that live workers on better devices have, as many open runs as decide.
STATE = text("""
WITH better AS (
  SELECT coalesce(sum(slots), 0)::int AS slots FROM pools
  WHERE engine = :engine AND split_part(device, ':', 1) = ANY(CAST(:devices AS text[]))
    AND seen_at > now() - make_interval(secs => :silence)
    AND coalesce(free_memory >= :memory, true) AND coalesce(free_vram >= :vram, true)
)
SELECT slots,
  (SELECT count(*) FROM (
     (SELECT FROM engine_runs WHERE place = 'window' AND engine = :engine
        AND state IN ('queued', 'running') LIMIT slots * :each + 1)
     UNION ALL
     (SELECT FROM engine_runs WHERE place = 'waiting' AND engine = :engine
      LIMIT slots * :each + 1)) AS run) AS open
FROM better
""")

log = structlog.get_logger("engine_workers")


def better_devices(device: str, rules: SchedulingSettings) -> tuple[str, ...]:
    """Return the kinds of device that are preferred to this one."""
    kind, order = device.partition(":")[0], rules.device_preference
    return order[: order.index(kind)] if kind in order else order


def stands_by(
    session: Session, engine: str, devices: Sequence[str], rules: SchedulingSettings
) -> bool:
    """Return whether workers on those devices are there, and can do all that is open soon."""
    about = {
        "engine": engine,
        "devices": list(devices),
        "silence": rules.silence_seconds,
        "memory": rules.min_free_memory,
        "vram": rules.min_free_vram,
        "each": rules.preferred_runs,
    }
    found = session.execute(STATE, about).one()
    return bool(found.slots and found.open <= found.slots * rules.preferred_runs)


class Standby:
    """Lets a worker consume the queues of its engines, or not, as it is better."""

    def __init__(
        self,
        database: Database,
        rules: SchedulingSettings,
        device: str,
        consume: Callable[[str, bool], None],
    ) -> None:
        """Begin with all queues consumed.

        Args:
            database: the ledger.
            rules: they have the order of the devices.
            device: what this worker computes on.
            consume: called with an engine, and whether its queue is to be consumed from now on.
        """
        self._database = database
        self._rules = rules
        self._better = better_devices(device, rules)
        self._consume = consume
        self._idle: set[str] = set()

    def look(self, engines: Sequence[str]) -> None:
        """Look whether something has changed; a ledger that is away changes nothing."""
        if not self._better:
            return
        try:
            with self._database.reading() as session:
                idle = {e for e in engines if stands_by(session, e, self._better, self._rules)}
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("not_looked_whether_to_help", error=str(error))
            return
        for engine in sorted(idle ^ self._idle):
            log.info("stands_by" if engine in idle else "helps", engine=engine)
            self._consume(engine, engine not in idle)
        self._idle = idle
