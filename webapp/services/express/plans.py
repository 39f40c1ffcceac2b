"""What each move of an escrow's usual life changes in its row, tells on its trail and does with the money.

By the rules that everything else goes by, and without writing anything: one statement carries a single move out
(`lane.py`), and a few carry out a thousand (`services.batches`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.escrow_states import MOVES, Action, Status
from webapp.ledger.journal import Move
from webapp.services import audit_trail
from webapp.services.escrow_events import creation_detail, delivery_detail, refund_detail, release_detail
from webapp.services.escrow_terms import stated_reason
from webapp.services.express.rows import EscrowRow, new_columns
from webapp.services.funding_terms import BALANCE
from webapp.services.service_orders import acceptance_hours
from webapp.services.transaction_validator import ProvenResult, TransactionValidator

# The journal entry that each event stands for.
_ENTRIES = {"created": "create", "released": "release", "refunded": "refund"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a move changes in the escrow's row, what it tells on the trail, and how the money goes."""

    columns: dict[str, Any]
    kind: str
    detail: dict[str, Any]
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the escrow's trail the event comes."""

    sequence: int
    previous_hash: str


def has_usual_terms(terms: Mapping[str, Any]) -> bool:
    """Whether a new escrow is paid for from the balance, and names nothing that has to be looked up to judge it."""
    named = (terms["provider_node_id"], terms["verifier_key_id"], terms["terms"])
    return terms["funding"] == BALANCE and named == (None, None, None)


def plan_creation(escrow: EscrowRow) -> Plan:
    """A new escrow, made with all of its columns; its amount is locked."""
    lock = Move(accounts.available(escrow.payer_wallet_id), _held(escrow), escrow.amount)
    return Plan(new_columns(escrow), "created", creation_detail(escrow), (lock,))


def plan_delivery(
    validator: TransactionValidator,
    settings: Settings,
    escrow: EscrowRow,
    now: datetime,
    result_hash: str,
    provider_signature: str,
) -> Plan:
    """The provider's signed result, without the result itself. Raises ResultValidationError."""
    proven = validator.require_valid_result(escrow, result_hash, provider_signature)
    checked = validator.require_result_rules(escrow, proven.result_hash, None)
    accept_by = now + timedelta(hours=acceptance_hours(escrow, settings))
    columns = _result_columns(proven, provider_signature.lower())
    columns |= {"delivered_at": now, "accept_by": accept_by}
    return Plan(columns, "delivered", delivery_detail(proven.result_hash, accept_by, checked))


def plan_release(
    validator: TransactionValidator,
    escrow: EscrowRow,
    now: datetime,
    result_hash: str | None,
    provider_signature: str | None,
) -> Plan:
    """The payer or the verifier accepts: provider and fund are paid. Raises ResultValidationError."""
    proven, signature = validator.require_accepted(escrow, result_hash, provider_signature)
    checked = validator.require_result_rules(escrow, proven.result_hash, None)
    columns = _result_columns(proven, signature) | {"released_at": now}
    moves = (
        Move(_held(escrow), accounts.available(escrow.provider_wallet_id), escrow.provider_amount),
        Move(_held(escrow), accounts.FUND, escrow.community_amount),
    )
    return Plan(columns, "released", release_detail(escrow, proven.result_hash, checked), moves)


def plan_refund(escrow: EscrowRow, now: datetime, reason: str) -> Plan:
    """What it holds goes back to the payer's balance. Raises ValidationError."""
    text = stated_reason(reason)
    back = Move(_held(escrow), accounts.available(escrow.payer_wallet_id), escrow.amount)
    return Plan({"refund_reason": text, "refunded_at": now}, "refunded", refund_detail(text), (back,))


def carry_out(escrow: EscrowRow, action: Action, plan: Plan, now: datetime) -> None:
    """Have the escrow as it is after the move."""
    plan.columns.update(status=MOVES[Status(escrow.status), action].value, updated_at=now)
    for name, value in plan.columns.items():
        setattr(escrow, name, value)


def entry_of(escrow: EscrowRow, plan: Plan) -> tuple[str, str]:
    """Key and kind of the journal entry of a plan that moves money."""
    name = _ENTRIES[plan.kind]
    return f"escrow:{escrow.id}:{name}", f"escrow_{name}"


def event_of(actor: str, escrow: EscrowRow, plan: Plan, place: Place) -> dict[str, Any]:
    """The row of the audit trail that tells of the move, once it is carried out."""
    event = {
        "escrow_id": escrow.id,
        "sequence": place.sequence,
        "kind": plan.kind,
        "actor": actor,
        "amount": escrow.amount,
        "detail": plan.detail,
        "created_at": escrow.updated_at,
        "previous_hash": place.previous_hash,
    }
    return event | {"hash": audit_trail.row_hash(event)}


def _result_columns(proven: ProvenResult, signature: str) -> dict[str, Any]:
    return {
        "result_hash": proven.result_hash,
        "provider_signature": signature,
        "worked_by_node_id": proven.node_id,
    }


def _held(escrow: EscrowRow) -> str:
    return accounts.held(escrow.payer_wallet_id)
