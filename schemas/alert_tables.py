"""The ledger's tables of alerts: shape only. Written by the coordinator."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables import Base, EngineRun, StoredEvent, StoredReport

#: What the readers of metrics ask for by time.
ENDED_RUNS = Index(
    "ix_engine_runs_ended",
    EngineRun.engine,
    EngineRun.finished_at,
    postgresql_where=text("finished_at IS NOT NULL"),
)
CUT_OFF_RUNS = Index(
    "ix_job_events_cut_off",
    StoredEvent.at,
    postgresql_where=text("kind IN ('run_rescued', 'run_retried', 'run_failed')"),
)
REPORTS_BY_TIME = Index("ix_reports_created_at", StoredReport.created_at)


class Alert(Base):
    """One rule's condition on one thing, from when it first held until it was over."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "uq_alerts_open",
            *("rule", "series"),
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    rule: Mapped[str]
    #: Which thing, as `engine=fake`; empty where there is one alone.
    series: Mapped[str]
    labels: Mapped[dict[str, Any]]
    severity: Mapped[str]
    #: `pending`, `firing` or `resolved`.
    state: Mapped[str]
    #: The metric's value when it was looked at last.
    value: Mapped[float | None]
    #: What is wrong, in a sentence.
    summary: Mapped[str]
    since: Mapped[datetime]
    fired_at: Mapped[datetime | None]
    #: Since when the value has been back where the alert may end.
    clear_since: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    #: When somebody was told of it last; None: nobody was.
    told_at: Mapped[datetime | None]


class AlertDelivery(Base):
    """A message about an alert to one channel."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (
        Index("ix_alert_deliveries_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    #: Counts, so that a later message never overtakes an earlier one.
    number: Mapped[int] = mapped_column(BigInteger, Identity())
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    channel: Mapped[str]
    #: The message as JSON.
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: When it is to be tried; None: it was delivered, or given up.
    due_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    delivered_at: Mapped[datetime | None]
    #: Why the last attempt failed.
    problem: Mapped[str | None]


class AlertSilence(Base):
    """A time in which nobody is told of a rule's alerts."""

    __tablename__ = "alert_silences"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    rule: Mapped[str]
    #: What the alert's labels have to hold.
    labels: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    until: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    who: Mapped[str]
    reason: Mapped[str]


class AlertFact(Base):
    """Something that the metrics' readers have to remember."""

    __tablename__ = "alert_facts"

    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
