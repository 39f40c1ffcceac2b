"""The plan that an escrow is a part of, in its case file."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.clock import to_rfc3339
from webapp.models import Escrow, Plan
from webapp.services.case_file.reader import CaseReader


def plan_section(session: Session, escrow: Escrow, reader: CaseReader) -> dict[str, Any] | None:
    """None for one that stands alone. How the other parts stand is for the two sides and for operators."""
    if escrow.plan_id is None:
        return None
    plan = session.get_one(Plan, escrow.plan_id)
    told = {
        "id": str(plan.id),
        "title": plan.title,
        "total": str(plan.total),
        "parts": plan.parts,
        "part_number": escrow.part_number,
        "part_title": escrow.part_title,
        "created_at": to_rfc3339(plan.created_at),
    }
    if not reader.sees_coins_of:
        return told
    parts = session.scalars(select(Escrow).where(Escrow.plan_id == plan.id).order_by(Escrow.part_number))
    return told | {
        "all_parts": [
            {
                "escrow_id": str(part.id),
                "part_number": part.part_number,
                "part_title": part.part_title,
                "amount": str(part.amount),
                "status": part.status,
            }
            for part in parts
        ]
    }
