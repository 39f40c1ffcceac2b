"""Keys that programs and nodes sign with, the nonces that they have used, and a count of what changes them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, JsonDocument, UtcDateTime
from webapp.models.wallets import Wallet


class SigningKey(Base):
    """A secret shared with a program. It acts for one wallet, within its scopes and its spend limit.

    `secret_sealed` is encrypted at rest. `spend_limit` is what the key may ever take out of the available balance;
    None means no limit. `answers_for` are the keys that this one replaced, the first one first: it verifies what they
    were named to verify, and spends from the first one's limit.
    """

    __tablename__ = "signing_keys"
    __table_args__ = (
        CheckConstraint("spend_limit IS NULL OR spent <= spend_limit", name="spent_within_limit"),
        Index(None, "wallet_id", "created_at"),
        Index(None, "node_id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    node_id: Mapped[str | None] = mapped_column(ForeignKey("nodes.id"))
    label: Mapped[str] = mapped_column(String(64), default="")
    secret_sealed: Mapped[str] = mapped_column(String(512))
    scopes: Mapped[list[str]] = mapped_column(JsonDocument)
    spend_limit: Mapped[Amount | None] = mapped_column(AmountType)
    spent: Mapped[Amount] = mapped_column(AmountType, default=ZERO)
    answers_for: Mapped[list[str]] = mapped_column(JsonDocument, default=list)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    wallet: Mapped[Wallet] = relationship()

    def is_usable(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class RequestNonce(Base):
    """A nonce that a key has used. It stays until its request would be too old anyway.

    There is no index by time: whoever removes old ones removes nearly all that there are.
    """

    __tablename__ = "request_nonces"

    key_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(128), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeyEpoch(Base):
    """How often what decides on signing keys has changed; one row. Triggers count it, in the transaction of the change.

    What counts: a key that is made or removed, and a change of any column of it but `label` and `spent`, of
    `users.is_active`, or of `nodes.status`. PostgreSQL counts at the commit, so that nobody who waits for this row
    keeps others waiting for long, or for ever.
    """

    __tablename__ = "key_epoch"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)


class KeyChange(Base):
    """Whose keys the change of this number was about. The latest ones are kept; the numbers have no gaps."""

    __tablename__ = "key_changes"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    wallet_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
