"""Where mail to a user goes, and how far sending it is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.extensions import Base
from webapp.models.types import UtcDateTime


class Mailbox(Base):
    """Mail goes to `address`, which its owner has confirmed by a link, and only while it is the user's.

    `asked_at` is when the user last asked for such a link, `asked_for` the address that still waits for its mail.
    `refused_at` stops everything: the server of the address would not take mail for good. `held_until` is the lease of
    whoever is sending to it now; `attempts` counts what has failed since something was last taken.
    """

    __tablename__ = "mailboxes"
    __table_args__ = (Index(None, "asked_for"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    address: Mapped[str | None] = mapped_column(String(254))
    asked_for: Mapped[str | None] = mapped_column(String(254))
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    held_until: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
