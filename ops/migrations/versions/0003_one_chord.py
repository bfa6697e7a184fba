"""Whether all runs of a job count in one chord.

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward; jobs that have begun go on as chords of a few runs each."""
    op.add_column(
        "jobs",
        sa.Column("one_chord", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_column("jobs", "one_chord")
