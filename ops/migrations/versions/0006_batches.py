"""Jobs that come after whole batches.

Revision: 0006, after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("batches", sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("batches", sa.Column("sealed_for", sa.Text(), nullable=True))
    op.create_table(
        "batch_dependencies",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "batch_id", name=op.f("pk_batch_dependencies")),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
            name=op.f("fk_batch_dependencies_job_id_jobs"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_batch_dependencies_batch_id_batches")
        ),
    )
    op.create_index(op.f("ix_batch_dependencies_batch_id"), "batch_dependencies", ["batch_id"])
    op.create_index(
        "ix_jobs_batch_open",
        "jobs",
        ["batch_id"],
        postgresql_where=sa.text("batch_id IS NOT NULL AND finished_at IS NULL"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_jobs_batch_open", table_name="jobs")
    op.drop_table("batch_dependencies")
    op.drop_column("batches", "sealed_for")
    op.drop_column("batches", "sealed_at")
