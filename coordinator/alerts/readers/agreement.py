"""Reads how far each engine's agreement with the others fell: a broken engine shows there early.

Two exponential means of the agreement that reports tell are kept for each engine: one of about
the last twenty reports, one of about the last two hundred. While an engine agrees less than
usual the long one moves ten times slower, so that what is broken does not become what is usual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from coordinator.alerts.facts import AGREEMENT, READ, facts, note
from coordinator.alerts.readings import labels

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from coordinator.alerts.readers.scene import Scene
    from coordinator.alerts.readings import Readings

#: The weight of a new report in the means: of the last reports, of all, of all amid a drop.
RECENT_WEIGHT, USUAL_WEIGHT, DROPPED_WEIGHT = 0.1, 0.01, 0.001
#: From which distance between the means on there is a drop.
DROP = 0.05
#: Reports of an engine below which nothing is said of it.
LEAST_REPORTS = 30
#: Reports that one look takes; the rest waits for the next.
MOST_REPORTS = 500

#: Reports with at least two engines, since the last that was read.
NEW = text("""
SELECT report.created_at, report.body -> 'quality' AS quality
FROM reports AS report
WHERE report.created_at > coalesce(CAST(:since AS timestamptz), now() - interval '1 day')
  AND report.created_at < now() - interval '1 second'
ORDER BY report.created_at LIMIT :most
""")


def learn_agreement(session: Session) -> int:
    """Take the new reports into the means; return how many there were."""
    since = facts(session, READ).get("reports", {}).get("at")
    rows = session.execute(NEW, {"since": since, "most": MOST_REPORTS}).all()
    means = facts(session, AGREEMENT)
    for row in rows:
        engines = row.quality or []
        if len(engines) > 1:
            for one in engines:
                name = one["engine"]
                means[name] = moved(means.get(name), float(one["agreement"]))
    if rows:
        for name, mean in means.items():
            note(session, AGREEMENT, name, mean)
        note(session, READ, "reports", {"at": rows[-1].created_at.isoformat()})
    return len(rows)


def moved(before: dict[str, Any] | None, agreement: float) -> dict[str, Any]:
    """Return an engine's means after one more report."""
    if before is None:
        return {"recent": agreement, "usual": agreement, "reports": 1}
    reports = before["reports"] + 1
    dropped = before["usual"] - before["recent"] > DROP
    slow = DROPPED_WEIGHT if dropped and reports > LEAST_REPORTS else USUAL_WEIGHT
    if reports <= LEAST_REPORTS:
        slow = 1 / reports
    quick = max(RECENT_WEIGHT, 1 / reports)
    return {
        "recent": before["recent"] + quick * (agreement - before["recent"]),
        "usual": before["usual"] + slow * (agreement - before["usual"]),
        "reports": reports,
    }


def read_agreement(scene: Scene, readings: Readings) -> None:
    """Read how far each engine is below its usual agreement."""
    readings.put(
        "agreement_drop",
        {
            labels(engine=name): max(0.0, mean["usual"] - mean["recent"])
            for name, mean in facts(scene.session, AGREEMENT).items()
            if mean["reports"] >= LEAST_REPORTS
        },
    )
