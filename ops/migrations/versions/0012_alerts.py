"""Alerts are kept: their states, the messages about them, silences.

Revision: 0012, after 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW, EMPTY = sa.text("now()"), sa.text("'{}'")


def upgrade() -> None:
    """Bring the schema forward."""
    _alerts()
    _deliveries()
    _silences()
    op.create_table(
        "alert_facts",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("data", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("at", TIME, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_alert_facts")),
    )
    for table, name, columns, where in INDEXES:
        op.create_index(name, table, list(columns), postgresql_where=where)
    op.add_column("nodes", sa.Column("clock_skew", sa.Float(), nullable=True))
    op.add_column("nodes", sa.Column("disk_used", sa.Float(), nullable=True))


#: What the readers of metrics ask for by time.
INDEXES = (
    (
        "engine_runs",
        "ix_engine_runs_ended",
        ("engine", "finished_at"),
        sa.text("finished_at IS NOT NULL"),
    ),
    (
        "job_events",
        "ix_job_events_cut_off",
        ("at",),
        sa.text("kind IN ('run_rescued', 'run_retried', 'run_failed')"),
    ),
    ("reports", "ix_reports_created_at", ("created_at",), None),
)


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("rule", "series")),
        sa.Column("labels", JSONB(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("severity", "state")),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        *(
            sa.Column(name, TIME, nullable=True)
            for name in ("fired_at", "clear_since", "resolved_at", "told_at")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["rule", "series"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def _deliveries() -> None:
    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("body", JSONB(), nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("due_at", TIME, server_default=NOW, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("delivered_at", TIME, nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alerts.id"],
            name=op.f("fk_alert_deliveries_alert_id_alerts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_deliveries")),
    )
    op.create_index("ix_alert_deliveries_alert_id", "alert_deliveries", ["alert_id"])
    op.create_index(
        "ix_alert_deliveries_due",
        "alert_deliveries",
        ["due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def _silences() -> None:
    op.create_table(
        "alert_silences",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("labels", JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("who", "reason")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_silences")),
    )


def downgrade() -> None:
    """Take it back."""
    for column in ("clock_skew", "disk_used"):
        op.drop_column("nodes", column)
    for table, name, _, _ in INDEXES:
        op.drop_index(name, table_name=table)
    for table in ("alert_facts", "alert_silences", "alert_deliveries", "alerts"):
        op.drop_table(table)
