"""Admission reads its lines from indexes alone, however its plans came about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import text

from coordinator.admission import admit
from coordinator.lines import HEADS
from coordinator.submit import accept, job_request
from schemas.audio import AudioRef
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=320_000, name="talk.wav")


def test_the_lines_are_read_by_indexes_alone_even_planned_while_they_were_short(
    database: Database,
) -> None:
    serve(database, "fake", slots=1)
    with database.transaction() as session:
        for _ in range(3):
            accept(session, job_request(["fake"]), AUDIO)
        session.execute(text("ANALYZE engine_runs"))
    with database.transaction() as session:
        assert admit(session, RULES)
        about = {"engines": ["fake"], "places": 1, "targets": list(RULES.targets())}
        rows = session.execute(text(f"EXPLAIN {HEADS.text}"), about)
        plan = "\n".join(row[0] for row in rows)
    reads = re.findall(r"([A-Z][\w ]*Scan)(?: using (\w+))? on engine_runs", plan)
    assert len(reads) == 4, plan
    assert {kind for kind, _ in reads} == {"Index Only Scan"}, plan
    assert {index for _, index in reads} == {"ix_engine_runs_line", "ix_engine_runs_age"}, plan
