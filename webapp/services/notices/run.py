"""The worker's pass over everything that people are told of."""

from __future__ import annotations

import time
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.models import Notice
from webapp.services.notices.alarms import AlertReader
from webapp.services.notices.deadlines import Reminders
from webapp.services.notices.money import MoneyReader
from webapp.services.notices.trail import TrailReader
from webapp.services.unit_of_work import unit_of_work

# With more news than can be told in this time, the next run goes on: money goes first.
SECONDS_PER_RUN = 2.0


class NoticeRun:
    """Tells what has happened since it told last."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._readers = (
            TrailReader(session),
            MoneyReader(session),
            AlertReader(session),
            Reminders(session, settings),
        )

    def run(self) -> None:
        """Let each kind of event tell what is new."""
        end = time.monotonic() + SECONDS_PER_RUN
        for reader in self._readers:
            while reader.run() and time.monotonic() < end:
                pass


def forget(session: Session, kept_days: int) -> None:
    """Remove what was read this many days ago, or was only for a mail that has gone."""
    before = utcnow() - timedelta(days=kept_days)
    is_mail_only = Notice.is_in_inbox.is_(False) & (Notice.mailed_at < before)
    with unit_of_work(session):
        session.execute(
            delete(Notice)
            .where((Notice.read_at < before) | is_mail_only)
            .execution_options(synchronize_session=False)
        )
