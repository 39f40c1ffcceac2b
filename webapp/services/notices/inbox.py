"""Somebody's inbox: what is in it, how much of it is unread, and reading it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import NotFoundError
from webapp.domain.notices import Subject
from webapp.domain.pagination import Page, checked_limit, decode_cursor, row_id
from webapp.models import Notice
from webapp.services.unit_of_work import lone_write

# More than this is "many": nobody counts further.
COUNTED = 99


@dataclass(frozen=True, slots=True)
class Unread:
    """How many notices are unread, up to one more than `COUNTED`, and the number of the newest, or 0."""

    count: int
    newest: int


class Inbox:
    """The notices of one user."""

    def __init__(self, session: Session, user_id: int) -> None:
        self._session = session
        self._is_mine = (Notice.user_id == user_id) & Notice.is_in_inbox
        self._is_unread = self._is_mine & Notice.read_at.is_(None)

    def unread(self) -> Unread:
        """How much is unread."""
        some = (
            select(Notice.id).where(self._is_unread).order_by(Notice.id.desc()).limit(COUNTED + 1).subquery()
        )
        count, newest = self._session.execute(select(func.count(), func.max(some.c.id))).one()
        return Unread(count, newest or 0)

    def newest(self, since: int) -> Notice | None:
        """What came last of what is unread, if it came after this one."""
        statement = select(Notice).where(self._is_unread, Notice.id > since)
        return self._session.scalars(statement.order_by(Notice.id.desc()).limit(1)).first()

    def page(self, *, only_unread: bool, cursor: str | None = None, limit: int | None = None) -> Page[Notice]:
        """Some of them, the newest first. Raises ValidationError naming `cursor` or `limit`."""
        size, before = checked_limit(limit), decode_cursor(cursor, row_id)
        statement = select(Notice).where(self._is_unread if only_unread else self._is_mine)
        if before is not None:
            statement = statement.where(Notice.id < before)
        rows = list(self._session.scalars(statement.order_by(Notice.id.desc()).limit(size + 1)))
        return Page.of(rows, size, lambda row: row.id)

    def open(self, notice_id: int) -> Notice:
        """One of them, which is read by that. Raises NotFoundError."""
        notice = self._session.scalars(select(Notice).where(self._is_mine, Notice.id == notice_id)).first()
        if notice is None:
            raise NotFoundError(f"there is no notice {notice_id}")
        if notice.read_at is None:
            self.mark_read(notice_id)
        return notice

    def mark_read(self, notice_id: int) -> None:
        """One has been read. Whoever has read it before changes nothing."""
        self._read(Notice.id == notice_id)

    def mark_all_read(self, up_to: int) -> None:
        """Everything up to this one has been read: what came after it was not on the page."""
        self._read(Notice.id <= up_to)

    def mark_subject_read(self, subject: Subject, subject_id: str) -> None:
        """Whatever was told of this thing has been read: its reader is looking at it. Writes only if there is any."""
        of_it = (Notice.subject_type == subject.value) & (Notice.subject_id == subject_id)
        if (
            self._session.execute(select(Notice.id).where(self._is_unread, of_it).limit(1)).first()
            is not None
        ):
            self._read(of_it)

    def _read(self, which) -> None:  # type: ignore[no-untyped-def]
        with lone_write(self._session):
            self._session.execute(
                update(Notice)
                .where(self._is_unread, which)
                .values(read_at=utcnow())
                .execution_options(synchronize_session=False)
            )
