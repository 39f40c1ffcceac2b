"""Terms of escrows over JSON: tried out, and what parties, keys and nodes do that they ask for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.documents import escrow_document
from webapp.blueprints.api.operations import (
    answer,
    answer_once,
    changed,
    operation,
    operation_id,
    storable,
)
from webapp.blueprints.api.schemas import EscrowDocument, EscrowPath, IdempotencyHeader
from webapp.blueprints.api.terms_documents import TermsDocument, terms_document
from webapp.blueprints.api.terms_schemas import Attestation, NodeResult, Secret, Simulation
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ValidationError
from webapp.domain.roles import Scope
from webapp.domain.terms.presets import usual_terms
from webapp.models import Escrow
from webapp.services.terms.in_force import TermsInForce
from webapp.services.terms.outlook import try_out
from webapp.web.current import db_session, services
from webapp.web.guards import signed_request
from webapp.web.signed_requests import current_actor

_TAG = Tag(
    name="Terms", description="When an escrow is released and when refunded, if not by the usual terms"
)
bp = APIBlueprint(
    "api_escrow_terms", __name__, url_prefix="/escrow", abp_tags=[_TAG], operation_id_callback=operation_id
)


@bp.post(
    "/simulate",
    **operation(
        Scope.ESCROW_READ,
        TermsDocument,
        more_problems=(413, 415),
        description="Nothing is made or locked. Terms that could strand the money, pay nobody or contradict "
        "themselves are refused here as they are at the creation, with the reason.",
    ),
)
@signed_request(Scope.ESCROW_READ)
def simulate(body: Simulation) -> Response:
    """Try terms out: when it ends at the latest, and what comes of what anybody does, or does not do."""
    document = storable("terms", body.terms)
    if document is None:
        settings = services().settings.escrow
        expires_at = body.expires_at or utcnow() + timedelta(hours=settings.default_deadline_hours)
        document = usual_terms(expires_at, settings.acceptance_window_hours)
    elif body.expires_at is not None:
        raise ValidationError.of("expires_at", "must be left out: the terms say when the escrow ends")
    return answer(terms_document(try_out(db_session(), services().settings, document)))


@bp.post("/<id>/approve", **operation(Scope.ESCROW_RELEASE, EscrowDocument, changes=True))
@signed_request(Scope.ESCROW_RELEASE)
def approve(path: EscrowPath, header: IdempotencyHeader) -> Response:
    """Say as the payer or the verifier that the result is good; the terms say whether that is enough."""
    return _once(header, lambda terms: terms.approve(path.id))


@bp.post("/<id>/reveal", **operation(Scope.ESCROW_DELIVER, EscrowDocument, changes=True))
@signed_request(Scope.ESCROW_DELIVER)
def reveal(path: EscrowPath, header: IdempotencyHeader, body: Secret) -> Response:
    """Show the secret whose hash the terms name. Both sides can read it from then on."""
    return _once(header, lambda terms: terms.reveal(path.id, body.preimage))


@bp.post("/<id>/attest", **operation(Scope.ESCROW_RELEASE, EscrowDocument, changes=True))
@signed_request(Scope.ESCROW_RELEASE)
def attest(path: EscrowPath, header: IdempotencyHeader, body: Attestation) -> Response:
    """Sign a statement with a key that the terms name: it is the key of this request."""
    statement = storable("statement", body.statement)
    return _once(header, lambda terms: terms.attest(path.id, statement))


@bp.post("/<id>/results", **operation(Scope.ESCROW_DELIVER, EscrowDocument, changes=True))
@signed_request(Scope.ESCROW_DELIVER)
def report_result(path: EscrowPath, header: IdempotencyHeader, body: NodeResult) -> Response:
    """Hand in what a node that the terms name has come to. Its first result counts."""
    return _once(
        header, lambda terms: terms.report_result(path.id, body.node_id, body.result_hash, body.signature)
    )


def _once(header: IdempotencyHeader, deed: Callable[[TermsInForce], Escrow]) -> Response:
    manager = services().escrow_manager(db_session(), current_actor())
    return answer_once(
        header, lambda: changed(escrow_document(deed(manager.terms), manager, current_actor()))
    )
