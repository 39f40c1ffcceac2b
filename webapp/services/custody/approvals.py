"""Large payouts leave only when an operator agrees who neither asked for them nor owns the wallet.

What is approved is a destination and an amount: the approval names the address that the operator has read, and the
database refuses it when the owner has changed it meanwhile. A change of address after the approval makes it void.
"""

from __future__ import annotations

import uuid

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import (
    NotFoundError,
    PayoutStateError,
    PermissionDeniedError,
)
from webapp.domain.reasons import checked_reason
from webapp.domain.roles import Actor, Role
from webapp.domain.said import said
from webapp.models import Payout
from webapp.models.compare_and_set import changes_one_row
from webapp.services import operator_actions
from webapp.services.payouts.queue import WAITING, return_to_wallet
from webapp.services.payouts.trail import record
from webapp.services.unit_of_work import unit_of_work

# What the record of operators' actions calls an approval.
APPROVED = "approve_payout"
SHOWN = 20


def list_waiting(session: Session, limit: int = SHOWN) -> list[Payout]:
    """The payouts that wait for an approval, the oldest first, no more than `limit` of them."""
    statement = select(Payout).where(Payout.status == "awaiting_approval").order_by(Payout.id).limit(limit)
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def count_waiting(session: Session) -> int:
    """How many there are."""
    return session.execute(select(func.count()).where(Payout.status == "awaiting_approval")).scalar_one()


def may_decide(actor: Actor, payout: Payout) -> bool:
    """Whether the actor is an operator who neither asked for the payout nor owns its wallet."""
    return _is_operator(actor) and not actor.is_own(payout.wallet_id, payout.requested_by)


def approve(session: Session, actor: Actor, payout_id: uuid.UUID, address: str) -> Payout:
    """Let the payout go to `address`, which is what the operator has read.

    Raises PermissionDeniedError, NotFoundError, and PayoutStateError when it does not wait or goes elsewhere by now.
    """
    with unit_of_work(session):
        payout = _deciding(session, actor, payout_id)
        if address != payout.address:
            raise _moved_on(payout)
        statement = (
            update(Payout)
            .where(Payout.id == payout.id, Payout.status == "awaiting_approval", Payout.address == address)
            .values(
                status="queued",
                status_since=utcnow(),
                next_attempt_at=utcnow(),
                approved_by=actor.name,
                reason=WAITING,
            )
        )
        if not changes_one_row(session, statement):
            session.refresh(payout)
            raise _moved_on(payout)
        session.refresh(payout)
        record(session, payout, "payout_approved", {}, actor)
        operator_actions.record(
            session, actor, APPROVED, f"payout:{payout.id}", address=address, gross=payout.gross
        )
    return payout


def refuse(session: Session, actor: Actor, payout_id: uuid.UUID, reason: str) -> Payout:
    """Give the money back to the wallet; its owner reads the reason.

    Raises PermissionDeniedError, NotFoundError, ValidationError naming `reason`, and PayoutStateError when it does not
    wait any more.
    """
    reason = checked_reason(reason)
    with unit_of_work(session):
        payout = _deciding(session, actor, payout_id)
        waits = (Payout.id == payout.id) & (Payout.status == "awaiting_approval")
        if not changes_one_row(session, update(Payout).where(waits).values(status="failed")):
            session.refresh(payout)
            raise _moved_on(payout)
        session.refresh(payout)
        return_to_wallet(session, payout, said("an operator has refused it: {reason}", reason=reason))
        operator_actions.record(
            session, actor, "refuse_payout", f"payout:{payout.id}", reason=reason, gross=payout.gross
        )
    return payout


def _deciding(session: Session, actor: Actor, payout_id: uuid.UUID) -> Payout:
    payout = session.get(Payout, payout_id, populate_existing=True)
    if payout is None:
        raise NotFoundError(said("there is no such payout"))
    if not _is_operator(actor):
        raise PermissionDeniedError(said("only an operator may decide this"))
    actor.require_not_own(said("the payout"), payout.wallet_id, payout.requested_by)
    return payout


def _is_operator(actor: Actor) -> bool:
    """A person: whoever is at a terminal shows with a password which one."""
    return actor.role is Role.OPERATOR and actor.user_id is not None


def _moved_on(payout: Payout) -> PayoutStateError:
    if payout.status == "awaiting_approval":
        return PayoutStateError(said("its destination has changed: read it again before you decide"))
    return PayoutStateError(
        said("the payout does not wait for an approval: it is {status}", status=payout.status)
    )
