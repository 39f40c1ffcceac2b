"""How a dispute ends: once, whoever is first, and never without its escrow."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.disputes.defaults import Basis
from webapp.domain.disputes.rungs import Rung
from webapp.domain.exceptions import DisputeStateError
from webapp.domain.said import said
from webapp.models import Dispute, Escrow
from webapp.models.compare_and_set import changes_this_row
from webapp.services.disputes import assignment, bonds


def change(session: Session, dispute: Dispute, **values: Any) -> None:
    """Change a dispute that stands where it was seen, by compare-and-set. Raises DisputeStateError if it has moved."""
    statement = (
        update(Dispute)
        .where(
            Dispute.id == dispute.id, Dispute.rung == dispute.rung, Dispute.rung_since == dispute.rung_since
        )
        .values(**values)
    )
    if not changes_this_row(session, dispute, statement):
        raise moved_on(dispute)


def moved_on(dispute: Dispute) -> DisputeStateError:
    """The refusal of what was meant for another rung."""
    return DisputeStateError(said("the dispute has moved on: it is at {rung} by now", rung=dispute.rung))


def close(
    session: Session, dispute: Dispute, basis: Basis, share: int | None, *, is_bond_lost: bool = False
) -> None:
    """End the dispute and settle its bond, in the unit of work that ends its escrow. Raises DisputeStateError."""
    change(
        session,
        dispute,
        rung=Rung.ENDED.value,
        ended_at=utcnow(),
        basis=basis.value,
        share_basis_points=share,
        is_bond_lost=is_bond_lost,
    )
    assignment.leave(session, dispute, "done")
    if is_bond_lost:
        bonds.lose(session, dispute)
    else:
        bonds.give_back(session, dispute)


def close_by_agreement(session: Session, escrow: Escrow) -> None:
    """End what is open about an escrow that its sides have just ended themselves; a ruling has ended it before."""
    statement = select(Dispute).where(Dispute.escrow_id == escrow.id, Dispute.rung != Rung.ENDED)
    dispute = session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
    if dispute is not None:
        close(session, dispute, Basis.AGREEMENT, None)
