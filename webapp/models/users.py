"""People and their browser sessions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.domain.clock import utcnow
from webapp.domain.roles import Role
from webapp.extensions import Base
from webapp.models.types import UtcDateTime


class User(Base):
    """Someone who logs in. `password_hash` is argon2id; the e-mail address is kept in lower case.

    `language` is the one that they have chosen to read, as `es` or `pt_BR`; None: as each browser asks.
    """

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(
            "role IN ('payer', 'provider', 'operator', 'arbiter')",
            name="role_known",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    is_active: Mapped[bool] = mapped_column(default=True)
    language: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    def has_role(self, *roles: Role) -> bool:
        """Whether the user's role is one of these."""
        return self.role in {role.value for role in roles}


class UserSession(Base):
    """One log-in of one browser. The cookie carries a token; only the token's SHA-256 is kept here.

    `confirmed_at` is when its user last proved who they are, at the log-in or since.
    """

    __tablename__ = "user_sessions"
    __table_args__ = (Index(None, "user_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    confirmed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ip_address: Mapped[str] = mapped_column(String(45), default="")
    user_agent: Mapped[str] = mapped_column(String(255), default="")

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)
