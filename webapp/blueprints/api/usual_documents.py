"""Escrows of the usual kind as the texts of their documents, written at once: for batches, and for the hot path.

The same as `documents.escrow_document` writes (`tests/api/test_express.py` compares them), without a model in between.
"""

from __future__ import annotations

import json
from typing import Any

from webapp.blueprints.api.documents import FROM_BALANCE, Address, address_of, links_of
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.escrow_facts import parties_of
from webapp.domain.escrow_states import Terms
from webapp.domain.roles import Actor
from webapp.services.express.rows import EscrowRow

_encoded = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
_PLACE = "\0"
_MOST_KEPT = 1000


class UsualDocuments:
    """Writes them. `address` is where views are; without it, as the present request of Flask has it."""

    def __init__(self, address: Address = address_of) -> None:
        self._address = address
        self._links: dict[tuple[Any, ...], str] = {}

    def text(self, escrow: EscrowRow, terms: Terms, actor: Actor) -> str:
        """The document for this actor; `terms` are the escrow's, with its deadlines as they are by rights."""
        escrow_id = str(escrow.id)
        links = self._links_like(escrow, terms, actor).replace(_PLACE, escrow_id)
        return f'{_encoded(_members(escrow, escrow_id))[:-1]},"links":{links}}}'

    def _links_like(self, escrow: EscrowRow, terms: Terms, actor: Actor) -> str:
        """The links of escrows that stand like this one to somebody like this, with a place for their id."""
        now, parties = utcnow(), parties_of(escrow, actor)
        stands = (terms.status, parties, actor.scopes, terms.has_expired(now), terms.window_is_over(now))
        links = self._links.get(stands)
        if links is None:
            if len(self._links) >= _MOST_KEPT:
                self._links.clear()
            links = _encoded(links_of(escrow, terms, actor, self._address)).replace(str(escrow.id), _PLACE)
            self._links[stands] = links
        return links


def _members(escrow: EscrowRow, escrow_id: str) -> dict[str, Any]:
    refunded = escrow.refunded_amount
    return {
        "id": escrow_id,
        "status": escrow.status,
        "amount": str(escrow.amount),
        "provider_amount": str(escrow.provider_amount),
        "community_amount": str(escrow.community_amount),
        "resolved_provider_amount": None,
        "resolved_community_amount": None,
        "refunded_amount": None if refunded is None else str(refunded),
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
    }
