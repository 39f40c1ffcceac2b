"""Offers to divide an escrow, and what became of them."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, BigKey, UtcDateTime

_IS_OPEN = text("status = 'open'")


class SettlementOffer(Base):
    """What one side of an escrow offers to the other: `share` of the amount for the provider's side, before the
    community fund's part of it. `made_while` is the escrow's state at that time; `answers_id` the offer of the other
    side that it was made in place of.

    Only `status`, `ended_at` and `ended_by` ever change, once. At most one of each side is stored as open; it may have
    lapsed all the same (`domain.offers.status_now`).
    """

    __tablename__ = "settlement_offers"
    __table_args__ = (
        CheckConstraint("side IN ('payer', 'provider')", name="side_known"),
        CheckConstraint("share >= 0", name="share_not_negative"),
        CheckConstraint(
            "status IN ('open', 'replaced', 'countered', 'accepted', 'declined', 'withdrawn', 'expired', 'lapsed')",
            name="status_known",
        ),
        CheckConstraint("(status = 'open') = (ended_at IS NULL)", name="end_is_told"),
        Index(None, "escrow_id", "id"),
        Index(
            "uq_settlement_offers_one_open",
            "escrow_id",
            "side",
            unique=True,
            sqlite_where=_IS_OPEN,
            postgresql_where=_IS_OPEN,
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    escrow_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("escrows.id"))
    side: Mapped[str] = mapped_column(String(8))
    share: Mapped[Amount] = mapped_column(AmountType)
    message: Mapped[str] = mapped_column(String(500), default="")
    answers_id: Mapped[int | None] = mapped_column(ForeignKey("settlement_offers.id"))
    made_by: Mapped[str] = mapped_column(String(64))
    made_while: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16), default="open")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(String(64))
