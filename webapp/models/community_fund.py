"""The community fund's figures over time, with the settings that were in force."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, UtcDateTime


class CommunityFund(Base):
    """The fund at one moment. The journal is the truth; this is its history in a form that is quick to draw."""

    __tablename__ = "community_fund"
    __table_args__ = (Index(None, "recorded_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    balance: Mapped[Amount] = mapped_column(AmountType)
    total_collected: Mapped[Amount] = mapped_column(AmountType)
    total_distributed: Mapped[Amount] = mapped_column(AmountType)
    airdrop_threshold: Mapped[Amount] = mapped_column(AmountType)
    min_airdrop_amount: Mapped[Amount] = mapped_column(AmountType)
    airdrop_interval_hours: Mapped[int]
    max_airdrop_nodes: Mapped[int]
