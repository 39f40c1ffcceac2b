"""Disputes over escrows that still hold their money: the ladder, who sits where, and what the two sides say."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, UtcDateTime

_SHARE = "share_basis_points >= 0 AND share_basis_points <= 10000"


class Dispute(Base):
    """Who objected, why, where it stands (`domain.disputes.rungs`), and how it ended. An escrow has one at most.

    `rung` changes only by compare-and-set. `rung_ends_at` is extended by outages up to `outage_id`. `answered_at` is
    when the other side first spoke. `reassigned` counts for the present rung. `basis` says what its end rests on
    (`domain.disputes.defaults`), and `share_basis_points` the share of the provider's side that was decided; None
    where the two sides agreed on an amount.
    """

    __tablename__ = "disputes"
    __table_args__ = (
        CheckConstraint(
            "rung IN ('talk', 'mediation', 'arbitration', 'appeal', 'panel', 'ended')", name="rung_known"
        ),
        CheckConstraint("(rung = 'ended') = (ended_at IS NOT NULL)", name="end_is_told"),
        CheckConstraint(_SHARE, name="share_within_whole"),
        CheckConstraint("bond >= 0", name="bond_not_negative"),
        UniqueConstraint("escrow_id"),
        Index(None, "rung", "rung_ends_at"),
        Index(None, "ended_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    escrow_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("escrows.id"))
    opened_by_wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    rung: Mapped[str] = mapped_column(String(16), default="talk")
    rung_since: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    rung_ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    outage_id: Mapped[int] = mapped_column(default=0)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_accepted_by_payer: Mapped[bool] = mapped_column(default=False)
    is_accepted_by_provider: Mapped[bool] = mapped_column(default=False)
    reassigned: Mapped[int] = mapped_column(SmallInteger, default=0)
    appealed_by_wallet_id: Mapped[int | None] = mapped_column(ForeignKey("wallets.id"))
    appeal_reason: Mapped[str | None] = mapped_column(Text)
    bond: Mapped[Amount] = mapped_column(AmountType, default=ZERO)
    is_bond_lost: Mapped[bool] = mapped_column(default=False)
    basis: Mapped[str | None] = mapped_column(String(16))
    share_basis_points: Mapped[int | None] = mapped_column(SmallInteger)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DisputeSeat(Base):
    """Somebody who is assigned to a dispute: as `mediator`, `arbiter`, or to the `panel`; nobody twice.

    What they proposed, ruled or voted: a share for the provider's side, why, and when. `leaving` says how they left:
    `done`, `stepped_down`, or `silent` when the time was over.
    """

    __tablename__ = "dispute_seats"
    __table_args__ = (
        CheckConstraint("seat IN ('mediator', 'arbiter', 'panel')", name="seat_known"),
        CheckConstraint("leaving IN ('done', 'stepped_down', 'silent')", name="leaving_known"),
        CheckConstraint("(left_at IS NULL) = (leaving IS NULL)", name="leaving_is_told"),
        CheckConstraint(
            "(share_basis_points IS NULL) = (decided_at IS NULL) AND (reason IS NULL) = (decided_at IS NULL)",
            name="decision_is_whole",
        ),
        CheckConstraint(_SHARE, name="share_within_whole"),
        UniqueConstraint("dispute_id", "user_id"),
        Index(None, "user_id", "left_at"),
        Index(None, "user_id", "assigned_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dispute_id: Mapped[int] = mapped_column(ForeignKey("disputes.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    seat: Mapped[str] = mapped_column(String(16))
    assigned_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leaving: Mapped[str | None] = mapped_column(String(16))
    share_basis_points: Mapped[int | None] = mapped_column(SmallInteger)
    reason: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DisputeStatement(Base):
    """What one side says, for the other one and for those who are assigned. The database refuses to change it."""

    __tablename__ = "dispute_statements"
    __table_args__ = (Index(None, "dispute_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dispute_id: Mapped[int] = mapped_column(ForeignKey("disputes.id"))
    wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
