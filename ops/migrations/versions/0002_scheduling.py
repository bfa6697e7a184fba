"""Priorities, owners, deadlines, dependencies, the workers' slots: what admission decides by.

Revision: 0002, after 0001.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: What the jobs of a ledger that is in use are given: a place as their state has it.
PLACE = """
    UPDATE engine_runs AS run
    SET submitted_at = job.created_at,
        latest_start = job.created_at + interval '4 hours',
        place = CASE WHEN job.paused_at IS NOT NULL THEN 'held'
                     WHEN job.state = 'queued' THEN 'waiting'
                     ELSE 'window' END
    FROM jobs AS job
    WHERE job.id = run.job_id AND job.finished_at IS NULL AND run.state IN ('queued', 'running')
"""


def upgrade() -> None:
    """Bring the schema forward."""
    _jobs()
    _runs()
    _tables()
    op.execute(PLACE)


def _jobs() -> None:
    op.drop_index("ix_jobs_waiting", table_name="jobs")
    for column in (
        _text("owner", "'default'"),
        _number("priority", "2", sa.SmallInteger()),
        _moment("deadline"),
        _text("deadline_policy", "'best_effort'"),
        _moment("at_risk_at"),
        _number("blockers", "0"),
        _text("on_failed_dependency", "'skip'"),
    ):
        op.add_column("jobs", column)
    op.create_index(
        "ix_jobs_deadline",
        "jobs",
        ["deadline"],
        postgresql_where=sa.text("deadline IS NOT NULL AND finished_at IS NULL"),
    )


def _runs() -> None:
    for column in (
        sa.Column("place", sa.Text(), nullable=True),
        _moment("admitted_at"),
        _text("job_owner", "'default'"),
        _number("priority", "2", sa.SmallInteger()),
        _moment("submitted_at", "now()"),
        _moment("latest_start", "now()"),
        _number("cost", "60", sa.Double()),
    ):
        op.add_column("engine_runs", column)
    for name, columns, include, place in (
        ("line", ("priority", "job_owner", "latest_start", "id"), "submitted_at", "waiting"),
        ("age", ("priority", "job_owner", "submitted_at", "id"), "latest_start", "waiting"),
    ):
        op.create_index(
            f"ix_engine_runs_{name}",
            "engine_runs",
            ["engine", *columns],
            postgresql_include=["job_id", "cost", include],
            postgresql_where=sa.text(f"place = '{place}'"),
        )
    op.create_index(
        "ix_engine_runs_window",
        "engine_runs",
        ["engine", "job_owner"],
        postgresql_include=["due_at", "state"],
        postgresql_where=sa.text("place = 'window'"),
    )


def _tables() -> None:
    op.create_table(
        "dependencies",
        _job_key("job_id"),
        _job_key("after_id"),
        sa.PrimaryKeyConstraint("job_id", "after_id", name=op.f("pk_dependencies")),
    )
    op.create_index(op.f("ix_dependencies_after_id"), "dependencies", ["after_id"])
    op.create_table(
        "owners",
        _key("name"),
        _number("weight", "1", sa.Double()),
        sa.Column("max_running", sa.Integer(), nullable=True),
        sa.Column("top_priority", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_owners")),
    )
    op.create_table(
        "pauses",
        _key("kind"),
        _key("name"),
        _moment("since", "now()"),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_pauses")),
    )
    op.create_table(
        "engine_lines",
        _key("engine"),
        _number("virtual_time", "0", sa.Double()),
        _number("since_overdue", "0"),
        sa.Column("max_running", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("engine", name=op.f("pk_engine_lines")),
    )
    op.create_table(
        "shares",
        _key("engine"),
        _key("owner"),
        _number("used", "0", sa.Double()),
        sa.Column("waited", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("engine", "owner", name=op.f("pk_shares")),
    )
    op.create_table(
        "pools",
        _key("worker"),
        _key("engine"),
        sa.Column("slots", sa.Integer(), nullable=False),
        _text("device", "'cpu'"),
        sa.Column("free_memory", sa.BigInteger(), nullable=True),
        sa.Column("free_vram", sa.BigInteger(), nullable=True),
        _moment("seen_at", "now()"),
        sa.PrimaryKeyConstraint("worker", "engine", name=op.f("pk_pools")),
    )
    op.create_index(op.f("ix_pools_engine"), "pools", ["engine"])
    op.create_table(
        "estimates",
        _key("kind"),
        _key("name"),
        sa.Column("median", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        _number("samples", "1"),
        _number("error", "0", sa.Double()),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_estimates")),
    )


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _job_key(name: str) -> sa.Column[object]:
    key = sa.ForeignKey("jobs.id", name=f"fk_dependencies_{name}_jobs", ondelete="CASCADE")
    return sa.Column(name, sa.Uuid(), key, nullable=False)


def _text(name: str, default: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=sa.text(default), nullable=False)


def _number(
    name: str, default: str, kind: sa.types.TypeEngine[Any] | None = None
) -> sa.Column[Any]:
    return sa.Column(name, kind or sa.Integer(), server_default=sa.text(default), nullable=False)


def _moment(name: str, default: str | None = None) -> sa.Column[object]:
    made = sa.text(default) if default else None
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=made, nullable=default is None
    )


def downgrade() -> None:
    """Take it back."""
    tables = ("estimates", "pools", "shares", "engine_lines", "pauses", "owners", "dependencies")
    for table in tables:
        op.drop_table(table)
    for index in ("window", "age", "line"):
        op.drop_index(f"ix_engine_runs_{index}", table_name="engine_runs")
    runs = ("cost", "latest_start", "submitted_at", "priority", "job_owner", "admitted_at", "place")
    for column in runs:
        op.drop_column("engine_runs", column)
    op.drop_index("ix_jobs_deadline", table_name="jobs")
    jobs = ("on_failed_dependency", "blockers", "at_risk_at", "deadline_policy", "deadline")
    for column in (*jobs, "priority", "owner"):
        op.drop_column("jobs", column)
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        ["created_at", "id"],
        postgresql_where=sa.text("state = 'queued' AND paused_at IS NULL"),
    )
