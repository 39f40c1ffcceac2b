"""An escrow of the usual kind as the text of its document, written at once: a batch has a thousand of them.

The same as `documents.usual_escrow_document` (`tests/api/test_batches.py` compares them), without a model in between.
"""

from __future__ import annotations

import json

from webapp.blueprints.api.documents import FROM_BALANCE, links_of
from webapp.domain.clock import to_rfc3339
from webapp.domain.escrow_states import Terms
from webapp.domain.money import Amount
from webapp.domain.roles import Actor
from webapp.services.express.rows import EscrowRow

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def usual_escrow_text(escrow: EscrowRow, terms: Terms, actor: Actor) -> str:
    """The document as this actor sees it; `terms` are the escrow's, with its deadlines as they are by rights."""
    return _ENCODER.encode(
        {
            "id": str(escrow.id),
            "status": escrow.status,
            "amount": str(escrow.amount),
            "provider_amount": str(escrow.provider_amount),
            "community_amount": str(escrow.community_amount),
            "resolved_provider_amount": None,
            "resolved_community_amount": None,
            "refunded_amount": _amount(escrow.refunded_amount),
            "plan_id": str(escrow.plan_id) if escrow.plan_id else None,
            "part_number": escrow.part_number,
            "part_title": escrow.part_title,
            "payer_wallet_id": escrow.payer_wallet_id,
            "provider_wallet_id": escrow.provider_wallet_id,
            "service_name": escrow.service_name,
            "task_id": escrow.task_id,
            "metadata": escrow.task_metadata,
            "provider_node_id": escrow.provider_node_id,
            "verifier_key_id": escrow.verifier_key_id,
            "expected_result_hash": escrow.expected_result_hash,
            "result_hash": escrow.result_hash,
            **FROM_BALANCE,
            "terms": None,
            "accept_by": to_rfc3339(escrow.accept_by),
            "expires_at": to_rfc3339(escrow.expires_at),
            "created_at": to_rfc3339(escrow.created_at),
            "updated_at": to_rfc3339(escrow.updated_at),
            "released_at": to_rfc3339(escrow.released_at),
            "refunded_at": to_rfc3339(escrow.refunded_at),
            "links": links_of(escrow, terms, actor),
        }
    )


def _amount(amount: Amount | None) -> str | None:
    return None if amount is None else str(amount)
