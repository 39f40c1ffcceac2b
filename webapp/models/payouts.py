"""Payouts, and the chain transactions that carry them."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, UtcDateTime


class ChainTransaction(Base):
    """A transaction that settlement built and signed. `signed_hex` is what is broadcast, again and again if need be.

    `txid` changes when a malleated twin is the one that confirms. `fee` is the whole transaction's.
    """

    __tablename__ = "chain_transactions"
    __table_args__ = (
        CheckConstraint(
            "status IN ('signed', 'unknown', 'broadcast', 'confirmed', 'replaced')", name="status_known"
        ),
        Index(None, "status"),
        Index(None, "txid"),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    txid: Mapped[str] = mapped_column(String(64))
    signed_hex: Mapped[str] = mapped_column(Text)
    fee: Mapped[Amount] = mapped_column(AmountType)
    confirmations: Mapped[int] = mapped_column(default=0)
    block_hash: Mapped[str | None] = mapped_column(String(64))
    built_on_block: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    broadcast_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    inputs: Mapped[list[ChainTransactionInput]] = relationship(lazy="selectin")


class ChainTransactionInput(Base):
    """An outpoint that one of our transactions spends: what is followed, since txids may change."""

    __tablename__ = "chain_transaction_inputs"
    __table_args__ = (Index(None, "txid", "vout"),)

    transaction_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("chain_transactions.id"), primary_key=True)
    txid: Mapped[str] = mapped_column(String(64), primary_key=True)
    vout: Mapped[int] = mapped_column(primary_key=True)


class Payout(Base):
    """Coins on their way out of a wallet. `gross` left the wallet; `fee` and `net` are known once it is signed."""

    __tablename__ = "payouts"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'claimed', 'signed', 'broadcast', 'unknown', 'confirmed', 'failed')",
            name="status_known",
        ),
        CheckConstraint("gross > 0", name="gross_positive"),
        CheckConstraint("fee_paid_by IN ('recipient', 'fund')", name="fee_payer_known"),
        CheckConstraint(
            "net IS NULL OR (fee_paid_by = 'recipient' AND net + fee = gross)"
            " OR (fee_paid_by = 'fund' AND net = gross)",
            name="net_is_exact",
        ),
        Index(None, "wallet_id", "id"),
        Index(None, "status", "next_attempt_at"),
        Index(None, "escrow_id"),
        Index(None, "transaction_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    escrow_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("escrows.id"))
    address: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16), default="queued")
    gross: Mapped[Amount] = mapped_column(AmountType)
    fee: Mapped[Amount | None] = mapped_column(AmountType)
    net: Mapped[Amount | None] = mapped_column(AmountType)
    fee_paid_by: Mapped[str] = mapped_column(String(16))
    transaction_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("chain_transactions.id"))
    output_index: Mapped[int | None]
    claim_token: Mapped[str | None] = mapped_column(String(128))
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    attempts: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    status_since: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    transaction: Mapped[ChainTransaction | None] = relationship(lazy="joined")
