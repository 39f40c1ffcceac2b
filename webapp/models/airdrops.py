"""Airdrops of the community fund: what was decided from which facts, who was to get what, and what became of it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, BigKey, JsonDocument, UtcDateTime


class Airdrop(Base):
    """One giving back of the fund. `number` counts them all and is unique: of several workers one takes the next.

    `snapshot` -> `paying` -> `done`, or `abandoned` from `snapshot` when the fund has less than was to be given. In
    `snapshot` the document and its recipients stand and nothing has moved. The one journal entry `airdrop:<id>` is
    posted with the change to `paying`; `total` is what it moved. `done` is when every recipient's share is where it
    was to go, or `failed`. `reason` says why it was abandoned, or why an operator gave it.
    """

    __tablename__ = "airdrops"
    __table_args__ = (
        CheckConstraint("kind IN ('automatic', 'manual')", name="kind_known"),
        CheckConstraint("status IN ('snapshot', 'paying', 'done', 'abandoned')", name="status_known"),
        Index(None, "status"),
        Index(None, "kind", "taken_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    requested_by: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(500), default="")
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    block_height: Mapped[int]
    balance: Mapped[Amount] = mapped_column(AmountType)
    total: Mapped[Amount] = mapped_column(AmountType, default=ZERO)
    recipient_count: Mapped[int]
    snapshot_hash: Mapped[str] = mapped_column(String(64))
    posted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AirdropSnapshot(Base):
    """The facts an airdrop was decided from, byte for byte as published: canonical JSON, hashed with SHA-256."""

    __tablename__ = "airdrop_snapshots"

    airdrop_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("airdrops.id"), primary_key=True)
    document: Mapped[str] = mapped_column(Text)


class AirdropRecipient(Base):
    """A node's share of an airdrop, once. A node that is known only to an outside registry has no wallet here.

    `chosen` -> `credited` (in its wallet's balance, to stay), or -> `paying` (in the payout `payout_id`) -> `paid`, or
    `failed` (the fund kept it, or has it back; `reason` says why). A share that was to go to an address and could not
    is `credited` to the wallet, with the reason.
    """

    __tablename__ = "airdrop_recipients"
    __table_args__ = (
        CheckConstraint("pay_to IN ('balance', 'chain')", name="pay_to_known"),
        CheckConstraint("status IN ('chosen', 'credited', 'paying', 'paid', 'failed')", name="status_known"),
        CheckConstraint("wallet_id IS NOT NULL OR pay_to = 'chain'", name="wallet_or_address"),
        CheckConstraint("amount > 0", name="amount_positive"),
        Index(None, "airdrop_id", "position"),
        Index(None, "airdrop_id", "status"),
        Index(None, "node_id", "airdrop_id"),
        Index(None, "payout_id"),
    )

    airdrop_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("airdrops.id"), primary_key=True)
    node_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int]
    amount: Mapped[Amount] = mapped_column(AmountType)
    wallet_id: Mapped[int | None] = mapped_column(ForeignKey("wallets.id"))
    pay_to: Mapped[str] = mapped_column(String(16))
    address: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16), default="chosen")
    payout_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("payouts.id"))
    reason: Mapped[str] = mapped_column(String(500), default="")


class AirdropWait(Base):
    """What the next automatic airdrop waits for, as the worker saw it last: one row, for pages and alerts.

    `due_since` is when balance and interval allowed it, `blocked_since` when something first kept it from going since
    then; `reason` is what does so now, as a sentence. All are empty while no airdrop is due.
    """

    __tablename__ = "airdrop_waits"

    id: Mapped[int] = mapped_column(primary_key=True)
    due_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    blocked_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(String(1000), default="")


class FundRuleChange(Base):
    """A change of the fund's rules that an operator decided. It holds from `effective_at` on, unless withdrawn before.

    `changes` maps each key of the rules to {"old", "new"}; amounts are text with eight decimals.
    """

    __tablename__ = "fund_rule_changes"
    __table_args__ = (Index(None, "effective_at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    decided_by: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(500))
    effective_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changes: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_by: Mapped[str | None] = mapped_column(String(64))
