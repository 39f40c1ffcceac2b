"""An escrow as plain values, and the one query that reads it together with the end of its audit trail."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Uuid, bindparam, select

from webapp.domain.escrow_facts import DerivedFacts
from webapp.domain.money import ZERO, Amount
from webapp.models import Escrow, EscrowTransaction, Wallet
from webapp.models.plain_connection import PlainConnection
from webapp.models.plain_statement import PlainStatement


@dataclass(slots=True, kw_only=True)
class EscrowRow(DerivedFacts):
    """The columns of `models.Escrow` under the same names, for reading and for making a new one."""

    id: uuid.UUID
    payer_wallet_id: int
    provider_wallet_id: int
    amount: Amount
    provider_amount: Amount
    community_amount: Amount
    fund_basis_points: int
    status: str
    service_name: str
    task_id: str
    task_metadata: dict[str, Any]
    expected_result_hash: str | None
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    funding: str = "balance"
    deposited_amount: Amount = ZERO
    has_own_terms: bool = False
    outage_id: int = 0
    resolved_provider_amount: Amount | None = None
    resolved_community_amount: Amount | None = None
    plan_id: uuid.UUID | None = None
    part_number: int | None = None
    part_title: str | None = None
    deposit_address: str | None = None
    refund_address: str | None = None
    fund_by: datetime | None = None
    provider_node_id: str | None = None
    worked_by_node_id: str | None = None
    verifier_key_id: str | None = None
    service_terms: dict[str, Any] | None = None
    result_hash: str | None = None
    provider_signature: str | None = None
    refund_reason: str | None = None
    accept_by: datetime | None = None
    delivered_at: datetime | None = None
    released_at: datetime | None = None
    refunded_at: datetime | None = None


AnyEscrow = Escrow | EscrowRow
NAMES = tuple(field.name for field in fields(EscrowRow))
# The columns that an escrow that is paid for from the balance is made with; every other one starts empty.
NEW = (
    "id", "payer_wallet_id", "provider_wallet_id", "amount", "provider_amount", "community_amount",
    "fund_basis_points", "status", "service_name", "task_id", "funding", "deposited_amount", "outage_id",
    "metadata", "expected_result_hash", "expires_at", "created_at", "updated_at",
)  # fmt: skip
_ATTRIBUTES = {"metadata": "task_metadata"}
_NEW_ATTRIBUTES = tuple((name, _ATTRIBUTES.get(name, name)) for name in NEW)


def new_columns(escrow: EscrowRow) -> dict[str, Any]:
    """What the row of a new escrow is made with."""
    return {name: getattr(escrow, attribute) for name, attribute in _NEW_ATTRIBUTES}


@dataclass(frozen=True, slots=True)
class Seen:
    """An escrow as it was a moment ago: its row, the last event of its trail, and where its provider is paid out to."""

    escrow: EscrowRow
    last_sequence: int
    last_hash: str
    payout_address: str | None


_SEEN = PlainStatement(
    select(
        *(getattr(Escrow, name) for name in NAMES),
        EscrowTransaction.sequence,
        EscrowTransaction.hash,
        Wallet.payout_address,
    )
    .join(EscrowTransaction, EscrowTransaction.escrow_id == Escrow.id)
    .join(Wallet, Wallet.id == Escrow.provider_wallet_id)
    .where(Escrow.id == bindparam("escrow_id", type_=Uuid()))
    .order_by(EscrowTransaction.sequence.desc())
    .limit(1)
)


def look(connection: PlainConnection, escrow_id: uuid.UUID) -> Seen | None:
    """The escrow as it is now; None when there is none."""
    row = connection.first(_SEEN, {"escrow_id": escrow_id})
    if row is None:
        return None
    *columns, sequence, last_hash, payout_address = row
    return Seen(EscrowRow(**dict(zip(NAMES, columns, strict=True))), sequence, last_hash, payout_address)
