"""Payouts, and the chain transactions that carry them."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.domain.said import said
from webapp.extensions import Base
from webapp.models.types import AmountType, UtcDateTime


class ChainTransaction(Base):
    """A transaction that settlement built and signed. `signed_hex` is what is broadcast, again and again if need be.

    `txid` changes when a malleated twin is the one that confirms. `fee` is the whole transaction's, `size` its bytes;
    `change_index` is the output that comes back to the wallet. `payouts` pays people; the other kinds are the
    service's own upkeep: `merge` makes one coin of many, `sweep` takes `amount` to cold storage, `fee_bump` is a child
    that pays for its parent, and `cancel` spends its parent's inputs so that the parent can never confirm. A foreign
    transaction that has paid payouts of ours stands here as `payouts`, too. Of `payouts`, `amount` is what of our coins
    goes to others than the payees that it has here.

    `block_height` is where it was when it became final, or how high the chain was when it was given up: neither is
    forgotten before the chain has grown far beyond. `times_undone` counts how often the chain contradicted it.
    """

    __tablename__ = "chain_transactions"
    __table_args__ = (
        CheckConstraint(
            "status IN ('signed', 'unknown', 'broadcast', 'confirmed', 'replaced')", name="status_known"
        ),
        CheckConstraint("kind IN ('payouts', 'merge', 'sweep', 'fee_bump', 'cancel')", name="kind_known"),
        Index(None, "status", "block_height"),
        Index(None, "parent_id"),
        Index(None, "txid"),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), default="payouts")
    parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("chain_transactions.id"))
    status: Mapped[str] = mapped_column(String(16))
    txid: Mapped[str] = mapped_column(String(64))
    signed_hex: Mapped[str] = mapped_column(Text)
    fee: Mapped[Amount] = mapped_column(AmountType)
    amount: Mapped[Amount] = mapped_column(AmountType, default=ZERO)
    size: Mapped[int]
    change_index: Mapped[int | None]
    confirmations: Mapped[int] = mapped_column(default=0)
    block_hash: Mapped[str | None] = mapped_column(String(64))
    block_height: Mapped[int | None]
    times_undone: Mapped[int] = mapped_column(default=0)
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
    """Coins on their way out of a wallet; without one they come from the community fund, for an address unknown here.

    `gross` left the wallet or the fund; `fee` and `net` are known once it is signed.

    `awaiting_approval` and `held` keep a payout from being queued: the first until an operator has approved the
    amount, the second until one lets it go. With `is_return_requested` the money goes back to the wallet, and not
    into another transaction, as soon as the present one can never confirm. `times_undone` counts how often the chain
    undid it after it was final.
    """

    __tablename__ = "payouts"
    __table_args__ = (
        CheckConstraint(
            "status IN ('awaiting_approval', 'held', 'queued', 'claimed', 'signed', 'broadcast', 'unknown',"
            " 'confirmed', 'failed')",
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
        Index(None, "wallet_id", "transaction_id"),
        Index(None, "status", "next_attempt_at"),
        Index(None, "status", "status_since"),
        Index(None, "escrow_id"),
        Index(None, "transaction_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    wallet_id: Mapped[int | None] = mapped_column(ForeignKey("wallets.id"))
    escrow_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("escrows.id"))
    address: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(32), default="queued")
    requested_by: Mapped[str] = mapped_column(String(64), default="worker")
    approved_by: Mapped[str | None] = mapped_column(String(64))
    is_return_requested: Mapped[bool] = mapped_column(default=False)
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
    times_undone: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    status_since: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    transaction: Mapped[ChainTransaction | None] = relationship(lazy="joined")

    @property
    def source_name(self) -> str:
        """Whose money it is, in words: a wallet's, or the community fund's."""
        if self.wallet_id is None:
            return said("the community fund")
        return said("wallet {number}", number=self.wallet_id)
