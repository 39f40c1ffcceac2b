"""Addresses that somebody sends to again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.extensions import Base
from webapp.models.types import UtcDateTime


class SavedAddress(Base):
    """An address in somebody's book, under a name of their own."""

    __tablename__ = "saved_addresses"
    __table_args__ = (UniqueConstraint("user_id", "label"), UniqueConstraint("user_id", "address"))

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    label: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
