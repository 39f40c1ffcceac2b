"""What the worker and the operators need to know of each other: ticks, leases, halts, alerts, and who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.extensions import Base
from webapp.models.types import BigKey, JsonDocument, UtcDateTime


class WorkerTask(Base):
    """One recurring task of the worker: who holds it, until when, and how its last run went."""

    __tablename__ = "worker_tasks"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(128), default="")
    held_until: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    last_run_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_success_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str] = mapped_column(String(500), default="")


class PayoutHalt(Base):
    """Payouts are stopped while a row here is not cleared. At most one row per cause stands at a time."""

    __tablename__ = "payout_halts"
    __table_args__ = (
        Index(
            "uq_payout_halts_standing_cause",
            "cause",
            unique=True,
            sqlite_where=text("cleared_at IS NULL"),
            postgresql_where=text("cleared_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    cause: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(String(1000))
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cleared_by: Mapped[str] = mapped_column(String(64), default="")


class Alert(Base):
    """Something an operator should look at, once, until someone acknowledges it."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "uq_alerts_standing",
            "kind",
            "subject",
            unique=True,
            sqlite_where=text("acknowledged_at IS NULL"),
            postgresql_where=text("acknowledged_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(128))
    detail: Mapped[str] = mapped_column(String(1000))
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OperatorAction(Base):
    """What an operator did, to what, and why. The database refuses to update or delete it."""

    __tablename__ = "operator_actions"
    __table_args__ = (Index(None, "subject", "id"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(128))
    detail: Mapped[dict[str, Any]] = mapped_column(JsonDocument, default=dict)


class Pulse(Base):
    """When a part was last known to work: `worker`, `daemon`, `site`, and `service` for all of them together."""

    __tablename__ = "pulses"

    part: Mapped[str] = mapped_column(String(16), primary_key=True)
    last_good_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Outage(Base):
    """A time in which people could not rely on the service, from its last good moment to the next one.

    Outages follow each other in id order and never overlap. `parts` names what failed, with commas. `applied_at` is
    when the last deadline had been extended by it.
    """

    __tablename__ = "outages"

    id: Mapped[int] = mapped_column(primary_key=True)
    parts: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime)
    applied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
