"""What a notice about a dispute says besides what the audit trail does: until when, and to whom."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.models import Dispute, DisputeSeat

# kind of the audit trail -> what both sides are told (`domain.notice_kinds`)
IN_DISPUTE = {
    "dispute_mediation": "dispute_goes_on",
    "dispute_arbitration": "dispute_goes_on",
    "dispute_appealed": "dispute_goes_on",
    "dispute_proposed": "proposal",
    "dispute_ruled": "ruling",
}


@dataclass(frozen=True, slots=True)
class OpenDispute:
    """When its present rung ends, and the users who are assigned to it and have not decided yet."""

    ends_at: datetime
    assigned: tuple[int, ...]


def open_disputes(session: Session, escrow_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, OpenDispute]:
    """The disputes of these escrows that have not ended, in two queries."""
    if not escrow_ids:
        return {}
    is_open = Dispute.escrow_id.in_(escrow_ids) & Dispute.ended_at.is_(None)
    disputes = session.execute(
        select(Dispute.id, Dispute.escrow_id, Dispute.rung_ends_at).where(is_open)
    ).all()
    seats = session.execute(
        select(DisputeSeat.dispute_id, DisputeSeat.user_id)
        .where(DisputeSeat.dispute_id.in_([row.id for row in disputes]))
        .where(DisputeSeat.left_at.is_(None), DisputeSeat.decided_at.is_(None))
    ).all()
    return {
        row.escrow_id: OpenDispute(
            row.rung_ends_at, tuple(seat.user_id for seat in seats if seat.dispute_id == row.id)
        )
        for row in disputes
    }
