"""What the audit trail keeps of each thing that happens to an escrow in its usual life."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from webapp.domain.canonical import sha256_hex
from webapp.domain.clock import to_rfc3339
from webapp.services.express.rows import AnyEscrow
from webapp.services.funding_terms import DEPOSIT


def creation_detail(escrow: AnyEscrow, own_terms: dict[str, Any] | None = None) -> dict[str, Any]:
    """The terms as they were agreed; those of its own, which are kept with the escrow, by their hash."""
    return {
        "payer_wallet_id": escrow.payer_wallet_id,
        "provider_wallet_id": escrow.provider_wallet_id,
        "provider_amount": str(escrow.provider_amount),
        "community_amount": str(escrow.community_amount),
        "service_name": escrow.service_name,
        "task_id": escrow.task_id,
        **({"service_terms_hash": sha256_hex(escrow.service_terms)} if escrow.service_terms else {}),
        "provider_node_id": escrow.provider_node_id,
        "verifier_key_id": escrow.verifier_key_id,
        "expected_result_hash": escrow.expected_result_hash,
        "expires_at": to_rfc3339(escrow.expires_at),
        **({"plan_id": str(escrow.plan_id), "part_number": escrow.part_number} if escrow.plan_id else {}),
        **({"terms_hash": sha256_hex(own_terms)} if own_terms else {}),
        # Where the payer pays and is paid back is not for the provider, who reads this, too.
        **({"funding": DEPOSIT, "fund_by": to_rfc3339(escrow.fund_by)} if escrow.funding == DEPOSIT else {}),
    }


def delivery_detail(result_hash: str, accept_by: datetime | None, checked: dict[str, Any]) -> dict[str, Any]:
    """The result, until when the payer may object, and what the rules of the service found in it."""
    return {"result_hash": result_hash, "accept_by": to_rfc3339(accept_by), **checked}


def release_detail(escrow: AnyEscrow, result_hash: str, checked: dict[str, Any]) -> dict[str, Any]:
    """The result, who was paid what, and what the rules of the service found in it."""
    return {
        "result_hash": result_hash,
        "provider_amount": str(escrow.provider_amount),
        "community_amount": str(escrow.community_amount),
        **checked,
    }


def refund_detail(reason: str) -> dict[str, Any]:
    """Why it went back."""
    return {"reason": reason}
