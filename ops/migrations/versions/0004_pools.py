"""Nodes, their pools, the footprints of models.

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "nodes",
        _text("name"),
        _text("state"),
        sa.Column("pid", sa.Integer(), nullable=False),
        _text("identity"),
        sa.Column("cores", sa.Integer(), nullable=False),
        sa.Column("free_memory", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        _list("devices"),
        _moment("started_at"),
        _moment("seen_at"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_nodes")),
    )
    op.create_table(
        "node_pools",
        _text("node"),
        _text("name"),
        _text("wanted", "'running'"),
        sa.Column("wanted_slots", sa.Integer(), nullable=True),
        _count("generation"),
        _count("wish"),
        _count("done_wish"),
        _text("state", "'waiting'"),
        sa.Column("reason", sa.Text(), nullable=True),
        _list("engines"),
        _text("worker"),
        _text("device", "'cpu'"),
        _count("slots"),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("memory", sa.BigInteger(), nullable=True),
        sa.Column("vram", sa.BigInteger(), nullable=True),
        sa.Column("load", sa.Float(), nullable=True),
        _list("runs"),
        _count("restarts"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        _moment("seen_at"),
        sa.PrimaryKeyConstraint("node", "name", name=op.f("pk_node_pools")),
    )
    op.create_table(
        "footprints",
        _text("engine"),
        _text("model"),
        _text("variant"),
        _text("device"),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.Column("vram", sa.BigInteger(), nullable=True),
        sa.Column("load_seconds", sa.Float(), nullable=False),
        _moment("measured_at"),
        sa.PrimaryKeyConstraint("engine", "model", "variant", "device", name=op.f("pk_footprints")),
    )


def _text(name: str, default: str | None = None) -> sa.Column[str]:
    made = sa.text(default) if default else None
    return sa.Column(name, sa.Text(), server_default=made, nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)


def _list(name: str) -> sa.Column[object]:
    return sa.Column(name, JSONB(), server_default=sa.text("'[]'"), nullable=False)


def _moment(name: str) -> sa.Column[object]:
    moment = sa.DateTime(timezone=True)
    return sa.Column(name, moment, server_default=sa.text("now()"), nullable=False)


def downgrade() -> None:
    """Take it back."""
    for table in ("footprints", "node_pools", "nodes"):
        op.drop_table(table)
