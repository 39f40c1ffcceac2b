"""Who mediates, rules or sits on a panel: by rotation among the arbiters, without conflicts of interest."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.disputes.conflicts import Candidate, in_turn
from webapp.domain.disputes.rungs import Seat
from webapp.domain.roles import Role
from webapp.models import Dispute, DisputeSeat, Escrow, Node, SigningKey, User, Wallet
from webapp.services.payouts.halts import raise_alert
from webapp.services.terms import witnesses

NO_ARBITER = "no_arbiter"


def available(session: Session, escrow: Escrow, dispute: Dispute, number: int) -> list[int]:
    """Up to `number` users who may be assigned, whose turn it is."""
    rows = session.execute(
        select(User.id, func.max(DisputeSeat.assigned_at).label("last"))
        .outerjoin(DisputeSeat, DisputeSeat.user_id == User.id)
        .where(User.role == Role.ARBITER, User.is_active.is_(True))
        .group_by(User.id)
    )
    candidates = [Candidate(row.id, row.last) for row in rows]
    return in_turn(candidates, _conflicted(session, escrow, dispute), number)


def assign(session: Session, escrow: Escrow, dispute: Dispute, seat: Seat, number: int = 1) -> int:
    """Assign up to `number` people in the caller's unit of work. Operators hear of it when there are too few.

    Returns how many were assigned. The rung's clock runs either way, and what comes at its end needs nobody.
    """
    chosen = available(session, escrow, dispute, number)
    session.add_all(DisputeSeat(dispute_id=dispute.id, user_id=who, seat=seat.value) for who in chosen)
    session.flush()
    if len(chosen) < number:
        missing = f"{number - len(chosen)} of {number} for the seat of {seat}"
        detail = f"nobody without a part in it is left: {missing} could not be assigned; time decides then"
        raise_alert(session, NO_ARBITER, f"escrow:{escrow.id}", detail)
    return len(chosen)


def leave(session: Session, dispute: Dispute, leaving: str, *, only_undecided: bool = False) -> int:
    """End the turn of those who sit, or of those among them who decided nothing. Returns how many that were."""
    statement = update(DisputeSeat).where(DisputeSeat.dispute_id == dispute.id, DisputeSeat.left_at.is_(None))
    if only_undecided:
        statement = statement.where(DisputeSeat.decided_at.is_(None))
    values = {"left_at": utcnow(), "leaving": leaving}
    statement = statement.values(**values).returning(DisputeSeat.id)
    return len(session.execute(statement.execution_options(synchronize_session=False)).all())


def _conflicted(session: Session, escrow: Escrow, dispute: Dispute) -> set[int]:
    """The owners of the escrow's wallets, keys and nodes, and everybody who was assigned before.

    The keys and nodes that its own terms name are among them: what they have said may be what it is about.
    """
    named_keys, named_nodes = witnesses.named(session, escrow)
    wallets = select(Wallet.user_id).where(Wallet.id.in_((escrow.payer_wallet_id, escrow.provider_wallet_id)))
    key_ids = [*named_keys, escrow.verifier_key_id]
    node_ids = [*named_nodes, escrow.provider_node_id, escrow.worked_by_node_id]
    nodes = select(Wallet.user_id).join(Node, Node.wallet_id == Wallet.id).where(Node.id.in_(node_ids))
    keys = (
        select(Wallet.user_id)
        .join(SigningKey, SigningKey.wallet_id == Wallet.id)
        .where(SigningKey.id.in_(key_ids))
    )
    seats = select(DisputeSeat.user_id).where(DisputeSeat.dispute_id == dispute.id)
    return set(session.scalars(wallets.union(nodes, keys, seats)))
