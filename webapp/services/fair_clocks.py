"""After an outage: every live escrow's deadlines are moved by it, and its timeline says so.

What has not been moved yet is judged as if it had been (`downtime.fair_terms`), so the order does not matter to
anybody; those whose deadline is nearest come first.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.escrow_states import Status
from webapp.domain.fair_time import Pause, extended, in_words
from webapp.models import Escrow, Outage
from webapp.services import audit_trail
from webapp.services.downtime import unapplied
from webapp.services.escrow_scans import Scan, first_ids, is_in
from webapp.services.terms.records import look_again
from webapp.services.unit_of_work import unit_of_work

CHUNK = 100
# A run that took longer than a worker may be silent would look like the next outage.
SECONDS_PER_RUN = 3.0
# The clocks that run in each state: (deadline, what the moment is called on the timeline).
_CLOCKS = {
    Status.PENDING: (("fund_by", "to pay"), ("expires_at", "to deliver")),
    Status.ACTIVE: (("expires_at", "to deliver"),),
    Status.DELIVERED: (("accept_by", "to object"),),
}
# Under terms of its own an escrow has one deadline, which all others come before: they are judged with every outage.
_OWN_TERMS = (("expires_at", "until its end"),)


class FairClocks:
    """The worker's pass over the escrows that an outage has touched."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self) -> int:
        """Extend what is left, for a few seconds; the next run goes on. Returns how many escrows were looked at."""
        latest = self._latest_unapplied()
        if latest is None:
            return 0
        done, end = 0, time.monotonic() + SECONDS_PER_RUN
        while time.monotonic() < end:
            ids = self._due(latest)
            if not ids:
                self._finish(latest)
                break
            for escrow_id in ids:
                self._extend(escrow_id, latest.id)
                done += 1
                if time.monotonic() >= end:
                    break
        return done

    def _latest_unapplied(self) -> Outage | None:
        statement = select(Outage).where(Outage.applied_at.is_(None)).order_by(Outage.id.desc()).limit(1)
        found = self._session.scalars(statement).first()
        self._session.commit()
        return found

    def _due(self, latest: Outage) -> Sequence[uuid.UUID]:
        """Live escrows that were there before the outage ended and have not been extended for it."""
        waits = (Escrow.outage_id < latest.id, Escrow.created_at < latest.ended_at)
        scans = []
        for status in _CLOCKS:
            nearest = Escrow.accept_by if status is Status.DELIVERED else Escrow.expires_at
            scans.append(Scan((is_in(status), *waits), (nearest, Escrow.id), nearest))
        ids = self._session.scalars(first_ids(scans, CHUNK)).all()
        self._session.commit()
        return ids

    def _extend(self, escrow_id: uuid.UUID, latest_id: int) -> None:
        """Move one escrow's deadlines and tell its timeline; each is a unit of work of its own, repeated harmlessly."""
        with unit_of_work(self._session):
            escrow = self._session.get_one(
                Escrow, escrow_id, populate_existing=True, with_for_update={"of": Escrow}
            )
            if escrow.outage_id >= latest_id:
                return
            pauses = unapplied(self._session, escrow)
            escrow.outage_id = latest_id
            clocks = _CLOCKS.get(Status(escrow.status), ())
            if clocks and escrow.has_own_terms:
                clocks = _OWN_TERMS
                look_again(self._session, escrow.id)
            for column, purpose in clocks:
                self._move(escrow, column, purpose, pauses)

    def _move(self, escrow: Escrow, column: str, purpose: str, pauses: list[Pause]) -> None:
        before: datetime | None = getattr(escrow, column)
        if before is None:
            return
        started = escrow.delivered_at if column == "accept_by" else escrow.created_at
        after = extended(before, started or escrow.created_at, pauses)
        if after == before:
            return
        setattr(escrow, column, after)
        escrow.updated_at = utcnow()
        detail = {
            "deadline": column,
            "purpose": purpose,
            "from": to_rfc3339(before),
            "to": to_rfc3339(after),
            "lost": in_words(after - before),
        }
        audit_trail.append(self._session, escrow.id, "deadline_extended", "worker", detail=detail)

    def _finish(self, latest: Outage) -> None:
        with unit_of_work(self._session):
            self._session.execute(
                update(Outage)
                .where(Outage.id <= latest.id, Outage.applied_at.is_(None))
                .values(applied_at=utcnow())
                .execution_options(synchronize_session=False)
            )
