"""The dispute over an escrow in its case file: who objected, what was said, what was proposed, ruled and voted."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from webapp.domain.clock import to_rfc3339
from webapp.domain.disputes.rungs import Seat
from webapp.models import Dispute, DisputeSeat, Escrow
from webapp.services.case_file.reader import CaseReader
from webapp.services.disputes import records


def dispute_section(session: Session, escrow: Escrow, reader: CaseReader) -> dict[str, Any] | None:
    """None without a dispute. What was said in it is for those only who may read it."""
    dispute = records.find_dispute(session, escrow.id)
    if dispute is None:
        return None
    told = {
        "opened_by": records.side_of(escrow, dispute.opened_by_wallet_id).value,
        "reason": dispute.reason,
        "created_at": to_rfc3339(dispute.created_at),
        "rung": dispute.rung,
        "rung_ends_at": to_rfc3339(dispute.rung_ends_at),
        "bond": str(dispute.bond),
        "is_bond_lost": dispute.is_bond_lost,
        "basis": dispute.basis,
        "share_basis_points": dispute.share_basis_points,
        "ended_at": to_rfc3339(dispute.ended_at),
    }
    return told | _said(session, escrow, dispute) if reader.sees_dispute else told


def _said(session: Session, escrow: Escrow, dispute: Dispute) -> dict[str, Any]:
    appellant = dispute.appealed_by_wallet_id
    return {
        "appealed_by": records.side_of(escrow, appellant).value if appellant is not None else None,
        "appeal_reason": dispute.appeal_reason,
        "statements": [
            {
                "side": records.side_of(escrow, statement.wallet_id).value,
                "text": statement.text,
                "created_at": to_rfc3339(statement.created_at),
            }
            for statement in records.statements_of(session, dispute)
        ],
        "decisions": [_decision(each) for each in _decided(session, dispute)],
    }


def _decided(session: Session, dispute: Dispute) -> list[DisputeSeat]:
    """What was proposed and ruled, and the votes of a panel once they are opened."""
    seats = records.seats_of(session, dispute)
    others = [each for each in seats if each.seat != Seat.PANEL and each.decided_at is not None]
    return others + records.opened_votes(dispute, seats)


def _decision(seat: DisputeSeat) -> dict[str, Any]:
    return {
        "seat": seat.seat,
        "share_basis_points": seat.share_basis_points,
        "reason": seat.reason,
        "decided_at": to_rfc3339(seat.decided_at),
    }
