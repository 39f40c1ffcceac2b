"""What those who are assigned to a dispute do: propose, rule, vote, or step down.

Each is a unit of work of its own and is written down as a deed of theirs. They raise NotFoundError, DisputeStateError,
PermissionDeniedError, ValidationError naming `share_basis_points` or `reason`.
"""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.disputes.defaults import Basis
from webapp.domain.disputes.rungs import ASSIGNED, Deed, Rung, Seat
from webapp.domain.disputes.shares import checked_share
from webapp.domain.disputes.votes import decide
from webapp.domain.exceptions import DisputeStateError
from webapp.domain.roles import WORKER, Actor
from webapp.domain.said import said
from webapp.models import Dispute, DisputeSeat
from webapp.services import audit_trail, offer_terms, operator_actions
from webapp.services.disputes import records
from webapp.services.disputes.cases import Case, Cases
from webapp.services.escrow_terms import stated_reason
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration


class Judging:
    """Disputes, as whoever is assigned to them decides them."""

    def __init__(
        self, session: Session, settings: Settings, actor: Actor, wallets: WalletIntegration
    ) -> None:
        self._session = session
        self._actor = actor
        self._cases = Cases(session, settings, actor, wallets)

    def propose(
        self, escrow_id: uuid.UUID | str, share: int, reason: str, seen: str | None = None
    ) -> Dispute:
        """As the mediator: propose a division, once. Both sides get mediation's time anew to accept it."""
        share, text = checked_share(share), stated_reason(reason)
        with unit_of_work(self._session):
            case = self._cases.take_for(escrow_id, Deed.PROPOSE, seen)
            self._decide(case, share, text)
            self._cases.start_anew(case)
            until = to_rfc3339(case.dispute.rung_ends_at)
            self._cases.record(case, "dispute_proposed", share_basis_points=share, reason=text, until=until)
            self._note(case, Deed.PROPOSE, share_basis_points=share, reason=text)
        return case.dispute

    def rule(self, escrow_id: uuid.UUID | str, share: int, reason: str, seen: str | None = None) -> Dispute:
        """As the arbiter: state a ruling. It is executed when the time to appeal is over, or both accept it."""
        share, text = checked_share(share), stated_reason(reason)
        with unit_of_work(self._session):
            case = self._cases.take_for(escrow_id, Deed.RULE, seen)
            self._decide(case, share, text)
            self._cases.go_on(case, Rung.APPEAL)
            offer_terms.lapse(self._session, case.escrow.id)
            until = to_rfc3339(case.dispute.rung_ends_at)
            self._cases.record(case, "dispute_ruled", share_basis_points=share, reason=text, until=until)
            self._note(case, Deed.RULE, share_basis_points=share, reason=text)
        return case.dispute

    def vote(self, escrow_id: uuid.UUID | str, share: int, reason: str, seen: str | None = None) -> Dispute:
        """As a member of the panel: vote, once. Nobody sees it before all are in or the time is over."""
        share, text = checked_share(share), stated_reason(reason)
        with unit_of_work(self._session):
            case = self._cases.take_for(escrow_id, Deed.VOTE, seen)
            self._decide(case, share, text)
            # What it says stays sealed here, too.
            self._cases.record(case, "dispute_vote")
            self._note(case, Deed.VOTE)
            self._count_if_complete(case)
        return case.dispute

    def step_down(self, escrow_id: uuid.UUID | str, reason: str, seen: str | None = None) -> Dispute:
        """Leave it to somebody else, for good. A mediator's or an arbiter's successor has the whole time."""
        text = stated_reason(reason)
        with unit_of_work(self._session):
            case = self._cases.take_for(escrow_id, Deed.STEP_DOWN, seen)
            mine = self._undecided_seat(case)
            mine.left_at, mine.leaving = utcnow(), records.STEPPED_DOWN
            self._session.flush()
            self._cases.record(case, "dispute_stepped_down", seat=mine.seat)
            self._note(case, Deed.STEP_DOWN, reason=text)
            self._replace(case)
        return case.dispute

    def _replace(self, case: Case) -> None:
        seat = ASSIGNED[case.standing.rung]
        if seat is Seat.PANEL:
            if not self._cases.assign(case, seat, 1):
                self._count_if_complete(case)
            return
        if self._cases.may_reassign(case):
            self._cases.start_anew(case, reassigned=case.dispute.reassigned + 1)
            self._cases.assign(case, seat, 1)

    def _decide(self, case: Case, share: int, reason: str) -> None:
        mine = self._undecided_seat(case)
        mine.share_basis_points, mine.reason, mine.decided_at = share, reason, utcnow()
        self._session.flush()

    def _undecided_seat(self, case: Case) -> DisputeSeat:
        """The actor's own. Who has voted neither votes again nor leaves: a successor's would be one vote too many."""
        seats = records.seated(records.seats_of(self._session, case.dispute))
        mine = next(each for each in seats if each.user_id == self._actor.user_id)
        if mine.decided_at is not None:
            raise DisputeStateError(said("you have voted already"))
        return mine

    def _count_if_complete(self, case: Case) -> None:
        """Decide when all votes are in; a panel of one waits for its time to be filled up."""
        seats = records.seated(records.seats_of(self._session, case.dispute))
        if len(seats) >= 2 and all(each.decided_at is not None for each in seats):
            count_votes(self._session, self._cases, case)

    def _note(self, case: Case, deed: Deed, **detail: object) -> None:
        subject = f"escrow:{case.escrow.id}"
        operator_actions.record(self._session, self._actor, f"dispute_{deed}", subject, **detail)


def count_votes(session: Session, cases: Cases, case: Case) -> None:
    """Open the votes that are there, and end the dispute by what they say."""
    seats = records.seats_of(session, case.dispute)
    first = records.ruling(seats)
    if first is None or first.share_basis_points is None:
        raise DisputeStateError(said("there is no ruling that could stand"))
    votes = [
        (each.share_basis_points, each.reason)
        for each in seats
        if each.seat == Seat.PANEL and each.share_basis_points is not None
    ]
    decision = decide([share for share, _ in votes], first.share_basis_points)
    told = [{"share_basis_points": share, "reason": reason} for share, reason in votes]
    detail = {
        "votes": told,
        "share_basis_points": decision.share,
        "way": decision.way.value,
        "is_upheld": decision.upholds(first.share_basis_points),
    }
    audit_trail.append(session, case.escrow.id, "dispute_votes", WORKER.name, detail=detail)
    cases.end(case, decision.share, Basis.PANEL, way=decision.way.value)
