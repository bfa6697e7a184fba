"""Speeds by engine, device, model, with what runs and pools have to tell for that.

Revision: 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward; `estimates` stays for coordinators that run meanwhile."""
    op.add_column("pools", sa.Column("card", sa.Text(), nullable=True))
    op.add_column("pools", sa.Column("model", sa.Text(), nullable=True))
    op.add_column("engine_runs", sa.Column("device", sa.Text(), nullable=True))
    op.add_column("engine_runs", sa.Column("model", sa.Text(), nullable=True))
    op.create_table(
        "measures",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("model", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("median", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("samples", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("error", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "device", "model", name=op.f("pk_measures")),
    )
    op.execute(
        "INSERT INTO measures (kind, name, median, high, samples, error) "
        "SELECT kind, name, median, high, samples, error FROM estimates"
    )


def downgrade() -> None:
    """Take it back; what was learnt meanwhile of whole engines is kept."""
    op.execute(
        "INSERT INTO estimates (kind, name, median, high, samples, error) "
        "SELECT kind, name, median, high, samples, error FROM measures "
        "WHERE device = '' AND model = '' AND kind IN ('run', 'rtf', 'rate') "
        "ON CONFLICT (kind, name) DO UPDATE SET median = excluded.median, high = excluded.high, "
        "samples = excluded.samples, error = excluded.error"
    )
    op.drop_table("measures")
    for table, columns in (("engine_runs", ("model", "device")), ("pools", ("model", "card"))):
        for column in columns:
            op.drop_column(table, column)
