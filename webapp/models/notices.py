"""What people are told, by which ways they want it, how far mail to them is, and how far events have been read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.extensions import Base
from webapp.models.types import BigKey, JsonDocument, UtcDateTime

_IS_UNREAD = text("read_at IS NULL AND is_in_inbox")
_IS_TO_BE_MAILED = text("mailed_at IS NULL AND is_by_mail")


class Notice(Base):
    """Something that one user is told. `source` names the event: from one event, a user is told once.

    `kind` stands in `domain.notices`; the channels are what the user had chosen when it was written. `detail` holds
    what its sentence needs, and nothing secret. `mailed_at` is when the mail server took a mail with it, or when it
    turned out that none is needed, because it had been read.
    """

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("user_id", "source"),
        Index(None, "user_id", "id"),
        Index("ix_notices_unread", "user_id", "id", sqlite_where=_IS_UNREAD, postgresql_where=_IS_UNREAD),
        Index(
            "ix_notices_to_be_mailed",
            "user_id",
            "created_at",
            sqlite_where=_IS_TO_BE_MAILED,
            postgresql_where=_IS_TO_BE_MAILED,
        ),
        Index(None, "subject_id", "user_id"),
        Index(None, "read_at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(32))
    subject_type: Mapped[str] = mapped_column(String(16))
    subject_id: Mapped[str] = mapped_column(String(64), default="")
    source: Mapped[str] = mapped_column(String(128))
    detail: Mapped[dict[str, Any]] = mapped_column(JsonDocument, default=dict)
    is_in_inbox: Mapped[bool]
    is_by_mail: Mapped[bool]
    is_urgent: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    mailed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class NoticeChoice(Base):
    """By which ways a user wants a choice of `domain.notices`. Without a row, the choice's own channels count."""

    __tablename__ = "notice_choices"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    choice: Mapped[str] = mapped_column(String(32), primary_key=True)
    is_in_inbox: Mapped[bool]
    is_by_mail: Mapped[bool]
    is_urgent: Mapped[bool]


class NoticeCursor(Base):
    """How far one kind of event has been told.

    `position` is a row's number, or for events that are found by their time, seconds since 1970. `gaps` are the numbers
    below it that nothing was seen of yet, as `[first, last, fence, noted at]`: a transaction below the fence may still
    commit them. `version` counts the changes, so that of two readers only one goes on.
    """

    __tablename__ = "notice_cursors"

    source: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    gaps: Mapped[list[list[int]]] = mapped_column(JsonDocument, default=list)
    version: Mapped[int] = mapped_column(BigInteger, default=0)
