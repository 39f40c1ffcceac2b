"""The endpoints about escrows' own terms, each with a request that works."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.api.conftest import World
from tests.api.endpoint import Endpoint, Request
from tests.support.people import RESULT_HASH, make_key, make_node
from tests.support.signing import Program
from webapp.domain.canonical import sign_result
from webapp.domain.clock import utcnow
from webapp.domain.roles import Scope
from webapp.domain.terms import presets

SECRET = b"open sesame"


def hours(count: int) -> datetime:
    """So many from now."""
    return utcnow() + timedelta(hours=count)


def _on(
    action: str,
    terms: Callable[[], dict[str, Any]],
    body: dict[str, Any] | None = None,
    who: str = "payer",
) -> Callable[[World], Request]:
    def request(world: World) -> Request:
        escrow = world.escrow("1", terms=terms())
        return Request(getattr(world, who), f"/escrow/{escrow.id}/{action}", body)

    return request


def _attest(world: World) -> Request:
    key = make_key(world.session, world.services, world.pair.payer)
    leaf = {"attested_by": {"key_id": key.key_id, "statement": {"type": "object"}}}
    escrow = world.escrow(
        "1", terms={"release_when": leaf, "refund_when": {"after": {"hours": 5, "since": "creation"}}}
    )
    return Request(Program(world.app, key), f"/escrow/{escrow.id}/attest", {"statement": {"passed": True}})


def _result(world: World) -> Request:
    made = make_node(world.session, world.services, world.pair.payer)
    escrow = world.escrow("1", terms=presets.nodes_agree(1, [made.node.id], hours(5)))
    signature = sign_result(made.key.secret, escrow.id, escrow.amount, RESULT_HASH)
    body = {"node_id": made.node.id, "result_hash": RESULT_HASH, "signature": signature}
    return Request(Program(world.app, made.key), f"/escrow/{escrow.id}/results", body)


TERMS_ENDPOINTS = (
    Endpoint(
        "api_escrow_terms.simulate",
        "POST",
        Scope.ESCROW_READ,
        lambda world: Request(world.payer, "/escrow/simulate", {"terms": presets.auto_refund(hours(5))}),
        200,
        None,
    ),
    Endpoint(
        "api_escrow_terms.approve",
        "POST",
        Scope.ESCROW_RELEASE,
        _on("approve", lambda: presets.auto_refund(hours(5))),
    ),
    Endpoint(
        "api_escrow_terms.reveal",
        "POST",
        Scope.ESCROW_DELIVER,
        _on(
            "reveal",
            lambda: presets.hash_lock(hashlib.sha256(SECRET).hexdigest(), hours(5)),
            {"preimage": SECRET.hex()},
            "provider",
        ),
    ),
    Endpoint("api_escrow_terms.attest", "POST", Scope.ESCROW_RELEASE, _attest),
    Endpoint("api_escrow_terms.report_result", "POST", Scope.ESCROW_DELIVER, _result),
)
