"""How long a page of the history takes, wherever it begins, whatever it asks for."""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from coordinator.history import history_filter, read_page
from tests.benchmarks.figures import Figure, at_most, informs
from tests.benchmarks.storage.installations import fill, installation

if TYPE_CHECKING:
    from schemas.database import Database
    from schemas.history import HistoryPage

JOBS, QUICK_JOBS = 1_000_000, 50_000
#: Milliseconds that a page may take.
PAGE_MS = 50.0
ROUNDS = 15
#: What is asked, by what it is called.
KINDS: dict[str, dict[str, Any]] = {
    "the newest": {},
    "of a frequent state": {"states": ["completed"]},
    "of a rare state": {"states": ["cancelled"]},
    "of two states": {"states": ["failed", "cancelled"]},
    "of the usual owner": {"owner": "most"},
    "of a rare owner": {"owner": "seldom"},
    "of the usual engine": {"engine": "fake"},
    "of a rare engine": {"engine": "rare"},
    "of a rare engine that failed": {"engine": "rare", "states": ["failed"]},
    "with a word of every job": {"text": "often"},
    "with a word of each tenth": {"text": "sometimes"},
    "with a word of a few": {"text": "needle"},
    "with a phrase that nobody says": {"text": '"needle often"'},
    "with a rare word, of the usual owner": {"text": "needle", "owner": "most"},
}


def measure(*, quick: bool) -> list[Figure]:
    """Measure each kind of page at its beginning, and the plain one at every depth."""
    jobs = QUICK_JOBS if quick else JOBS
    with installation() as client:
        began = time.monotonic()
        fill(client.database, jobs)
        print(f"{jobs:,} jobs in {time.monotonic() - began:.0f} s", file=sys.stderr)
        found = {name: _median(client.database, **asked) for name, asked in KINDS.items()}
        found |= {
            f"{name}, from the middle on": _median(
                client.database, after=_middle(client.database, **asked), **asked
            )
            for name, asked in KINDS.items()
            if name in {"the newest", "of the usual owner", "of the usual engine"}
        }
    name, worst = max(found.items(), key=lambda pair: pair[1])
    print(f"the slowest: {name}", file=sys.stderr)
    return [
        *(informs(f"page {name}, {jobs:,} jobs", ms, "ms") for name, ms in found.items()),
        at_most(f"slowest kind of page at {jobs:,} jobs", worst, PAGE_MS, "ms"),
    ]


def _median(database: Database, **asked: Any) -> float:  # noqa: ANN401  # as the filter takes them
    """Return the milliseconds of a page."""
    times = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        _page(database, **asked)
        times.append(1000 * (time.monotonic() - began))
    return statistics.median(times[1:])


def _page(database: Database, after: str | None = None, **asked: Any) -> HistoryPage:  # noqa: ANN401
    with database.reading() as session:
        return read_page(session, history_filter(**asked), 20, after)


def _middle(database: Database, **asked: Any) -> str:  # noqa: ANN401  # likewise
    """Return where a page of the oldest half begins."""
    with database.connected() as connection:
        row = connection.execute(
            "SELECT min(created_at) + (max(created_at) - min(created_at)) / 2 FROM jobs"
        ).fetchone()
    assert row is not None
    after = _page(database, **asked, until=row[0]).next
    assert after is not None
    return after
