"""What every change of an escrow has in common: who may see it, who may do what, and the move from state to state.

A state changes by compare-and-set, so that of several callers exactly one succeeds; the others get EscrowStateError.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.escrow_facts import parties_of
from webapp.domain.escrow_states import MOVES, TERMINAL, WORDS, Action, Party, Status, Terms, refusal
from webapp.domain.exceptions import EscrowStateError, NotFoundError, PermissionDeniedError
from webapp.domain.money import Amount
from webapp.domain.roles import Actor, Role
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.models.compare_and_set import changes_this_row
from webapp.services import audit_trail
from webapp.services.disputes.ending import close_by_agreement
from webapp.services.downtime import fair_terms
from webapp.services.escrow_terms import parsed_escrow_id
from webapp.services.express.rows import AnyEscrow
from webapp.services.terms.judging import require_undecided
from webapp.services.terms.records import stand_down
from webapp.services.terms.witnesses import is_witness
from webapp.services.wallet_integration import WalletIntegration

_WHAT_STANDS = frozenset({Party.AGREEMENT, Party.RULING, Party.TERMS})


class EscrowMoves:
    """Looks at escrows and changes their state for one actor. The methods that change something want a unit of work."""

    def __init__(
        self, session: Session, settings: Settings, actor: Actor, wallets: WalletIntegration
    ) -> None:
        self._session = session
        self._settings = settings
        self._actor = actor
        self._wallets = wallets

    def get(self, escrow_id: uuid.UUID | str) -> Escrow:
        """The escrow as it is now, if the actor is one of its parties, named in its terms, or staff.

        Raises NotFoundError otherwise.
        """
        escrow = self._session.get(Escrow, parsed_escrow_id(escrow_id), populate_existing=True)
        is_staff = self._actor.role in (Role.OPERATOR, Role.ARBITER)
        if escrow is None or not (
            is_staff or self.parties(escrow) or is_witness(self._session, escrow, self._actor)
        ):
            raise NotFoundError(said("there is no such escrow, or it is not yours"))
        return escrow

    def parties(self, escrow: AnyEscrow) -> frozenset[Party]:
        """In what capacities the actor stands to the escrow."""
        return parties_of(escrow, self._actor)

    def check(self, escrow: Escrow, action: Action, parties: frozenset[Party] | None = None) -> None:
        """Raise unless the state and the rights of `parties` (else: the actor's) permit this now.

        Raises EscrowStateError, PermissionDeniedError.
        """
        capacities = self.parties(escrow) if parties is None else parties
        terms = self.check_usual(escrow, action, capacities)
        if terms.decide_themselves and not capacities & _WHAT_STANDS:
            require_undecided(self._session, self._settings, escrow)

    def check_usual(self, escrow: AnyEscrow, action: Action, parties: frozenset[Party]) -> Terms:
        """The same for an escrow that has no terms of its own; those that it has, with fair deadlines."""
        if (Status(escrow.status), action) not in MOVES:
            raise _moved_on(escrow)
        terms = fair_terms(self._session, self._settings, escrow)
        if reason := refusal(terms, action, parties, utcnow()):
            raise PermissionDeniedError(reason)
        return terms

    def move(self, escrow: Escrow, action: Action, **values: Any) -> None:
        """Change the state, and the columns `values` with it. Raises EscrowStateError when somebody was quicker."""
        before = escrow.status
        after = MOVES[Status(before), action]
        is_changed = changes_this_row(
            self._session,
            escrow,
            update(Escrow)
            .where(Escrow.id == escrow.id, Escrow.status == before)
            .values(status=after.value, updated_at=utcnow(), **values),
        )
        if not is_changed:
            raise _moved_on(escrow)
        if escrow.has_own_terms and after in TERMINAL:
            stand_down(self._session, escrow.id)
        if before == Status.DISPUTED:
            close_by_agreement(self._session, escrow)

    def pay_out(self, escrow: Escrow, earned: Amount) -> None:
        """Send the provider what was earned, if its wallet asks for that."""
        payout = self._wallets.payouts.queue_earning(escrow.provider_wallet_id, earned, escrow.id)
        if payout is not None:
            # Where it goes is the provider's own affair; the trail is read by the payer, too.
            detail = {"payout_id": str(payout.id)}
            audit_trail.append(
                self._session, escrow.id, "payout_queued", "worker", amount=payout.gross, detail=detail
            )

    def record(self, escrow: Escrow, kind: str, detail: dict[str, Any], amount: Amount | None = None) -> None:
        """Add an event to the audit trail; without `amount` it is about the whole."""
        moved = escrow.amount if amount is None else amount
        audit_trail.append(self._session, escrow.id, kind, self._actor.name, amount=moved, detail=detail)


def _moved_on(escrow: AnyEscrow) -> EscrowStateError:
    status = WORDS[Status(escrow.status)]
    detail = said("the escrow is {status}", status=status)
    if escrow.status == Status.PENDING:
        detail = said(
            "the escrow is {status}: it waits for its payment, and until then it can only be cancelled",
            status=status,
        )
    return EscrowStateError(detail, current_status=escrow.status)
