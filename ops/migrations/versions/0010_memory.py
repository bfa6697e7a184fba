"""Finds jobs again by their state, owner, engine, words; notes what was erased.

Revision: 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

#: Collations that know the letters of all languages, the best first; which there are depends on
#: the server's version.
COLLATIONS = ("pg_c_utf8", "und-x-icu", "default")

#: Lower case without signs, each Chinese or Japanese character a word of its own. Postgres's own
#: parser takes all that is not ASCII for letters where the database has the locale C.
SEARCHABLE = r"""
CREATE FUNCTION searchable(heard text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
  SELECT regexp_replace(
    regexp_replace(
      lower(heard COLLATE "{collation}"),
      '[\u00a0-\u00bf\u2000-\u206f\u3000-\u3004\u3008-\u303f\uff00-\uff0f\uff1a-\uff20]', ' ', 'g'),
    '([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])', ' \1 ', 'g')
$$
"""

#: What is searched for, as web search engines take it: "a phrase", or, -not.
SEARCH_QUERY = """
CREATE FUNCTION search_query(wanted text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
  SELECT websearch_to_tsquery('simple', searchable(wanted))
$$
"""

#: What any engine heard, and what was made of it. A search vector holds a megabyte: of more, the
#: beginning is found; a report is stored in any case.
WORDS_OF_REPORT = """
CREATE FUNCTION words_of_report(body jsonb) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
  heard text;
BEGIN
  SELECT searchable(coalesce(string_agg(part, ' '), '')) INTO heard FROM (
    SELECT segment ->> 'text' AS part
    FROM jsonb_path_query(body, '$.merged.segments[*]') AS segment
    UNION ALL
    SELECT engine ->> 'text' FROM jsonb_path_query(body, '$.engines[*]') AS engine
  ) AS parts;
  RETURN to_tsvector('simple', heard);
EXCEPTION WHEN program_limit_exceeded THEN
  RETURN to_tsvector('simple', left(heard, 100000));
END
$$
"""

KEEP_REPORT_WORDS = """
CREATE FUNCTION keep_report_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO report_words (job_id, created_at, words)
  SELECT job.id, job.created_at, words_of_report(NEW.body) FROM jobs AS job
  WHERE job.id = NEW.job_id
  ON CONFLICT (job_id) DO UPDATE SET words = excluded.words;
  RETURN NULL;
END
$$
"""

TRIGGER = """
CREATE TRIGGER keep_report_words AFTER INSERT OR UPDATE OF body ON reports
FOR EACH ROW EXECUTE FUNCTION keep_report_words()
"""

#: Of the reports that are there already.
FILL = """
INSERT INTO report_words (job_id, created_at, words)
SELECT job.id, job.created_at, words_of_report(report.body)
FROM reports AS report JOIN jobs AS job ON job.id = report.job_id
"""


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column(
        "jobs",
        sa.Column(
            "erased", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
    )
    _tables()
    _words()
    op.create_index("ix_jobs_history", "jobs", ["created_at", "id"])
    op.create_index("ix_jobs_history_state", "jobs", ["state", "created_at", "id"])
    op.create_index("ix_jobs_history_owner", "jobs", ["owner", "created_at", "id"])
    op.create_index("ix_jobs_sha256", "jobs", [sa.text("(audio ->> 'sha256')")])
    op.create_index(
        "ix_engine_runs_history",
        "engine_runs",
        ["engine", "submitted_at", "job_id"],
        postgresql_where=sa.text("chunk = 0"),
    )
    op.drop_index("ix_jobs_created_at", table_name="jobs")


def _tables() -> None:
    op.create_table(
        "report_words",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_report_words")),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["reports.job_id"],
            name=op.f("fk_report_words_job_id_reports"),
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "tombstones",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column(
            "what", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_tombstones")),
    )


def _words() -> None:
    known = sa.text("SELECT collname FROM pg_collation WHERE collname = ANY(:names)")
    there = set(op.get_bind().scalars(known, {"names": list(COLLATIONS)}))
    collation = next(name for name in COLLATIONS if name in there)
    op.execute(SEARCHABLE.replace("{collation}", collation))
    for statement in (SEARCH_QUERY, WORDS_OF_REPORT, KEEP_REPORT_WORDS, TRIGGER, FILL):
        op.execute(statement)
    op.create_index("ix_report_words_words", "report_words", ["words"], postgresql_using="gin")
    op.create_index("ix_report_words_recent", "report_words", ["created_at", "job_id"])


def downgrade() -> None:
    """Take it back."""
    op.create_index("ix_jobs_created_at", "jobs", ["created_at"])
    op.drop_index("ix_engine_runs_history", table_name="engine_runs")
    for name in ("sha256", "history_owner", "history_state", "history"):
        op.drop_index(f"ix_jobs_{name}", table_name="jobs")
    op.execute("DROP TRIGGER keep_report_words ON reports")
    for function in (
        "keep_report_words()",
        "words_of_report(jsonb)",
        "search_query(text)",
        "searchable(text)",
    ):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("tombstones")
    op.drop_table("report_words")
    op.drop_column("jobs", "erased")
