"""Browser sessions: opened, found, listed, revoked. They end after `session_timeout_minutes` without use."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, joinedload

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import InvalidCredentialsError, NotFoundError
from webapp.domain.notices import Subject
from webapp.domain.said import said
from webapp.models import User, UserSession
from webapp.models.compare_and_set import changes_one_row
from webapp.services.notices import security
from webapp.services.unit_of_work import unit_of_work

ABSOLUTE_LIFETIME = timedelta(days=14)
# A page view refreshes the idle clock at most this often, so that reading does not write every time.
REFRESH_INTERVAL = timedelta(seconds=60)


class Sessions:
    """The sessions of one instance. Tokens are shown once to the browser; the database knows their SHA-256."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._idle_limit = timedelta(minutes=settings.security.session_timeout_minutes)

    def open(
        self, user: User, *, ip_address: str = "", user_agent: str = "", new_device: str | None = None
    ) -> str:
        """Open a session and return its token. The user is told of a `new_device`, which is its name in words.

        Raises InvalidCredentialsError when the password was changed, or the account closed, since it was checked.
        """
        token, checked_hash = secrets.token_urlsafe(32), user.password_hash
        is_as_checked = (User.id == user.id) & (User.password_hash == checked_hash) & User.is_active.is_(True)
        with unit_of_work(self._session):
            if self._session.scalars(select(User.id).where(is_as_checked).with_for_update()).first() is None:
                raise InvalidCredentialsError()
            row = UserSession(
                token_hash=_hash(token),
                user_id=user.id,
                ip_address=ip_address[:45],
                user_agent=user_agent[:255],
            )
            self._session.add(row)
            if new_device is not None:
                security.tell(self._session, user.id, "security.log_in", new_device, Subject.SESSIONS)
        return token

    def is_first(self, user: User) -> bool:
        """Whether the user has never had a session. Those of old accounts are forgotten: they have had one."""
        if utcnow() - user.created_at >= ABSOLUTE_LIFETIME:
            return False
        mine = select(UserSession.id).where(UserSession.user_id == user.id).limit(1)
        return self._session.execute(mine).first() is None

    def find(self, token: str, *, is_used: bool = True) -> UserSession | None:
        """The live session of a token; None when revoked, expired or unknown. Using it refreshes its idle clock."""
        statement = select(UserSession).where(UserSession.token_hash == _hash(token))
        row = self._session.scalars(statement.execution_options(populate_existing=True)).first()
        now = utcnow()
        if row is None or not self._is_live(row, now) or not row.user.is_active:
            return None
        if is_used and now - row.last_seen_at >= REFRESH_INTERVAL:
            with unit_of_work(self._session):
                row.last_seen_at = now
        return row

    def list_users(self, tokens: Collection[str]) -> dict[str, User]:
        """Whose live sessions these are, by token. Those that have ended are left out; looking is no use of them."""
        hashes = {_hash(token): token for token in tokens}
        statement = select(UserSession).options(joinedload(UserSession.user))
        rows = self._session.scalars(statement.where(UserSession.token_hash.in_(hashes)))
        now = utcnow()
        return {
            hashes[row.token_hash]: row.user for row in rows if self._is_live(row, now) and row.user.is_active
        }

    def find_owner(self, token: str) -> int | None:
        """The id of the user whose session this is or was; None for a token that is not known (any more)."""
        return self._session.scalars(
            select(UserSession.user_id).where(UserSession.token_hash == _hash(token))
        ).first()

    def confirm(self, session_id: int) -> None:
        """Note that the session's user has just proved again who they are."""
        with unit_of_work(self._session):
            self._session.execute(
                update(UserSession).where(UserSession.id == session_id).values(confirmed_at=utcnow())
            )

    def list_live(self, user: User) -> list[UserSession]:
        """The user's live sessions, the most recent first."""
        rows = self._session.scalars(
            select(UserSession)
            .where(UserSession.user_id == user.id, UserSession.revoked_at.is_(None))
            .order_by(UserSession.id.desc())
        )
        now = utcnow()
        return [row for row in rows if self._is_live(row, now)]

    def revoke(self, user: User, session_id: int) -> None:
        """End one session of the user. Raises NotFoundError when it is not theirs or has ended."""
        with unit_of_work(self._session):
            is_changed = changes_one_row(
                self._session,
                update(UserSession)
                .where(
                    UserSession.id == session_id,
                    UserSession.user_id == user.id,
                    UserSession.revoked_at.is_(None),
                )
                .values(revoked_at=utcnow()),
            )
            if not is_changed:
                raise NotFoundError(said("there is no such session"))

    def revoke_all(self, user: User, *, except_id: int | None = None) -> None:
        """End every session of the user, but for the one named."""
        with unit_of_work(self._session):
            self._session.execute(
                update(UserSession)
                .where(
                    UserSession.user_id == user.id,
                    UserSession.revoked_at.is_(None),
                    UserSession.id != (except_id or 0),
                )
                .values(revoked_at=utcnow())
            )

    def purge(self) -> None:
        """Forget sessions that could not be live any more."""
        with unit_of_work(self._session):
            self._session.execute(
                delete(UserSession).where(UserSession.created_at < utcnow() - ABSOLUTE_LIFETIME)
            )

    def _is_live(self, row: UserSession, now: datetime) -> bool:
        return (
            row.revoked_at is None
            and now - row.last_seen_at < self._idle_limit
            and now - row.created_at < ABSOLUTE_LIFETIME
        )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
