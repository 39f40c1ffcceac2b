"""Whose address may be written to: confirmed by a link that was sent there, and switched off by another."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ConflictError, ValidationError
from webapp.domain.notices import Subject
from webapp.domain.said import said
from webapp.models import Mailbox, Notice, User
from webapp.models.insert_once import insert_once
from webapp.services.mail.links import Confirmation
from webapp.services.notices import security
from webapp.services.unit_of_work import unit_of_work

# Whoever gives somebody else's address must not fill it with links.
BETWEEN_LINKS = timedelta(minutes=10)


class Mailboxes:
    """The mailboxes of one instance."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, user_id: int) -> Mailbox | None:
        """A user's, if they have ever asked for mail."""
        return self._session.get(Mailbox, user_id, populate_existing=True)

    def ask(self, user: User) -> None:
        """Have a link sent to the user's address. Raises ConflictError when one was sent a moment ago."""
        now = utcnow()
        with unit_of_work(self._session):
            insert_once(self._session, Mailbox, {"user_id": user.id})
            mailbox = self._locked(user.id)
            if mailbox.asked_at is not None and now - mailbox.asked_at < BETWEEN_LINKS:
                raise ConflictError(
                    said("a link was sent a few minutes ago; look for it, or try again later")
                )
            mailbox.asked_at, mailbox.asked_for = now, user.email
            mailbox.attempts, mailbox.next_attempt_at = 0, now

    def confirm(self, confirmation: Confirmation) -> None:
        """Mail goes to this address from here on; what was told before is not sent any more.

        Raises ValidationError naming `token` when the address is not the user's any more.
        """
        now = utcnow()
        with unit_of_work(self._session):
            user = self._session.get(User, confirmation.user_id)
            if user is None or not user.is_active or user.email != confirmation.address:
                raise ValidationError.of("token", said("is for another address than yours is now"))
            insert_once(self._session, Mailbox, {"user_id": user.id})
            mailbox = self._locked(user.id)
            if mailbox.address == user.email and mailbox.refused_at is None:
                return
            mailbox.address, mailbox.confirmed_at, mailbox.refused_at = user.email, now, None
            mailbox.asked_for, mailbox.attempts, mailbox.next_attempt_at = None, 0, now
            self._session.execute(
                update(Notice)
                .where(Notice.user_id == user.id, Notice.is_by_mail, Notice.mailed_at.is_(None))
                .values(mailed_at=now)
                .execution_options(synchronize_session=False)
            )

    def switch_off(self, user_id: int) -> None:
        """Send no mail any more, until an address is confirmed again. What was off stays so."""
        with unit_of_work(self._session):
            self._session.execute(
                update(Mailbox)
                .where(Mailbox.user_id == user_id)
                .values(address=None, asked_for=None, asked_at=None, confirmed_at=None, refused_at=None)
                .execution_options(synchronize_session=False)
            )

    def refuse(self, user_id: int) -> None:
        """Stop: the address takes no mail. Its owner reads so in the inbox."""
        with unit_of_work(self._session):
            mailbox = self._locked(user_id)
            is_new, mailbox.refused_at, mailbox.asked_for = mailbox.refused_at is None, utcnow(), None
            if is_new:
                security.tell(self._session, user_id, "security.mail_refused", subject=Subject.NOTICES)

    def _locked(self, user_id: int) -> Mailbox:
        statement = select(Mailbox).where(Mailbox.user_id == user_id).with_for_update()
        return self._session.scalars(statement.execution_options(populate_existing=True)).one()
