"""Empty installations to measure on, filled with jobs that never were."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.client import Client
from schemas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.database import Database

#: Jobs that one statement makes.
TOGETHER = 50_000

#: Jobs number `:first` to `:last`, a minute apart, the last one now. Of a thousand 20 failed and
#: one was cancelled; nine in ten are one owner's, one of ten thousand another's; one of a thousand
#: asked a third engine.
JOBS = """
INSERT INTO jobs (id, state, request, fingerprint, audio, created_at, admitted_at, finished_at,
  owner)
SELECT md5('job' || n)::uuid,
  CASE WHEN n % 1000 < 20 THEN 'failed' WHEN n % 1000 = 20 THEN 'cancelled' ELSE 'completed' END,
  jsonb_build_object('engines', CASE WHEN n % 1000 = 500 THEN '["fake", "slow", "rare"]'::jsonb
    ELSE '["fake", "slow"]'::jsonb END, 'language', null, 'options', '{}'::jsonb,
    'require_all', false),
  md5('f' || n),
  jsonb_build_object('sha256', md5('a' || n) || md5('b' || n), 'size', 1000000,
    'name', 'call-' || n || '.wav'),
  at, at, at + interval '50 seconds',
  CASE WHEN n % 10000 = 77 THEN 'seldom' WHEN n % 10 = 0 THEN 'owner-' || (n / 10 % 5)
    ELSE 'most' END
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
  LATERAL (SELECT now() - (%(count)s::bigint - n) * interval '1 minute' AS at) AS moment
"""
RUNS = """
INSERT INTO engine_runs (id, job_id, engine, position, state, attempt, audio_seconds,
  progress_seconds, processing_seconds, started_at, finished_at, submitted_at, job_owner,
  transcript)
SELECT gen_random_uuid(), job.id, engine.name, engine.place - 1,
  CASE job.state WHEN 'completed' THEN 'succeeded' ELSE job.state END, 1, 60, 60, 5,
  job.created_at, job.finished_at, job.created_at, job.owner,
  CASE WHEN job.state = 'completed' THEN decode(%(packed)s, 'hex') END
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
JOIN jobs AS job ON job.id = md5('job' || n)::uuid,
  jsonb_array_elements_text(job.request -> 'engines') WITH ORDINALITY AS engine (name, place)
"""
#: Twelve words of two thousand, of which the first thousand are far more frequent, and `often`;
#: of every tenth `sometimes`, of every ten thousandth `needle`.
REPORTS = """
INSERT INTO reports (job_id, created_at, version, body)
SELECT job.id, job.finished_at, 1, jsonb_build_object('merged', jsonb_build_object('segments',
  jsonb_build_array(jsonb_build_object('start', 1.5, 'text', 'often ' ||
    CASE WHEN n % 10 = 3 THEN 'sometimes ' ELSE '' END ||
    CASE WHEN n % 10000 = 5033 THEN 'needle ' ELSE '' END || said.words))),
  'engines', '[]'::jsonb)
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
JOIN jobs AS job ON job.id = md5('job' || n)::uuid AND job.state = 'completed',
  LATERAL (SELECT string_agg('w' || ((n * 7919 + k * 104729) % 2000), ' ') AS words
           FROM generate_series(1, 12) AS k) AS said
"""
EVENTS = """
INSERT INTO job_events (job_id, at, kind, data)
SELECT job.id, job.created_at, event.kind, event.data
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
JOIN jobs AS job ON job.id = md5('job' || n)::uuid,
  (VALUES ('job_submitted', '{"engines": ["fake", "slow"]}'::jsonb),
          ('job_completed', '{"words": 14, "similarity": 0.97, "recommended": "slow"}'::jsonb))
    AS event (kind, data)
"""
STATEMENTS = (JOBS, RUNS, REPORTS, EVENTS)


@contextmanager
def installation() -> Iterator[Client]:
    """Make an installation with an empty ledger, on which nobody works."""
    folder = Path(tempfile.mkdtemp(prefix="csb-", dir="/tmp"))
    folder.chmod(0o711)  # root's servers run as another user
    try:
        with Client(Settings(_env_file=None, data_dir=folder / "data"), work=False) as client:
            yield client
    finally:
        shutil.rmtree(folder)


def fill(database: Database, jobs: int, packed: bytes = b"") -> None:
    """Put so many jobs into a ledger, each run with the same transcript."""
    with database.connected() as connection:
        connection.execute("SET synchronous_commit = off")
        for first in range(0, jobs, TOGETHER):
            asked = {
                "first": first,
                "last": min(first + TOGETHER, jobs) - 1,
                "count": jobs,
                "packed": packed.hex(),
            }
            for statement in STATEMENTS:
                connection.execute(_escaped(statement).encode(), asked)
        connection.execute("VACUUM ANALYZE")


def _escaped(statement: str) -> str:
    """Return a statement in which only parameters are taken for such."""
    return statement.replace("%", "%%").replace("%%(", "%(")
