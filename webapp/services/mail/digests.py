"""What is to be sent to whom now: links to confirm an address, and notices gathered into one mail.

Whoever sends to a mailbox holds it meanwhile, so that no other worker sends the same; a worker that vanishes in the
middle lets it go after a while, and the mail is sent again rather than lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.models import Mailbox, Notice, User
from webapp.models.compare_and_set import changes_one_row
from webapp.services.unit_of_work import unit_of_work

LEASE = timedelta(minutes=5)
BATCH = 50
SHOWN = 30
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=2)
# After so many mails in a row that were not taken, within about half a day, an address counts as one that takes none.
MOST_ATTEMPTS = 12

_PENDING = Notice.is_by_mail & Notice.mailed_at.is_(None)


@dataclass(frozen=True, slots=True)
class Digest:
    """The newest of what one user is to be told by mail, newest last; `total` counts all up to `last_id`."""

    notices: Sequence[Notice]
    total: int
    last_id: int


class Digests:
    """The queue of mail. `wait` is how long notices are gathered."""

    def __init__(self, session: Session, wait: timedelta) -> None:
        self._session = session
        self._wait = wait

    def asking(self) -> list[User]:
        """Users who wait for a link to confirm their address."""
        now = utcnow()
        statement = (
            select(User)
            .join(Mailbox, Mailbox.user_id == User.id)
            .where(Mailbox.asked_for == User.email, User.is_active, Mailbox.next_attempt_at <= now)
            .where(Mailbox.held_until <= now)
            .limit(BATCH)
        )
        return self._ended(statement)

    def due(self) -> list[User]:
        """Users whose oldest unread notice has waited long enough, or who want one of them at once."""
        now = utcnow()
        # Asked mailbox by mailbox: most notices belong to people who get no mail.
        is_waiting = (
            select(Notice.id)
            .where(Notice.user_id == Mailbox.user_id, _PENDING, Notice.read_at.is_(None))
            .where(or_(Notice.is_urgent, Notice.created_at <= now - self._wait))
            .exists()
        )
        statement = (
            select(User)
            .join(Mailbox, Mailbox.user_id == User.id)
            .where(Mailbox.address == User.email, Mailbox.refused_at.is_(None), User.is_active)
            .where(Mailbox.next_attempt_at <= now, Mailbox.held_until <= now, is_waiting)
            .limit(BATCH)
        )
        return self._ended(statement)

    def hold(self, user_id: int) -> bool:
        """Take the mailbox; False when another worker has it."""
        now = utcnow()
        with unit_of_work(self._session):
            return changes_one_row(
                self._session,
                update(Mailbox)
                .where(Mailbox.user_id == user_id, Mailbox.held_until <= now, Mailbox.next_attempt_at <= now)
                .values(held_until=now + LEASE),
            )

    def gather(self, user_id: int) -> Digest | None:
        """What is to be told; None when it has been read meanwhile."""
        mine = _PENDING & (Notice.user_id == user_id) & Notice.read_at.is_(None)
        newest = select(Notice).where(mine).order_by(Notice.id.desc()).limit(SHOWN)
        rows = list(self._session.scalars(newest))
        total = self._session.execute(select(func.count()).select_from(Notice).where(mine)).scalar_one()
        self._session.commit()
        return Digest(rows[::-1], total, rows[0].id) if rows else None

    def sent_link(self, user_id: int) -> None:
        """The link is on its way."""
        self._let_go(user_id, asked_for=None)

    def sent(self, user_id: int, last_id: int) -> None:
        """The server has taken a mail with everything up to this notice."""
        now = utcnow()
        with unit_of_work(self._session):
            self._session.execute(
                update(Notice)
                .where(Notice.user_id == user_id, _PENDING, Notice.id <= last_id)
                .values(mailed_at=now)
                .execution_options(synchronize_session=False)
            )
            self._let_go(user_id)

    def failed(self, user_id: int) -> bool:
        """It was not taken: the next attempt is later each time. False when that was the last one."""
        with unit_of_work(self._session):
            mailbox = self._session.get_one(Mailbox, user_id, populate_existing=True, with_for_update=True)
            mailbox.attempts += 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(mailbox.attempts - 1, 10))
            mailbox.next_attempt_at = mailbox.held_until = utcnow() + pause
            return mailbox.attempts < MOST_ATTEMPTS

    def release(self, user_id: int) -> None:
        """Nothing was sent, through no fault of the address."""
        with unit_of_work(self._session):
            self._session.execute(
                update(Mailbox)
                .where(Mailbox.user_id == user_id)
                .values(held_until=utcnow())
                .execution_options(synchronize_session=False)
            )

    def _let_go(self, user_id: int, **values: object) -> None:
        with unit_of_work(self._session):
            self._session.execute(
                update(Mailbox)
                .where(Mailbox.user_id == user_id)
                .values(attempts=0, held_until=utcnow(), **values)
                .execution_options(synchronize_session=False)
            )

    def _ended(self, statement) -> list[User]:  # type: ignore[no-untyped-def]
        rows = list(self._session.scalars(statement))
        self._session.commit()
        return rows
