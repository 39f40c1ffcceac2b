"""What the daemon holds, block by block; coins that nobody can explain; and the published proofs of solvency."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, BigKey, JsonDocument, UtcDateTime


class DaemonFigures(Base):
    """What the daemon said last, for pages that must not wait for it: one row. `fee_rate` is FLOP per kilobyte."""

    __tablename__ = "daemon_figures"

    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[Amount] = mapped_column(AmountType)
    immature_balance: Mapped[Amount] = mapped_column(AmountType)
    coins: Mapped[int]
    fee_rate: Mapped[Amount] = mapped_column(AmountType)
    block_height: Mapped[int]
    headers: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class Reconciliation(Base):
    """The books against the coins at one block, in base units. `unexplained` is negative when coins are missing.

    `owed` is what people and the fund own here, `in_flight` what has been asked out and is not final, `cold` what lies
    in cold storage; `expected` is what the daemon must hold, and `held` what it holds.
    """

    __tablename__ = "reconciliations"
    __table_args__ = (UniqueConstraint("block_hash"), Index(None, "checked_at"))

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    block_height: Mapped[int]
    block_hash: Mapped[str] = mapped_column(String(64))
    owed: Mapped[int] = mapped_column(BigInteger)
    in_flight: Mapped[int] = mapped_column(BigInteger)
    cold: Mapped[int] = mapped_column(BigInteger)
    expected: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger)
    unexplained: Mapped[int] = mapped_column(BigInteger)
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class UnexplainedCoin(Base):
    """An output that pays the daemon's wallet at an address that was never given out.

    It is `open` until an operator says whose it is: a wallet's (`assigned`), or the operator's own (`ours`). `gone`:
    the chain undid it. Block and depth are kept up while it is open.
    """

    __tablename__ = "unexplained_coins"
    __table_args__ = (
        UniqueConstraint("txid", "vout"),
        CheckConstraint("status IN ('open', 'assigned', 'ours', 'gone')", name="status_known"),
        Index(None, "status", "id"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    txid: Mapped[str] = mapped_column(String(64))
    vout: Mapped[int]
    address: Mapped[str] = mapped_column(String(64))
    amount: Mapped[Amount] = mapped_column(AmountType)
    confirmations: Mapped[int] = mapped_column(default=0)
    block_hash: Mapped[str | None] = mapped_column(String(64))
    block_height: Mapped[int | None]
    status: Mapped[str] = mapped_column(String(16), default="open")
    wallet_id: Mapped[int | None] = mapped_column(ForeignKey("wallets.id"))
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_by: Mapped[str] = mapped_column(String(64), default="")


class SolvencyStatement(Base):
    """A published proof that the coins cover what is owed: `document` is what is published, signatures included.

    `subtrees` are hash and sum of the nodes over each block of leaves: a proof needs no others than its own blocks.
    """

    __tablename__ = "solvency_statements"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    block_height: Mapped[int]
    block_hash: Mapped[str] = mapped_column(String(64))
    root_hash: Mapped[str] = mapped_column(String(64))
    liabilities: Mapped[int] = mapped_column(BigInteger)
    reserves: Mapped[int] = mapped_column(BigInteger)
    document: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    subtrees: Mapped[list[Any]] = mapped_column(JsonDocument)
    published_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class SolvencyLeaf(Base):
    """One balance in a statement's tree. `nonce` is the owner's secret: it keeps others from guessing whose it is."""

    __tablename__ = "solvency_leaves"
    __table_args__ = (Index(None, "statement_id", "wallet_id"),)

    statement_id: Mapped[int] = mapped_column(ForeignKey("solvency_statements.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    wallet_id: Mapped[int | None] = mapped_column(ForeignKey("wallets.id"))
    label: Mapped[str] = mapped_column(String(64))
    amount: Mapped[int] = mapped_column(BigInteger)
    nonce: Mapped[str] = mapped_column(String(64))
