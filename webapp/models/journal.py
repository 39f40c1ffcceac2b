"""The double-entry journal. Rows are only ever added; the database refuses the rest."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.extensions import Base
from webapp.models.limited_index import limited_index
from webapp.models.types import AmountType, BigKey, Total, UtcDateTime


class JournalEntry(Base):
    """One business event, such as `escrow:<id>:release`. Its key is unique: it cannot happen twice."""

    __tablename__ = "journal_entries"
    __table_args__ = (
        Index(None, "escrow_id"),
        # How escrows ended, day by day.
        limited_index(
            "created_at",
            where="kind = 'escrow_release' OR kind = 'escrow_refund' OR kind = 'escrow_resolve'",
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    key: Mapped[str] = mapped_column(String(128), unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    escrow_id: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class Posting(Base):
    """An amount that moved from one account to another; see `domain.accounts` for the names."""

    __tablename__ = "postings"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("source <> destination", name="two_accounts"),
        # The postings of an entry are written together and stay together: where they lie is known by its page alone.
        Index(
            None,
            "journal_entry_id",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
        ),
        Index(None, "source", "id"),
        Index(None, "destination", "id"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    journal_entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entries.id"))
    source: Mapped[str] = mapped_column(String(32))
    destination: Mapped[str] = mapped_column(String(32))
    amount: Mapped[Amount] = mapped_column(AmountType)


class AccountCheckpoint(Base):
    """A pooled account up to and including posting `last_posting_id`: what came in and what went out, ever.

    What flows through an account may exceed what can exist, so totals are wider than amounts.
    """

    __tablename__ = "account_checkpoints"

    account: Mapped[str] = mapped_column(String(32), primary_key=True)
    total_in: Mapped[int] = mapped_column(Total)
    total_out: Mapped[int] = mapped_column(Total)
    last_posting_id: Mapped[int] = mapped_column(BigInteger)
    folded_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
