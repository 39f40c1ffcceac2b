"""Looks into a result that is handed in, before anything is decided about it and outside of every transaction.

Decoding takes its time, and on SQLite whoever is in a transaction keeps all others waiting. What was found goes to
`EscrowManager` with the delivery, which refuses it or keeps the report in the audit trail; the bytes are kept nowhere.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Action, allowed_actions
from webapp.domain.result_rules.check import check_result
from webapp.domain.result_rules.kinds import Kind
from webapp.domain.result_rules.submitted import SubmittedResult
from webapp.models import Escrow, EscrowTransaction
from webapp.services.downtime import fair_terms
from webapp.services.escrow_terms import parsed_escrow_id
from webapp.services.service_orders import ServiceOrder

if TYPE_CHECKING:
    from webapp.services.escrow_manager import EscrowManager


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found. `refusals` maps `result.<rule>` (or `result_json.<rule>`) to the reason; empty: none refuses."""

    result_hash: str
    refusals: dict[str, str]
    report: dict[str, Any]


def inspect_result(
    session: Session,
    settings: Settings,
    escrows: EscrowManager,
    escrow_id: uuid.UUID | str,
    action: Action,
    submitted: SubmittedResult,
    claimed_hash: str | None = None,
) -> Inspection | None:
    """What the rules of the escrow's service find in a result that comes with this action; ends the transaction.

    None for whoever may not do this now: nothing is decoded for them, and `EscrowManager` tells them why.
    """
    escrow = session.get(Escrow, parsed_escrow_id(escrow_id), populate_existing=True)
    is_allowed = escrow is not None and action in allowed_actions(
        fair_terms(session, settings, escrow), escrows.parties(escrow), utcnow()
    )
    order = ServiceOrder.of(escrow) if escrow else None
    session.rollback()
    return _inspected(order, submitted, claimed_hash) if is_allowed else None


def _inspected(
    order: ServiceOrder | None, submitted: SubmittedResult, claimed_hash: str | None
) -> Inspection:
    kind = Kind(order.kind) if order else Kind.HASH
    is_claimed = claimed_hash is None or claimed_hash.lower() == submitted.hash
    # What is refused for its hash anyway is not looked into.
    findings = check_result(kind, submitted.data, order.limits if order else {}) if is_claimed else []
    refusals: dict[str, str] = {}
    for found in findings:
        if found.refuses:
            name = f"{submitted.field}.{found.rule}"
            refusals[name] = f"{refusals[name]}; {found.message}" if name in refusals else found.message
    report = {
        "kind": kind.value,
        "service_id": order.service_id if order else None,
        "result_hash": submitted.hash,
        "size": len(submitted.data),
        "sent_as": submitted.field,
        "findings": [found.document() for found in findings],
    }
    return Inspection(submitted.hash, refusals, report)


def report_in(trail: list[EscrowTransaction]) -> EscrowTransaction | None:
    """The last event of an audit trail that came with a report (`detail["report"]`)."""
    return next((event for event in reversed(trail) if "report" in event.detail), None)


def find_report(session: Session, escrow_id: uuid.UUID) -> EscrowTransaction | None:
    """The event of the escrow's trail that has the report on its result, if its bytes were ever handed in."""
    statement = (
        select(EscrowTransaction)
        .where(
            EscrowTransaction.escrow_id == escrow_id,
            EscrowTransaction.kind.in_(("delivered", "released")),
        )
        .order_by(EscrowTransaction.sequence)
    )
    return report_in(list(session.scalars(statement)))
