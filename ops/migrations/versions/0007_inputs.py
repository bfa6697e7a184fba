"""Batches that are submitted again without doubling, transcripts that are found again.

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("batches", sa.Column("key", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_batches_key"), "batches", ["key"])
    op.add_column("jobs", sa.Column("replaced_by", sa.Uuid(), nullable=True))
    op.create_table(
        "batch_items",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("labels", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "mark", name=op.f("pk_batch_items")),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.id"],
            name=op.f("fk_batch_items_batch_id_batches"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_batch_items_job_id_jobs"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_batch_items_job_id"), "batch_items", ["job_id"])
    for name in ("question", "heard_by", "digest"):
        op.add_column("engine_runs", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("engine_runs", sa.Column("reused_from", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_engine_runs_known",
        "engine_runs",
        ["question", "heard_by"],
        postgresql_where=sa.text("question IS NOT NULL"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_engine_runs_known", table_name="engine_runs")
    for name in ("reused_from", "digest", "heard_by", "question"):
        op.drop_column("engine_runs", name)
    op.drop_table("batch_items")
    op.drop_column("jobs", "replaced_by")
    op.drop_constraint(op.f("uq_batches_key"), "batches")
    op.drop_column("batches", "key")
