"""Escrows that belong together: one piece of work that is paid for in parts."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, UtcDateTime


class Plan(Base):
    """What several escrows of one payer and one provider are the parts of. It holds no money and has no state: its
    parts do, each by itself. `total` is the sum of their amounts, `parts` how many they are.
    """

    __tablename__ = "plans"
    __table_args__ = (
        CheckConstraint("total > 0", name="total_positive"),
        CheckConstraint("parts >= 2", name="has_parts"),
        CheckConstraint("payer_wallet_id <> provider_wallet_id", name="two_wallets"),
        Index(None, "payer_wallet_id", "id"),
        Index(None, "provider_wallet_id", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    payer_wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    provider_wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    title: Mapped[str] = mapped_column(String(128))
    total: Mapped[Amount] = mapped_column(AmountType)
    parts: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
