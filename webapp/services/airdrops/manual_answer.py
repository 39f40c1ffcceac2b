"""An airdrop by hand in one call, for programs: what was asked for, and the same answer whether it was given or tried.

    {"airdrop_id", "dry_run", "successful_airdrops", "failed_airdrops", "total_distributed",
     "airdrops": [{"node_id", "amount", "pay_to", "address", "status", "reason"}, ...]}

Amounts are Amounts. Of a dry run `airdrop_id` is None and every `status` is `chosen`. What goes to the chain is
`chosen`, too, until the worker has put it into a payout.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from webapp.domain.money import ZERO
from webapp.models import AirdropRecipient
from webapp.services.airdrops.manual import ManualAirdrops
from webapp.services.airdrops.manual_preview import Row
from webapp.services.unit_of_work import unit_of_work


def answer(
    airdrops: ManualAirdrops,
    node_ids: Sequence[str],
    amount_per_node: object = None,
    total_amount: object = None,
    *,
    reason: str = "",
    dry_run: bool = False,
) -> dict[str, Any]:
    """Give it, or with `dry_run` only say what would be given. Raises what `ManualAirdrops.give` does, either way."""
    if dry_run:
        preview = airdrops.preview(node_ids, amount_per_node, total_amount)
        airdrops.require_possible(preview, reason)
        return _answer(None, [_line(row, "chosen", ", ".join(row.notes)) for row in preview.rows])
    session = airdrops.session
    with unit_of_work(session):
        airdrop = airdrops.give(node_ids, amount_per_node, total_amount, reason)
        rows = session.scalars(
            select(AirdropRecipient)
            .where(AirdropRecipient.airdrop_id == airdrop.id)
            .order_by(AirdropRecipient.position)
        )
        return _answer(airdrop.id, [_line(row, row.status, row.reason) for row in rows])


def _line(row: Row | AirdropRecipient, status: str, reason: str) -> dict[str, Any]:
    return {
        "node_id": row.node_id,
        "amount": row.amount,
        "pay_to": row.pay_to,
        "address": row.address,
        "status": status,
        "reason": reason,
    }


def _answer(airdrop_id: uuid.UUID | None, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    given = [line["amount"] for line in lines if line["status"] != "failed"]
    return {
        "airdrop_id": airdrop_id,
        "dry_run": airdrop_id is None,
        "successful_airdrops": len(given),
        "failed_airdrops": len(lines) - len(given),
        "total_distributed": sum(given, start=ZERO),
        "airdrops": lines,
    }
