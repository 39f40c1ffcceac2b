"""The operations of the usual kind, done to rows that are locked and read, and written all at once.

They are judged one after the other by the rules that single ones are judged by, so that each finds what the ones before
it have left. What is not of the usual kind (own terms, deposits, disputes, the catalogue, payouts) is for
`EscrowManager`, after what was done before it is written.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.audit_chain import GENESIS
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Action, Status
from webapp.domain.exceptions import NotFoundError
from webapp.domain.roles import Actor, Scope
from webapp.ledger.balances import apply_to_purses
from webapp.ledger.many_entries import Entry
from webapp.services.batches.operations import Create, Deliver, Operation, Refund, Release
from webapp.services.batches.standing import Standing, read_allowance, read_purses
from webapp.services.batches.writing import Changed, write
from webapp.services.escrow_creation import columns_of
from webapp.services.escrow_moves import EscrowMoves
from webapp.services.escrow_terms import TermsReader, parsed_escrow_id, stated_reason
from webapp.services.express.plans import (
    Place,
    Plan,
    carry_out,
    entry_of,
    event_of,
    has_usual_terms,
    plan_creation,
    plan_delivery,
    plan_refund,
    plan_release,
)
from webapp.services.express.rows import EscrowRow
from webapp.services.funding_terms import BALANCE
from webapp.services.signing_keys import beyond_limit
from webapp.services.transaction_validator import TransactionValidator

_USUAL = (Status.ACTIVE, Status.DELIVERED, Status.RELEASED, Status.REFUNDED)
_NEEDED = {
    Create: Scope.ESCROW_CREATE,
    Deliver: Scope.ESCROW_DELIVER,
    Release: Scope.ESCROW_RELEASE,
    Refund: Scope.ESCROW_REFUND,
}


class UsualMoves:
    """Does them for one actor, in the unit of work that has locked the rows."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        actor: Actor,
        validator: TransactionValidator,
        moves: EscrowMoves,
        standing: Standing,
    ) -> None:
        self._session = session
        self._settings = settings
        self._actor = actor
        self._validator = validator
        self._moves = moves
        self._standing = standing
        self._done = Changed()
        self._is_stale = False

    def takes(self, operation: Operation) -> bool:
        """Whether the operation is of the usual kind, as everything stands."""
        if self._actor.scopes is not None and _NEEDED[type(operation)] not in self._actor.scopes:
            return False
        if isinstance(operation, Create):
            return self._is_usual_creation(operation.terms)
        escrow = self._find(operation.escrow_id)
        if escrow is None or escrow.has_own_terms or escrow.funding != BALANCE or escrow.status not in _USUAL:
            return False
        is_paid_out = escrow.provider_wallet_id in self._standing.paid_out
        return not (isinstance(operation, Release) and is_paid_out)

    def do(self, operation: Operation) -> EscrowRow:
        """The escrow after the operation, which is still to be written. Raises what `EscrowManager` raises."""
        if self._is_stale:
            read_purses(self._session, self._standing, list(self._standing.purses))
            if self._standing.allowance:
                read_allowance(self._session, self._standing, self._actor)
            self._is_stale = False
        match operation:
            case Create(terms):
                return self._create(terms)
            case Deliver(escrow_id, result_hash, signature):
                escrow, now = self._checked(escrow_id, Action.DELIVER), utcnow()
                result = (result_hash, signature)
                plan = plan_delivery(self._validator, self._settings, escrow, now, *result)
                return self._move(escrow, Action.DELIVER, plan, now)
            case Release(escrow_id, result_hash, signature):
                escrow, now = self._checked(escrow_id, Action.RELEASE), utcnow()
                plan = plan_release(self._validator, escrow, now, result_hash, signature)
                return self._move(escrow, Action.RELEASE, plan, now)
            case Refund(escrow_id, reason):
                stated_reason(reason)
                escrow, now = self._checked(escrow_id, Action.REFUND), utcnow()
                return self._move(escrow, Action.REFUND, plan_refund(escrow, now, reason), now)

    def write(self) -> None:
        """Write what was done. Somebody else may change the balances next, and they are read again."""
        write(self._session, self._done)
        self._done = Changed()
        self._is_stale = True

    def forget(self, operation: Operation) -> None:
        """Somebody else does this one: its escrow is theirs from now on."""
        if not isinstance(operation, Create) and (escrow := self._find(operation.escrow_id)):
            del self._standing.escrows[escrow.id]

    def _is_usual_creation(self, terms: dict[str, Any]) -> bool:
        standing, provider = self._standing, terms["provider_wallet_id"]
        if terms["payer_wallet_id"] not in self._actor.wallet_ids or not has_usual_terms(terms):
            return False
        return (
            provider in standing.providers
            and (provider, terms["service_name"].strip()) not in standing.offered
        )

    def _find(self, escrow_id: str) -> EscrowRow | None:
        try:
            return self._standing.escrows.get(parsed_escrow_id(escrow_id))
        except NotFoundError:
            return None

    def _checked(self, escrow_id: str, action: Action) -> EscrowRow:
        escrow = self._standing.escrows[UUID(escrow_id)]
        self._moves.check_usual(escrow, action, self._moves.parties(escrow))
        return escrow

    def _create(self, terms: dict[str, Any]) -> EscrowRow:
        read = TermsReader(None, self._settings).read(**terms)
        escrow = EscrowRow(**columns_of(read, self._settings.escrow.fund_basis_points))
        plan, allowance, units = plan_creation(escrow), self._standing.allowance, escrow.amount.base_units
        if allowance and units > allowance.left:
            raise beyond_limit(allowance.limit)
        self._pay(plan)
        if allowance:
            allowance.left -= units
            self._done.spent[allowance.key_id] += units
        self._done.new.append(plan.columns)
        self._record(escrow, plan, Place(1, GENESIS))
        return escrow

    def _move(self, escrow: EscrowRow, action: Action, plan: Plan, now: datetime) -> EscrowRow:
        self._pay(plan)
        self._done.seen.setdefault(escrow.id, escrow.status)
        carry_out(escrow, action, plan, now)
        self._done.moved[escrow.id] = escrow
        self._record(escrow, plan, self._standing.trails[escrow.id])
        return escrow

    def _pay(self, plan: Plan) -> None:
        apply_to_purses(
            self._standing.purses, [(move.source, move.destination, move.amount) for move in plan.moves]
        )

    def _record(self, escrow: EscrowRow, plan: Plan, place: Place) -> None:
        if plan.moves:
            entry = Entry(*entry_of(escrow, plan), escrow.id, escrow.updated_at, plan.moves)
            self._done.entries.append(entry)
        event = event_of(self._actor.name, escrow, plan, place)
        self._done.events.append(event)
        self._standing.trails[escrow.id] = Place(place.sequence + 1, event["hash"])
