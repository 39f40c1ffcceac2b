"""Nodes of the compute network, as far as escrows need them: who owns them and whether they may sign."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.extensions import Base
from webapp.models.types import UtcDateTime


class Node(Base):
    """A machine that runs tasks for the wallet it belongs to. Its secrets are rows of `signing_keys`."""

    __tablename__ = "nodes"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'suspended')", name="status_known"),
        Index(None, "wallet_id"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    status: Mapped[str] = mapped_column(String(16), default="active")
    registered_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
