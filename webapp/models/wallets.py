"""Wallets with their two balances, and the deposit addresses that belong to them."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, UtcDateTime
from webapp.models.users import User


class Wallet(Base):
    """What someone owns here. Only `webapp.ledger` changes the balances; the database refuses an overdraft.

    A wallet with a `payout_address` is paid on the chain what it earns, without asking. A wallet is frozen when the
    chain took back a deposit that was spent: nothing leaves it until an operator lifts the freeze.
    """

    __tablename__ = "wallets"
    __table_args__ = (
        CheckConstraint("available >= 0", name="available_not_negative"),
        CheckConstraint("held >= 0", name="held_not_negative"),
        Index(None, "user_id"),
        Index(
            "ix_wallets_frozen",
            "id",
            sqlite_where=text("is_frozen"),
            postgresql_where=text("is_frozen"),
        ),
        # Room beside each row: a changed balance stays on its page, and no index has to be told.
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(64), default="Main")
    available: Mapped[Amount] = mapped_column(AmountType, default=ZERO)
    held: Mapped[Amount] = mapped_column(AmountType, default=ZERO)
    payout_address: Mapped[str | None] = mapped_column(String(64))
    is_frozen: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    user: Mapped[User] = relationship()


class DepositAddress(Base):
    """An address of the daemon's wallet. One that waits in the stock is nobody's; what it is given to is for ever.

    `purpose` is `stock`, `wallet`, `escrow` (pays for the escrow `escrow_id`, whose payer's wallet is `wallet_id`), or
    `refill` (coins that come back from cold storage; no wallet).
    """

    __tablename__ = "deposit_addresses"
    __table_args__ = (
        CheckConstraint("purpose IN ('stock', 'wallet', 'escrow', 'refill')", name="purpose_known"),
        CheckConstraint(
            "(purpose IN ('wallet', 'escrow')) = (wallet_id IS NOT NULL)", name="wallet_fits_purpose"
        ),
        CheckConstraint("(purpose = 'escrow') = (escrow_id IS NOT NULL)", name="escrow_fits_purpose"),
        Index(None, "wallet_id", "assigned_at"),
        Index(None, "escrow_id"),
        Index(None, "purpose", "created_at"),
    )

    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16), default="stock")
    wallet_id: Mapped[int | None] = mapped_column(ForeignKey("wallets.id"))
    escrow_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("escrows.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    assigned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
