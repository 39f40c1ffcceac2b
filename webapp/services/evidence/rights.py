"""Who may add evidence to an escrow, and who may know that there is any."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.domain.escrow_states import Party, Status
from webapp.domain.exceptions import EscrowStateError, PermissionDeniedError
from webapp.domain.roles import Actor, Role
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services.disputes import records

SIDES = {Party.PAYER: "payer", Party.PROVIDER: "provider"}


def side_of(actor: Actor, parties: frozenset[Party]) -> str | None:
    """The side that the actor speaks for. Whoever owns the wallets of both speaks for the payer's."""
    if actor.is_program:
        return None
    return next((side for party, side in SIDES.items() if party in parties), None)


def may_read(session: Session, actor: Actor, escrow: Escrow, parties: frozenset[Party]) -> bool:
    """Whether the actor is one of the two sides, an operator, or assigned to its dispute."""
    if side_of(actor, parties) is not None or actor.role is Role.OPERATOR:
        return True
    dispute = records.find_dispute(session, escrow.id)
    return dispute is not None and records.may_read(actor, escrow, records.seats_of(session, dispute))


def takes_evidence(session: Session, escrow: Escrow) -> bool:
    """Whether more may be added now."""
    return escrow.status == Status.DISPUTED and records.takes_evidence(session, escrow)


def require_side(session: Session, actor: Actor, escrow: Escrow, parties: frozenset[Party]) -> str:
    """The side that may add something now. Raises PermissionDeniedError, EscrowStateError."""
    side = side_of(actor, parties)
    if side is None:
        raise PermissionDeniedError(said("only the payer and the provider add evidence"))
    if not takes_evidence(session, escrow):
        raise EscrowStateError(
            said("evidence is taken while the escrow is disputed and nobody has decided"),
            current_status=escrow.status,
        )
    return side
