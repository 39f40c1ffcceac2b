"""Documents for what people usually want, from a few choices. Each is proven to end for any choice of moments ahead.

Deadlines are aware datetimes; whoever reads the document says where one of them does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from webapp.domain.clock import to_rfc3339

Document = dict[str, Any]
_DELIVERED: Document = {"provider_signs_result": True}
_PAYER: Document = {"payer_approves": True}
_VERIFIER: Document = {"verifier_approves": True}


def usual_terms(
    expires_at: datetime,
    acceptance_hours: int,
    has_verifier: bool = False,
    *,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> Document:
    """Paid when a delivery is approved, or not objected to within the window; refunded without one in time.

    Nothing is paid before `not_before`; what is not paid by `not_after` goes back.
    """
    approved = [_PAYER, *([_VERIFIER] if has_verifier else []), _silence(acceptance_hours)]
    release: Document = {"all_of": [_DELIVERED, {"any_of": approved}]}
    if not_before is not None:
        release["all_of"].append(_after(not_before))
    undelivered: Document = {"all_of": [_after(expires_at), {"not": _DELIVERED}]}
    return {
        "release_when": release,
        "refund_when": undelivered if not_after is None else {"any_of": [undelivered, _after(not_after)]},
    }


def auto_release(release_at: datetime) -> Document:
    """Paid when the payer approves a delivery, and at that moment in any case. Never refunded by itself."""
    return {"release_when": {"any_of": [_accepted(_PAYER), _after(release_at)]}}


def auto_refund(refund_at: datetime) -> Document:
    """Paid when the payer approves a delivery; what is not approved by that moment goes back."""
    return {"release_when": _accepted(_PAYER), "refund_when": _after(refund_at)}


def verifier_decides(refund_at: datetime) -> Document:
    """Paid when the verifier approves a delivery; what is not approved by that moment goes back."""
    return {"release_when": _accepted(_VERIFIER), "refund_when": _after(refund_at)}


def hash_lock(sha256: str, refund_at: datetime) -> Document:
    """Paid when the secret with that SHA-256 is revealed, by whomever; refunded at that moment otherwise."""
    return {"release_when": {"preimage_of": sha256}, "refund_when": _after(refund_at)}


def nodes_agree(count: int, node_ids: Sequence[str], refund_at: datetime) -> Document:
    """Paid when so many of the nodes have delivered the same result; refunded at that moment otherwise."""
    agreed: Document = {"agreeing_results": {"count": count, "of": list(node_ids)}}
    return {"release_when": agreed, "refund_when": _after(refund_at)}


def from_height(height: int, refund_at: datetime) -> Document:
    """Paid when the payer approves a delivery and the chain has that height; refunded at that moment otherwise."""
    release: Document = {"all_of": [_DELIVERED, _PAYER, {"after": {"height": height}}]}
    return {"release_when": release, "refund_when": _after(refund_at)}


def _accepted(approval: Document) -> Document:
    return {"all_of": [_DELIVERED, approval]}


def _silence(hours: int) -> Document:
    return {"after": {"hours": hours, "since": "delivery"}}


def _after(moment: datetime) -> Document:
    return {"after": {"time": to_rfc3339(moment)}}
