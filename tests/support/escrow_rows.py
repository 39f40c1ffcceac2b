"""Many escrows at once: nobody has paid for them, so that the books balance without a journal of theirs."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from webapp.domain.money import Amount
from webapp.models import Escrow
from webapp.services.unit_of_work import unit_of_work

BEGINNING = datetime(2030, 1, 1, 12, tzinfo=UTC)


def make_unpaid(session: Session, payer: int, provider: int, count: int, **over: Any) -> list[uuid.UUID]:
    """The ids of `count` new escrows from one wallet to another, in the order in which they were made: one a day from
    1 January 2030, with amounts and deadlines in other orders, every third one pending and the others
    cancelled.
    """
    rows = [_row(payer, provider, number) | over for number in range(count)]
    with unit_of_work(session):
        session.execute(insert(Escrow), rows)
    return [row["id"] for row in rows]


def _row(payer: int, provider: int, number: int) -> dict[str, Any]:
    made_at = BEGINNING + timedelta(days=number)
    units = number * 7 % 11 + 1
    return {
        "id": uuid.UUID(f"{int(made_at.timestamp() * 1000):012x}70008000{uuid.uuid4().hex[:12]}"),
        "payer_wallet_id": payer,
        "provider_wallet_id": provider,
        "amount": Amount(units),
        "provider_amount": Amount(units),
        "community_amount": Amount(0),
        "status": "refunded" if number % 3 else "pending",
        "funding": "deposit",
        "deposited_amount": Amount(0),
        "fund_by": made_at + timedelta(days=400),
        "service_name": ("gpu-render", "llm-finetune")[number % 2],
        "task_id": f"Scene_{number}",
        "created_at": made_at,
        "updated_at": made_at,
        "expires_at": made_at + timedelta(hours=number * 5 % 13),
    }
