"""Reminders: some hours before a deadline, whoever can do something about it is told, once for each of these times.

A clock that stands still reminds nobody, and after an outage the deadlines are moved first. One that was moved reminds
again by its new time, unless the reader was reminded only a little too early for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp.config import Settings
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.disputes.rungs import Rung
from webapp.domain.escrow_states import Status
from webapp.domain.notices import REMINDERS, Subject
from webapp.models import Dispute, DisputeSeat, Escrow, Notice, Outage
from webapp.services import downtime
from webapp.services.escrow_payments import is_short
from webapp.services.escrow_scans import is_in
from webapp.services.notices.book import Draft, told_together, write
from webapp.services.notices.cursor import Cursor
from webapp.services.notices.readers import owners
from webapp.services.unit_of_work import unit_of_work

# Deadlines that were set by a transaction that ended late are found within this time.
OVERLAP = timedelta(minutes=10)
# Nobody minds a reminder that is so much later.
LOOK_SECONDS = 20.0
# The place is moved on this seldom while nothing is told: moving it is a write.
STEP = timedelta(minutes=2)
# A reminder that came so much of its time too early counts all the same.
TOO_EARLY = 1 / 4


@dataclass(frozen=True, slots=True)
class Clock:
    """A deadline of an escrow in one state, from when it runs, and whose wallet can do something about it.

    With `rungs` it is that of a dispute on one of them; without a `wallet` it is for those who are assigned to it.
    """

    kind: str
    status: Status
    deadline: InstrumentedAttribute[Any]
    started: InstrumentedAttribute[Any]
    wallet: InstrumentedAttribute[int] | None
    rungs: tuple[Rung, ...] = ()


_RUNG = (Status.DISPUTED, Dispute.rung_ends_at, Dispute.rung_since)

CLOCKS = (
    Clock("pays.fund_soon", Status.PENDING, Escrow.fund_by, Escrow.created_at, Escrow.payer_wallet_id),
    Clock(
        "provides.deliver_soon",
        Status.ACTIVE,
        Escrow.expires_at,
        Escrow.created_at,
        Escrow.provider_wallet_id,
    ),
    Clock(
        "pays.accept_soon", Status.DELIVERED, Escrow.accept_by, Escrow.delivered_at, Escrow.payer_wallet_id
    ),
    Clock("pays.appeal_soon", *_RUNG, Escrow.payer_wallet_id, (Rung.APPEAL,)),
    Clock("provides.appeal_soon", *_RUNG, Escrow.provider_wallet_id, (Rung.APPEAL,)),
    Clock("arbiter.decide_soon", *_RUNG, None, (Rung.MEDIATION, Rung.ARBITRATION, Rung.PANEL)),
)


class Reminders:
    """Looks at the deadlines that have come as near as one of the times since it looked last."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._cursor = Cursor(session, "deadlines")
        self._next_at = 0.0

    def run(self) -> bool:
        """Remind of what has come near, if it is time to look again. False: nothing is left."""
        if time.monotonic() < self._next_at:
            return False
        self._next_at = time.monotonic() + LOOK_SECONDS
        now = utcnow()
        if self._stands_still(now):
            self._session.commit()
            return False
        place = self._cursor.look()
        since = datetime.fromtimestamp(place.position, UTC) if place.position else now
        drafts = [draft for clock in CLOCKS for draft in self._due(clock, since - OVERLAP, now)]
        self._session.commit()
        if drafts or not place.position or now - since > STEP:
            with unit_of_work(self._session):
                if self._cursor.move(place, place.at(int(now.timestamp()))):
                    write(self._session, told_together(drafts))
        return False

    def _stands_still(self, now: datetime) -> bool:
        unapplied = select(Outage.id).where(Outage.applied_at.is_(None)).limit(1)
        if self._session.execute(unapplied).first() is not None:
            return True
        return downtime.ongoing(self._session, self._settings, now) is not None

    def _due(self, clock: Clock, since: datetime, now: datetime) -> Iterator[Draft]:
        """One draft for each escrow of this clock, for the shortest time that it has come as near as."""
        nearest: dict[Any, tuple[Row[Any], timedelta]] = {}
        for lead in sorted(REMINDERS, reverse=True):
            for row in self._session.execute(_near(clock, since + lead, now + lead)):
                if row.started + lead < row.deadline and now < row.deadline:
                    nearest[row.id, row.reader_id] = row, lead
        if not nearest:
            return
        readers = {row.reader_id for row, _ in nearest.values()}
        users = (
            owners(self._session, readers) if clock.wallet is not None else {each: each for each in readers}
        )
        told = self._told(clock, {str(escrow_id) for escrow_id, _ in nearest})
        for row, lead in nearest.values():
            user_id = users.get(row.reader_id)
            hours = int(lead / timedelta(hours=1))
            reminded_at = told.get((user_id, str(row.id), hours))
            is_reminded = reminded_at is not None and reminded_at >= row.deadline - lead * (1 + TOO_EARLY)
            if user_id is not None and not is_reminded:
                yield _draft(row, clock, user_id, hours)

    def _told(self, clock: Clock, escrow_ids: set[str]) -> dict[tuple[int | None, str, int], datetime]:
        """When whom was last reminded of which escrow, by hours."""
        rows = self._session.execute(
            select(Notice.user_id, Notice.subject_id, Notice.detail, Notice.created_at)
            .where(Notice.subject_id.in_(escrow_ids), Notice.kind == clock.kind)
            .order_by(Notice.id)
        )
        return {
            (row.user_id, row.subject_id, int(row.detail["hours"])): row.created_at
            for row in rows
            if "hours" in row.detail
        }


def _draft(row: Row[Any], clock: Clock, user_id: int, hours: int) -> Draft:
    deadline: datetime = row.deadline
    source = f"due:{row.id}:{clock.kind}:{hours}:{int(deadline.timestamp())}"
    detail = {
        "service": row.service_name,
        "amount": str(row.amount),
        "deadline": to_rfc3339(deadline),
        "hours": str(hours),
    }
    return Draft(user_id, clock.kind, source, Subject.ESCROW, str(row.id), detail)


def _near(clock: Clock, after: datetime, until: datetime) -> Any:
    """Escrows of this clock with a deadline between the two."""
    reader = clock.wallet if clock.wallet is not None else DisputeSeat.user_id
    statement = select(
        Escrow.id,
        Escrow.service_name,
        Escrow.amount,
        reader.label("reader_id"),
        clock.deadline.label("deadline"),
        clock.started.label("started"),
    ).where(is_in(clock.status), clock.deadline > after, clock.deadline <= until)
    if clock.rungs:
        statement = statement.join(Dispute, Dispute.escrow_id == Escrow.id).where(
            Dispute.rung.in_(clock.rungs)
        )
    if clock.wallet is None:
        # Who has decided, or has left, is not waited for.
        statement = statement.join(DisputeSeat, DisputeSeat.dispute_id == Dispute.id).where(
            DisputeSeat.left_at.is_(None), DisputeSeat.decided_at.is_(None)
        )
    # Whoever has sent the coins can only wait for the chain.
    return statement.where(is_short()) if clock.status is Status.PENDING else statement
