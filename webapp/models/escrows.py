"""Escrow contracts and their append-only audit trail."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.domain.escrow_facts import DerivedFacts
from webapp.domain.money import ZERO, Amount
from webapp.extensions import Base
from webapp.models.limited_index import limited_index
from webapp.models.types import AmountType, BigKey, JsonDocument, UtcDateTime

# What an index may be limited to. A query must say the same, in the statement itself (`is_exactly`); states
# that are joined by OR are found one by one on both databases.
_IS_LIVE = "status = 'pending' OR status = 'active' OR status = 'delivered' OR status = 'disputed'"
_IS_DELIVERED = "status = 'delivered'"
_IS_PENDING = "status = 'pending'"
_HAS_VERIFIER = "verifier_key_id IS NOT NULL"


class Escrow(DerivedFacts, Base):
    """An amount that a payer locked for a task. `status` changes only by compare-and-set.

    `funding` is `balance` (locked at creation) or `deposit`: then it is `pending` until coins for the whole amount
    have arrived at `deposit_address` before `fund_by`; `deposited_amount` is what it holds of them so far, and what is
    left over goes to `refund_address`, or into the payer's balance without one. `outage_id` is the last outage that
    its clocks were extended for. `worked_by_node_id` is the node that it names, or else the one whose key signed the
    result: its work counts for that node. `service_terms` are the rules of the catalogue's service that it orders
    (`services.service_orders`), as they were when it was created.

    One with `has_own_terms` ends by these (`EscrowTerms`), and `expires_at` is when they have ended it at the latest.

    One that is a part of a plan says which: `part_number` counts from 1. Everything else is its own.

    `fund_basis_points` is the community fund's share as it was agreed. One that is `resolved` was divided: the two
    resolved amounts were paid, and the rest went back to the payer.
    """

    __tablename__ = "escrows"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("provider_amount + community_amount = amount", name="split_is_exact"),
        CheckConstraint("provider_amount >= 0 AND community_amount >= 0", name="split_not_negative"),
        CheckConstraint(
            "(status = 'resolved') = (resolved_provider_amount IS NOT NULL)"
            " AND (resolved_provider_amount IS NULL) = (resolved_community_amount IS NULL)"
            " AND resolved_provider_amount + resolved_community_amount < amount",
            name="division_is_told",
        ),
        CheckConstraint("payer_wallet_id <> provider_wallet_id", name="two_wallets"),
        # The migrations give PostgreSQL the words of this and of `funding_known` as an array, which it reads faster.
        CheckConstraint(
            "status IN ('pending', 'active', 'delivered', 'disputed', 'released', 'refunded', 'resolved')",
            name="status_known",
        ),
        # Lists are scanned state by state, for one side or for everybody: by id, by amount and, of those that have not
        # ended, by deadline. Every escrow pays for these twice, when it is made and when it ends.
        Index(None, "payer_wallet_id", "status", "id"),
        Index(None, "provider_wallet_id", "status", "id"),
        Index(None, "status", "id"),
        Index(None, "payer_wallet_id", "status", "amount", "id"),
        Index(None, "provider_wallet_id", "status", "amount", "id"),
        Index(None, "status", "amount", "id"),
        limited_index("payer_wallet_id", "status", "expires_at", "id", where=_IS_LIVE),
        limited_index("provider_wallet_id", "status", "expires_at", "id", where=_IS_LIVE),
        limited_index("status", "expires_at", "id", where=_IS_LIVE),
        # What few escrows have is an index of these few.
        limited_index("status", "accept_by", "id", where=_IS_DELIVERED),
        limited_index("payer_wallet_id", "status", "accept_by", "id", where=_IS_DELIVERED),
        limited_index("status", "fund_by", "id", where=_IS_PENDING),
        limited_index("payer_wallet_id", "status", "fund_by", "id", where=_IS_PENDING),
        limited_index("provider_wallet_id", "status", "fund_by", "id", where=_IS_PENDING),
        limited_index("payer_wallet_id", "id", where="refund_address IS NOT NULL"),
        limited_index("payer_wallet_id", "created_at", where="funding = 'deposit'"),
        limited_index("verifier_key_id", "status", "id", where=_HAS_VERIFIER),
        limited_index("verifier_key_id", "status", "amount", "id", where=_HAS_VERIFIER),
        limited_index("verifier_key_id", "status", "expires_at", "id", where=_HAS_VERIFIER),
        limited_index(
            "worked_by_node_id", "id", where="worked_by_node_id IS NOT NULL", name="ix_escrows_worked_by"
        ),
        limited_index(
            "payer_wallet_id", "status", "expires_at", where="has_own_terms", name="ix_escrows_own_terms"
        ),
        CheckConstraint(
            "(plan_id IS NULL) = (part_number IS NULL) AND (plan_id IS NULL) = (part_title IS NULL)",
            name="part_is_whole",
        ),
        limited_index(
            "plan_id", "part_number", where="plan_id IS NOT NULL", name="uq_escrows_part", is_unique=True
        ),
        CheckConstraint("funding IN ('balance', 'deposit')", name="funding_known"),
        CheckConstraint(
            "deposited_amount >= 0 AND deposited_amount <= amount", name="deposited_within_amount"
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    payer_wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    provider_wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    amount: Mapped[Amount] = mapped_column(AmountType)
    provider_amount: Mapped[Amount] = mapped_column(AmountType)
    community_amount: Mapped[Amount] = mapped_column(AmountType)
    fund_basis_points: Mapped[int] = mapped_column(SmallInteger, server_default=text("500"))
    resolved_provider_amount: Mapped[Amount | None] = mapped_column(AmountType)
    resolved_community_amount: Mapped[Amount | None] = mapped_column(AmountType)
    status: Mapped[str] = mapped_column(String(16))
    service_name: Mapped[str] = mapped_column(String(128))
    task_id: Mapped[str] = mapped_column(String(128))
    plan_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("plans.id"))
    part_number: Mapped[int | None] = mapped_column(SmallInteger)
    part_title: Mapped[str | None] = mapped_column(String(128))
    funding: Mapped[str] = mapped_column(String(16), default="balance")
    deposit_address: Mapped[str | None] = mapped_column(String(64))
    deposited_amount: Mapped[Amount] = mapped_column(AmountType, default=ZERO)
    refund_address: Mapped[str | None] = mapped_column(String(64))
    fund_by: Mapped[datetime | None] = mapped_column(UtcDateTime)
    has_own_terms: Mapped[bool] = mapped_column(default=False, server_default=false())
    outage_id: Mapped[int] = mapped_column(default=0)
    task_metadata: Mapped[dict[str, Any]] = mapped_column("metadata", JsonDocument, default=dict)
    provider_node_id: Mapped[str | None] = mapped_column(ForeignKey("nodes.id"))
    worked_by_node_id: Mapped[str | None] = mapped_column(ForeignKey("nodes.id"))
    verifier_key_id: Mapped[str | None] = mapped_column(ForeignKey("signing_keys.id"))
    service_terms: Mapped[dict[str, Any] | None] = mapped_column(JsonDocument)
    expected_result_hash: Mapped[str | None] = mapped_column(String(64))
    result_hash: Mapped[str | None] = mapped_column(String(64))
    provider_signature: Mapped[str | None] = mapped_column(String(64))
    refund_reason: Mapped[str | None] = mapped_column(String(500))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    accept_by: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refunded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class EscrowTransaction(Base):
    """One event of an escrow's audit trail. The database refuses to update or delete it.

    `hash` is the SHA-256 of the canonical JSON of the row with the hash of the row before it, so that nothing can be
    taken out, put in or reordered without every later hash being wrong. `amount` is in base units where money moved.
    """

    __tablename__ = "escrow_transactions"
    __table_args__ = (UniqueConstraint("escrow_id", "sequence"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    escrow_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("escrows.id"))
    sequence: Mapped[int]
    kind: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(64))
    amount: Mapped[Amount | None] = mapped_column(AmountType)
    detail: Mapped[dict[str, Any]] = mapped_column(JsonDocument, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
