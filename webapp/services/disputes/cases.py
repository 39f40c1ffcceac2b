"""One dispute in the hands of somebody who changes it: locked, judged, moved from rung to rung, ended."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.disputes.defaults import Basis, is_bond_lost
from webapp.domain.disputes.rungs import (
    ASSIGNED,
    PANEL_SIZE,
    SIDES,
    Deed,
    Rung,
    Seat,
    Standing,
    obstacle,
    refusal,
)
from webapp.domain.disputes.shares import share_of
from webapp.domain.escrow_states import Party
from webapp.domain.exceptions import DisputeStateError, NotFoundError, PermissionDeniedError
from webapp.domain.roles import WORKER, Actor, Role
from webapp.domain.said import said
from webapp.models import Dispute, Escrow, Outage
from webapp.services import audit_trail
from webapp.services.disputes import assignment, ending, records
from webapp.services.escrow_division import EscrowDivision
from webapp.services.escrow_moves import EscrowMoves
from webapp.services.wallet_integration import WalletIntegration

_PARTIES = {Party.PAYER: Seat.PAYER, Party.PROVIDER: Seat.PROVIDER}


@dataclass(frozen=True, slots=True)
class Case:
    """A dispute with its escrow, how it stood when it was taken up, and where the actor sits."""

    escrow: Escrow
    dispute: Dispute
    standing: Standing
    seats: frozenset[Seat]

    @property
    def sides(self) -> frozenset[Seat]:
        """The sides that the actor is."""
        return self.seats & SIDES


class Cases:
    """Takes up disputes for one actor. The methods that change something want a unit of work."""

    def __init__(
        self, session: Session, settings: Settings, actor: Actor, wallets: WalletIntegration
    ) -> None:
        self._session = session
        self._settings = settings
        self._actor = actor
        self._hours = records.hours_of(settings)
        self._division = EscrowDivision(session, settings, actor, wallets)
        self.escrows = EscrowMoves(session, settings, actor, wallets)

    def take(self, escrow_id: uuid.UUID | str) -> Case:
        """The dispute over an escrow, while others wait. Raises NotFoundError."""
        escrow = self.escrows.get(escrow_id)
        # The escrow's row is locked first, as by everything that ends an escrow.
        self._session.refresh(escrow, with_for_update={"of": Escrow})
        dispute = records.find_dispute(self._session, escrow.id)
        if dispute is None:
            raise NotFoundError(said("there is no dispute over this escrow"))
        return self.look(escrow, dispute)

    def look(self, escrow: Escrow, dispute: Dispute) -> Case:
        """The same without a lock, to read."""
        standing = records.standing_of(self._session, self._settings, escrow, dispute)
        return Case(escrow, dispute, standing, self._seats(escrow, dispute))

    def take_for(self, escrow_id: uuid.UUID | str, deed: Deed, seen: str | None = None) -> Case:
        """The dispute, if this may be done now. `seen` is the rung that the actor had before them.

        Raises NotFoundError, DisputeStateError, PermissionDeniedError.
        """
        case = self.take(escrow_id)
        if seen is not None and seen != case.dispute.rung:
            raise ending.moved_on(case.dispute)
        if reason := obstacle(case.standing, deed, utcnow()):
            raise DisputeStateError(reason)
        if reason := refusal(case.standing, deed, case.seats):
            raise PermissionDeniedError(reason)
        return case

    def go_on(self, case: Case, rung: Rung, **values: Any) -> None:
        """To the next rung: its clock begins, and who it needs is assigned."""
        assignment.leave(self._session, case.dispute, "done")
        self._begin(case, rung=rung.value, reassigned=0, **values)
        seat = ASSIGNED.get(rung)
        if seat is not None:
            self.assign(case, seat, PANEL_SIZE if seat is Seat.PANEL else 1)

    def start_anew(self, case: Case, **values: Any) -> None:
        """The clock of the rung begins once more."""
        self._begin(case, **values)

    def _begin(self, case: Case, **values: Any) -> None:
        now = utcnow()
        ending.change(
            self._session,
            case.dispute,
            rung_since=now,
            rung_ends_at=self._hours.end_of(Rung(values.get("rung", case.dispute.rung)), now),
            outage_id=last_outage_id(self._session),
            is_accepted_by_payer=False,
            is_accepted_by_provider=False,
            **values,
        )

    def assign(self, case: Case, seat: Seat, number: int) -> int:
        """Assign people and say so on the timeline, though not who they are."""
        found = assignment.assign(self._session, case.escrow, case.dispute, seat, number)
        if found:
            until = to_rfc3339(case.dispute.rung_ends_at)
            # Whose turn it is comes of itself, whoever has led the dispute to this rung.
            detail = {"seat": seat.value, "number": found, "until": until}
            audit_trail.append(self._session, case.escrow.id, "dispute_assigned", WORKER.name, detail=detail)
        return found

    def may_reassign(self, case: Case) -> bool:
        """Whether there is somebody else, and the limit is not reached."""
        is_panel = case.standing.rung is Rung.PANEL
        is_within = is_panel or case.dispute.reassigned < self._settings.disputes.reassignments
        return is_within and bool(assignment.available(self._session, case.escrow, case.dispute, 1))

    def end(self, case: Case, share: int, basis: Basis, **detail: Any) -> None:
        """End the dispute, and its escrow with it: `share` (basis points) goes to the provider's side."""
        is_lost = bool(case.dispute.bond) and is_bond_lost(case.standing.opener, basis, share)
        ending.close(self._session, case.dispute, basis, share, is_bond_lost=is_lost)
        told = {"dispute": basis.value, "share_basis_points": share, **detail}
        if case.dispute.bond:
            told["bond"] = "lost" if is_lost else "returned"
        by = Party.AGREEMENT if basis is Basis.PROPOSAL else Party.RULING
        self._division.divide(case.escrow, share_of(case.escrow.amount, share), by, told)

    def record(self, case: Case, kind: str, **detail: Any) -> None:
        """Add to the escrow's timeline."""
        audit_trail.append(self._session, case.escrow.id, kind, self._actor.name, detail=detail)

    def _seats(self, escrow: Escrow, dispute: Dispute) -> frozenset[Seat]:
        sides = {_PARTIES[party] for party in self.escrows.parties(escrow) if party in _PARTIES}
        if self._actor.role is Role.ARBITER:
            mine = (each for each in records.seats_of(self._session, dispute) if each.left_at is None)
            sides |= {Seat(each.seat) for each in mine if each.user_id == self._actor.user_id}
        return frozenset(sides)


def last_outage_id(session: Session) -> int:
    """The outage that was written down last: a clock that begins now did not run into it."""
    return session.scalar(select(func.max(Outage.id))) or 0
