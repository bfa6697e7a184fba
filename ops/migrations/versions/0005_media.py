"""Prepared recordings; the parts that long ones are cut into.

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward; the jobs of a ledger in use stay whole."""
    op.create_table(
        "media",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("audio", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _moment("created_at", "now()"),
        _number("attempt"),
        _number("forgiven"),
        sa.Column("owner", sa.Text(), nullable=True),
        *map(_moment, ("lease_expires_at", "due_at", "published_at", "started_at", "finished_at")),
        sa.Column("done_seconds", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("prepared", JSONB(), nullable=True),
        sa.Column("failure", JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_media")),
    )
    for name, column, where in (
        ("due", "due_at", "due_at IS NOT NULL"),
        ("open", "state", "state IN ('queued', 'running')"),
    ):
        op.create_index(f"ix_media_{name}", "media", [column], postgresql_where=sa.text(where))
    false = sa.text("false")
    op.add_column(
        "jobs", sa.Column("preparing", sa.Boolean(), server_default=false, nullable=False)
    )
    op.add_column("jobs", sa.Column("heard_language", sa.Text(), nullable=True))
    op.create_index(
        "ix_jobs_preparing",
        "jobs",
        [sa.text("(audio ->> 'sha256')")],
        postgresql_where=sa.text("preparing AND finished_at IS NULL"),
    )
    op.add_column(
        "engine_runs",
        sa.Column("chunk_start", sa.Double(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column("engine_runs", sa.Column("chunk_seconds", sa.Double(), nullable=True))


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)


def _moment(name: str, default: str | None = None) -> sa.Column[object]:
    made = sa.text(default) if default else None
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=made, nullable=default is None
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_column("engine_runs", "chunk_seconds")
    op.drop_column("engine_runs", "chunk_start")
    op.drop_index("ix_jobs_preparing", table_name="jobs")
    op.drop_column("jobs", "heard_language")
    op.drop_column("jobs", "preparing")
    op.drop_table("media")
