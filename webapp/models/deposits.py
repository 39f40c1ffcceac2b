"""Deposits seen on the chain, and how far the chain has been read."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, BigKey, UtcDateTime


class Deposit(Base):
    """One output that pays one of our addresses. `shortfall` is what was spent before the chain took it back.

    `credit_round` counts the credits: each credit and each reversal is a journal entry of its own. Without a wallet
    it is a refill: coins that come back from cold storage. `escrow_id` names the escrow whose own address was paid,
    `held_amount` what of the deposit that escrow took, and `disposition` what became of it when it was credited.
    """

    __tablename__ = "deposits"
    __table_args__ = (
        UniqueConstraint("txid", "vout"),
        CheckConstraint("status IN ('seen', 'credited', 'reversed')", name="status_known"),
        CheckConstraint(
            "disposition IN ('balance', 'refill', 'part', 'exact', 'over', 'double', 'late')",
            name="disposition_known",
        ),
        CheckConstraint("held_amount <= amount", name="held_within_amount"),
        Index(None, "wallet_id", "id"),
        Index(None, "status", "block_height"),
        Index(None, "escrow_id"),
        Index(None, "credited_at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    wallet_id: Mapped[int | None] = mapped_column(ForeignKey("wallets.id"))
    escrow_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("escrows.id"))
    address: Mapped[str] = mapped_column(ForeignKey("deposit_addresses.address"))
    txid: Mapped[str] = mapped_column(String(64))
    vout: Mapped[int]
    amount: Mapped[Amount] = mapped_column(AmountType)
    held_amount: Mapped[Amount] = mapped_column(AmountType, default=ZERO)
    status: Mapped[str] = mapped_column(String(16), default="seen")
    disposition: Mapped[str] = mapped_column(String(16), default="balance")
    confirmations: Mapped[int] = mapped_column(default=0)
    block_hash: Mapped[str | None] = mapped_column(String(64))
    block_height: Mapped[int | None]
    credit_round: Mapped[int] = mapped_column(default=0)
    shortfall: Mapped[Amount] = mapped_column(AmountType, default=ZERO)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    credited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ChainCursor(Base):
    """How far the chain has been read: one row. `since_block` is deep enough to be read again at every tick.

    `pass_number` belongs to the reading that began last; only that one may write, since its view is the newest.
    """

    __tablename__ = "chain_cursor"

    id: Mapped[int] = mapped_column(primary_key=True)
    since_block: Mapped[str] = mapped_column(String(64))
    tip_hash: Mapped[str] = mapped_column(String(64))
    tip_height: Mapped[int]
    pass_number: Mapped[int] = mapped_column(default=0)
    read_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
