"""The service catalogue: what providers offer, and the rules that its results are checked by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, BigKey, JsonDocument, UtcDateTime


class CatalogueService(Base):
    """Something that a provider does for others. An escrow with its name and wallet is an order of it, and keeps the
    rules as they were then: what is changed here counts for later orders.

    `limits` are those of `domain.result_rules.limits`. Without a price, payer and provider agree on one; a deadline or
    acceptance time of None is the usual one. One that is not active can neither be found nor ordered.
    """

    __tablename__ = "services"
    __table_args__ = (
        UniqueConstraint("provider_wallet_id", "name"),
        CheckConstraint("kind IN ('hash', 'image', 'text', 'computation', 'file')", name="kind_known"),
        CheckConstraint("price IS NULL OR price > 0", name="price_positive"),
        Index(None, "provider_wallet_id", "id"),
        Index(None, "is_active", "id"),
        Index(None, "kind", "id"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(16))
    provider_wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    price: Mapped[Amount | None] = mapped_column(AmountType)
    limits: Mapped[dict[str, Any]] = mapped_column(JsonDocument, default=dict)
    requires_result: Mapped[bool] = mapped_column(default=False)
    deadline_hours: Mapped[int | None]
    acceptance_hours: Mapped[int | None]
    description: Mapped[str] = mapped_column(String(1000), default="")
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
