"""What the two sides do in a dispute: open it, speak, go on to the next rung, accept, appeal.

Each is a unit of work of its own. They raise NotFoundError for an escrow that is not theirs, DisputeStateError when it
cannot be done at present, PermissionDeniedError when it is not theirs to do, ValidationError naming the field.
"""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.canonical import sha256_hex
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.disputes.defaults import Basis
from webapp.domain.disputes.rungs import PANEL_SIZE, Deed, Rung, Seat
from webapp.domain.escrow_states import Action, Party
from webapp.domain.exceptions import DisputeStateError, ValidationError
from webapp.domain.reasons import checked_reason
from webapp.domain.roles import Actor, Scope
from webapp.domain.said import said
from webapp.models import Dispute, DisputeStatement, Escrow
from webapp.services.disputes import assignment, bonds, ending, records
from webapp.services.disputes.cases import Case, Cases, last_outage_id
from webapp.services.escrow_terms import stated_reason
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration

LONGEST_STATEMENT = 4000
MAX_STATEMENTS = 50


class DisputeLadder:
    """Disputes, as one of their two sides climbs them."""

    def __init__(
        self, session: Session, settings: Settings, actor: Actor, wallets: WalletIntegration
    ) -> None:
        self._session = session
        self._settings = settings
        self._actor = actor
        self._cases = Cases(session, settings, actor, wallets)

    def open(self, escrow_id: uuid.UUID | str, reason: str) -> Escrow:
        """Object while the money is still held: the escrow's clocks stop, and the other side is to answer.

        Raises EscrowStateError, PermissionDeniedError, ValidationError; InsufficientFundsError without the bond.
        """
        self._actor.require_scope(Scope.ESCROW_DISPUTE)
        text = stated_reason(reason)
        with unit_of_work(self._session):
            moves = self._cases.escrows
            escrow = moves.get(escrow_id)
            moves.check(escrow, Action.DISPUTE)
            moves.move(escrow, Action.DISPUTE)
            is_payers = Party.PAYER in moves.parties(escrow)
            dispute = self._begin(
                escrow, escrow.payer_wallet_id if is_payers else escrow.provider_wallet_id, text
            )
            told = {"reason": text, "answer_by": to_rfc3339(dispute.rung_ends_at)}
            if dispute.bond:
                told["bond"] = str(dispute.bond)
            moves.record(escrow, "disputed", told)
        return escrow

    def speak(self, escrow_id: uuid.UUID | str, text: str, seen: str | None = None) -> DisputeStatement:
        """Add a statement, for the other side and whoever judges. It cannot be changed."""
        self._actor.require_scope(Scope.ESCROW_DISPUTE)
        words = _checked_text("text", text, LONGEST_STATEMENT)
        with unit_of_work(self._session):
            case = self._cases.take_for(escrow_id, Deed.SPEAK, seen)
            statement = self._add_statement(case, words)
            # The words are for those who may read the dispute; the timeline is read by more.
            side = records.side_of(case.escrow, statement.wallet_id)
            self._cases.record(case, "dispute_statement", side=side.value, sha256=sha256_hex(words))
            note_answer(self._session, case.escrow, statement.wallet_id)
        return statement

    def escalate(self, escrow_id: uuid.UUID | str, seen: str | None = None) -> Dispute:
        """Go on to mediation at once, when both have spoken; or from mediation to an arbiter."""
        self._actor.require_scope(Scope.ESCROW_DISPUTE)
        with unit_of_work(self._session):
            case = self._cases.take_for(escrow_id, Deed.ESCALATE, seen)
            to = Rung.MEDIATION if case.standing.rung is Rung.TALK else Rung.ARBITRATION
            self._cases.record(case, f"dispute_{to}", why="asked", side=min(case.sides).value)
            self._cases.go_on(case, to)
        return case.dispute

    def accept(self, escrow_id: uuid.UUID | str, seen: str | None = None) -> Dispute:
        """Accept what the mediator proposes, or the ruling. When both do, it is executed at once."""
        self._actor.require_scope(Scope.ESCROW_DISPUTE)
        with unit_of_work(self._session):
            case = self._cases.take_for(escrow_id, Deed.ACCEPT, seen)
            new = case.sides - case.standing.accepted
            if not new:
                raise DisputeStateError(said("you have accepted it already"))
            accepted = case.standing.accepted | new
            ending.change(
                self._session,
                case.dispute,
                is_accepted_by_payer=Seat.PAYER in accepted,
                is_accepted_by_provider=Seat.PROVIDER in accepted,
            )
            what = "proposal" if case.standing.rung is Rung.MEDIATION else "ruling"
            self._cases.record(case, "dispute_accepted", what=what, side=min(new).value)
            if len(accepted) == 2:
                self._execute(case)
        return case.dispute

    def appeal(self, escrow_id: uuid.UUID | str, reason: str, seen: str | None = None) -> Dispute:
        """Have three other arbiters judge, once. Refused when fewer than three without a part in it are left."""
        self._actor.require_scope(Scope.ESCROW_DISPUTE)
        text = stated_reason(reason)
        with unit_of_work(self._session):
            case = self._cases.take_for(escrow_id, Deed.APPEAL, seen)
            if case.sides <= case.standing.accepted:
                raise DisputeStateError(said("you have accepted the ruling"))
            if not self.can_be_heard(case.escrow, case.dispute):
                raise DisputeStateError(
                    said(
                        "fewer than three other arbiters without a part in it are left, so nobody could hear it"
                    )
                )
            wallet_id = _wallet_of(case, case.sides - case.standing.accepted)
            side = records.side_of(case.escrow, wallet_id)
            self._cases.record(case, "dispute_appealed", side=side.value, reason=text)
            self._cases.go_on(case, Rung.PANEL, appealed_by_wallet_id=wallet_id, appeal_reason=text)
        return case.dispute

    def can_be_heard(self, escrow: Escrow, dispute: Dispute) -> bool:
        """Whether there are enough other arbiters for an appeal."""
        return len(assignment.available(self._session, escrow, dispute, PANEL_SIZE)) == PANEL_SIZE

    def _begin(self, escrow: Escrow, wallet_id: int, reason: str) -> Dispute:
        now = utcnow()
        dispute = Dispute(
            escrow_id=escrow.id,
            opened_by_wallet_id=wallet_id,
            reason=reason,
            rung=Rung.TALK.value,
            created_at=now,
            rung_since=now,
            rung_ends_at=records.hours_of(self._settings).end_of(Rung.TALK, now),
            outage_id=last_outage_id(self._session),
            bond=self._settings.disputes.bond,
        )
        self._session.add(dispute)
        self._session.flush()
        bonds.take(self._session, dispute)
        return dispute

    def _add_statement(self, case: Case, text: str) -> DisputeStatement:
        wallet_id = _wallet_of(case, case.sides)
        before = records.statements_of(self._session, case.dispute)
        if sum(each.wallet_id == wallet_id for each in before) >= MAX_STATEMENTS:
            raise ValidationError.of(
                "text", said("is one too many: each side may make {most} statements", most=MAX_STATEMENTS)
            )
        statement = DisputeStatement(dispute_id=case.dispute.id, wallet_id=wallet_id, text=text)
        self._session.add(statement)
        self._session.flush()
        return statement

    def _execute(self, case: Case) -> None:
        seats = records.seats_of(self._session, case.dispute)
        is_mediated = case.standing.rung is Rung.MEDIATION
        decided = records.proposal(seats) if is_mediated else records.ruling(seats)
        if decided is None or decided.share_basis_points is None:
            raise DisputeStateError(said("there is nothing to accept"))
        basis = Basis.PROPOSAL if is_mediated else Basis.RULING
        self._cases.end(case, decided.share_basis_points, basis, accepted_by="both")


def note_answer(session: Session, escrow: Escrow, wallet_id: int) -> None:
    """Note, in the caller's unit of work, that a side has answered: by a statement, evidence or an offer.

    Nothing happens unless there is a dispute that the other side has opened and that waits for it.
    """
    dispute = records.find_dispute(session, escrow.id)
    if dispute is None or dispute.rung != Rung.TALK or dispute.answered_at is not None:
        return
    if wallet_id != dispute.opened_by_wallet_id:
        ending.change(session, dispute, answered_at=utcnow())


def _wallet_of(case: Case, sides: frozenset[Seat]) -> int:
    """The wallet that the actor speaks for: whoever is both sides answers before they repeat themselves."""
    side = next((each for each in sorted(sides) if each is not case.standing.opener), case.standing.opener)
    return case.escrow.payer_wallet_id if side is Seat.PAYER else case.escrow.provider_wallet_id


def _checked_text(field: str, text: str, longest: int) -> str:
    try:
        return checked_reason(text, longest, keeps_lines=True)
    except ValidationError as error:
        raise ValidationError.of(field, error.fields["reason"]) from None
