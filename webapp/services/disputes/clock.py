"""What time does to disputes: rungs whose time is over lead on, and end by default where nobody did anything."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.disputes.defaults import Basis, CountVotes, End, GoOn, Reassign, when_time_is_over
from webapp.domain.disputes.rungs import ASSIGNED, PANEL_SIZE, Rung, Seat
from webapp.domain.exceptions import ConflictError, DuxosError
from webapp.domain.fair_time import extended, in_words
from webapp.domain.roles import WORKER
from webapp.models import Dispute
from webapp.services import audit_trail, downtime
from webapp.services.disputes import assignment, ending, records
from webapp.services.disputes.cases import Case, Cases, last_outage_id
from webapp.services.disputes.judging import count_votes
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration

log = structlog.get_logger(__name__)

BATCH = 200


class DisputeClock:
    """One pass over what is due. Each dispute is a unit of work of its own; somebody else may be quicker."""

    def __init__(self, session: Session, settings: Settings, wallets: WalletIntegration) -> None:
        self._session = session
        self._settings = settings
        self._cases = Cases(session, settings, WORKER, wallets)

    def run(self) -> int:
        """Extend what an outage has touched, and lead on what is due. Returns how many disputes moved.

        While the service is out, only what was due before is: the other clocks stand still.
        """
        self._extend_all()
        now = utcnow()
        now = downtime.ongoing(self._session, self._settings, now) or now
        due = self._ids(Dispute.rung_ends_at <= now)
        return sum(self._attempt(escrow_id) for escrow_id in due)

    def _ids(self, *conditions) -> Sequence[uuid.UUID]:  # type: ignore[no-untyped-def]
        live = Dispute.rung.in_([rung.value for rung in Rung if rung is not Rung.ENDED])
        statement = select(Dispute.escrow_id).where(live, *conditions).order_by(Dispute.rung_ends_at)
        ids = self._session.scalars(statement.limit(BATCH)).all()
        self._session.commit()
        return ids

    def _attempt(self, escrow_id: uuid.UUID) -> bool:
        try:
            with unit_of_work(self._session):
                case = self._cases.take(escrow_id)
                is_due = case.standing.rung is not Rung.ENDED and case.standing.is_over(utcnow())
                if is_due:
                    self._lead_on(case)
        except ConflictError:
            return False  # A party acted between the look and the move.
        except DuxosError as error:
            # One dispute that cannot move must not hold up those behind it.
            log.error("dispute_clock_failed", escrow=str(escrow_id), reason=error.detail)
            return False
        return is_due

    def _lead_on(self, case: Case) -> None:
        seats = records.seats_of(self._session, case.dispute)
        votes = sum(each.seat == Seat.PANEL and each.decided_at is not None for each in seats)
        step = when_time_is_over(case.standing, may_reassign=self._cases.may_reassign(case), votes=votes)
        match step:
            case GoOn(rung):
                self._cases.record(case, f"dispute_{rung}", why="time")
                self._cases.go_on(case, rung)
            case Reassign():
                self._reassign(case)
            case CountVotes():
                count_votes(self._session, self._cases, case)
            case End(None, basis):
                ruled = records.ruling(seats)
                share = ruled.share_basis_points if ruled else None
                self._cases.end(case, share if share is not None else 0, basis)
            case End(share, basis):
                kind = "dispute_silence" if basis is Basis.SILENCE else "dispute_no_ruling"
                self._cases.record(case, kind, share_basis_points=share)
                self._cases.end(case, share or 0, basis)

    def _reassign(self, case: Case) -> None:
        """Replace who was silent; the votes of a panel that are in stay in."""
        gone = assignment.leave(self._session, case.dispute, "silent", only_undecided=True)
        seat = ASSIGNED[case.standing.rung]
        number = PANEL_SIZE - len(records.seated(records.seats_of(self._session, case.dispute)))
        self._cases.record(case, "dispute_reassigned", seat=seat.value, silent=gone)
        self._cases.start_anew(case, reassigned=case.dispute.reassigned + 1)
        self._cases.assign(case, seat, number if seat is Seat.PANEL else 1)

    def _extend_all(self) -> None:
        latest = last_outage_id(self._session)
        self._session.commit()
        for escrow_id in self._ids(Dispute.outage_id < latest):
            with unit_of_work(self._session):
                self._extend(escrow_id, latest)

    def _extend(self, escrow_id: uuid.UUID, latest: int) -> None:
        """Move the end of a rung by the outages that it ran into, and tell the timeline; repeated harmlessly."""
        audit_trail.lock(self._session, escrow_id)
        dispute = records.find_dispute(self._session, escrow_id)
        if dispute is None or dispute.rung == Rung.ENDED or dispute.outage_id >= latest:
            return
        before = dispute.rung_ends_at
        pauses = downtime.outages_after(self._session, dispute.outage_id, dispute.rung_since)
        after = extended(before, dispute.rung_since, pauses)
        ending.change(self._session, dispute, outage_id=latest, rung_ends_at=after)
        if after != before:
            detail = {
                "deadline": "rung_ends_at",
                "purpose": _PURPOSES[Rung(dispute.rung)],
                "from": to_rfc3339(before),
                "to": to_rfc3339(after),
                "lost": in_words(after - before),
            }
            audit_trail.append(self._session, escrow_id, "deadline_extended", WORKER.name, detail=detail)


_PURPOSES = {
    Rung.TALK: "to answer",
    Rung.MEDIATION: "to mediate",
    Rung.ARBITRATION: "to rule",
    Rung.APPEAL: "to appeal",
    Rung.PANEL: "to vote",
}
