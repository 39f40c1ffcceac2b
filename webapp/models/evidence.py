"""What the sides of a disputed escrow say and show. The files themselves lie sealed in the instance folder."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.extensions import Base
from webapp.models.types import BigKey, UtcDateTime


class EvidenceItem(Base):
    """A text, a file, or both, from one side. The database refuses to update or delete it.

    `hash` covers the item with the hash of the one before it (`domain.evidence.chain`), and stands on the escrow's
    audit trail. `sha256` and `size` are those of the file as it was handed in; `stored_as` is where it lies sealed
    (`services.evidence.vault`), and `media_type` is what its content was found to be.
    """

    __tablename__ = "evidence"
    __table_args__ = (
        UniqueConstraint("escrow_id", "number"),
        UniqueConstraint("stored_as"),
        CheckConstraint("side IN ('payer', 'provider')", name="side_known"),
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint(
            "(sha256 IS NULL) = (file_name IS NULL) AND (sha256 IS NULL) = (media_type IS NULL)"
            " AND (sha256 IS NULL) = (size IS NULL) AND (sha256 IS NULL) = (stored_as IS NULL)",
            name="file_is_whole",
        ),
        CheckConstraint("text <> '' OR sha256 IS NOT NULL", name="says_something"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    escrow_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("escrows.id"))
    number: Mapped[int]
    by_wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    side: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text, default="")
    file_name: Mapped[str | None] = mapped_column(String(128))
    media_type: Mapped[str | None] = mapped_column(String(64))
    size: Mapped[int | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    stored_as: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class CaseFileKey(Base):
    """A key that case files are signed with. The newest one signs; older ones stay, to check what they have signed."""

    __tablename__ = "case_file_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_key: Mapped[str] = mapped_column(String(64), unique=True)
    sealed_private_key: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
