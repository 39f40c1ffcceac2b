"""Outcomes counted per node and day, so that nobody has to go through the journal for a reputation.

A day's rows say nothing that the journal does not: they can be counted again at any time. The worker counts a day until
an hour after its end, since a transaction commits a moment after the time that its entry carries.
"""

from __future__ import annotations

import time
from dataclasses import fields
from datetime import date, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import reputation as rules
from webapp.domain.clock import utcnow
from webapp.domain.reputation import DayTally
from webapp.models import NodeDay
from webapp.services.nodes import outcomes
from webapp.services.unit_of_work import unit_of_work

STILL_CHANGES = timedelta(hours=1)
# A run that took longer than a worker may be silent would look like an outage; the next run goes on.
SECONDS_PER_RUN = 3.0
ONE_DAY = timedelta(days=1)
COUNTS = tuple(field.name for field in fields(DayTally))
_TURN = 0x6E6F64655F646179  # "node_day"


def tally_day(session: Session, settings: Settings, day: date) -> int:
    """Count one day (UTC) again and replace its rows, in one unit of work. Returns how many rows changed."""
    with unit_of_work(session):
        _take_turn(session)
        before, after = _stored(session, day), outcomes.of_day(session, settings, day)
        gone = before.keys() - after.keys()
        for node_id in gone:
            session.execute(delete(NodeDay).where(NodeDay.node_id == node_id, NodeDay.day == day))
        rows = [_row(node_id, tally) for node_id, tally in after.items() if before.get(node_id) != tally]
        for statement, is_known in ((update(NodeDay), True), (insert(NodeDay), False)):
            if some := [row for row in rows if (row["node_id"] in before) is is_known]:
                session.execute(statement, some)
    return len(gone) + len(rows)


class Tallies:
    """The worker's count of today, and of every day that was missed. It remembers which day comes next."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._next: date | None = None

    def run(self) -> int:
        """Count what may have changed since the last run. Returns how many rows changed."""
        now, end = utcnow(), time.monotonic() + SECONDS_PER_RUN
        open_from = (now - STILL_CHANGES).date()
        day = min(self._next or first_missed(self._session) or open_from, open_from)
        changed = 0
        while day <= now.date() and time.monotonic() < end:
            changed += tally_day(self._session, self._settings, day)
            day += ONE_DAY
        self._next = min(day, open_from)
        return changed


def tally_since(session: Session, settings: Settings, day: date) -> int:
    """Count every day from this one to today again. Returns how many rows changed.

    It is for operators who have changed `nodes.counted_from_amount`: days that were counted know nothing of it.
    """
    days = range((utcnow().date() - day).days + 1)
    return sum(tally_day(session, settings, day + number * ONE_DAY) for number in days)


def first_missed(session: Session) -> date | None:
    """The first day that may have been counted in part or not at all; None if there is nothing to count."""
    newest: date | None = session.scalar(select(func.max(NodeDay.day)))
    return newest - ONE_DAY if newest else outcomes.first_day(session)


def is_behind(session: Session, settings: Settings) -> bool:
    """Whether days that are over have outcomes that were never counted, as after an outage: they count for nobody yet.

    Days are counted in their order, so it is enough to look at those after the last one that has any.
    """
    newest: date | None = session.scalar(select(func.max(NodeDay.day)))
    since = newest + ONE_DAY if newest else date.min
    until = (utcnow() - STILL_CHANGES).date()
    return since < until and outcomes.are_any(session, settings, since, until)


def first_day(session: Session, settings: Settings, *, is_all: bool) -> date:
    """Where to begin a count of all days, or of those that weigh something or were missed."""
    today = utcnow().date()
    if is_all:
        return outcomes.first_day(session) or today
    oldest = rules.first_day(today, settings.nodes.reputation_half_life_days)
    return min(oldest, first_missed(session) or today)


def _take_turn(session: Session) -> None:
    """Wait for another who counts, so as to count after them. A unit of work on SQLite has the only write lock."""
    if session.connection().dialect.name != "sqlite":
        session.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})


def _stored(session: Session, day: date) -> dict[str, DayTally]:
    rows = session.scalars(
        select(NodeDay).where(NodeDay.day == day).execution_options(populate_existing=True)
    )
    return {row.node_id: DayTally(**{name: getattr(row, name) for name in COUNTS}) for row in rows}


def _row(node_id: str, tally: DayTally) -> dict[str, Any]:
    return {"node_id": node_id, **{name: getattr(tally, name) for name in COUNTS}}
