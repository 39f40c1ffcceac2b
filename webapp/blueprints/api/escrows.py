"""Escrows over JSON: created, delivered, released, refunded, read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.documents import (
    address_of,
    escrow_document,
    escrow_documents,
    event_document,
)
from webapp.blueprints.api.escrow_filter import EscrowFilter
from webapp.blueprints.api.operations import (
    answer,
    answer_once,
    changed,
    created_at_location,
    made,
    operation,
    operation_id,
    storable,
)
from webapp.blueprints.api.result_schemas import Delivery, FindingDocument, Release, ReportDocument
from webapp.blueprints.api.schemas import (
    EscrowDocument,
    EscrowEvents,
    EscrowPage,
    EscrowPath,
    IdempotencyHeader,
    NewEscrow,
    Refund,
)
from webapp.domain.clock import to_rfc3339
from webapp.domain.escrow_states import Action
from webapp.domain.exceptions import NotFoundError
from webapp.domain.roles import Scope
from webapp.models import Escrow
from webapp.services import audit_trail, escrow_queries
from webapp.services.escrow_manager import EscrowManager
from webapp.services.funding_terms import DEPOSIT
from webapp.services.idempotency import StoredAnswer
from webapp.services.result_inspection import Inspection, find_report, inspect_result
from webapp.web.body_sizes import takes_results
from webapp.web.current import db_session, services
from webapp.web.guards import signed_request
from webapp.web.signed_requests import current_actor

_TAG = Tag(name="Escrows", description="Amounts that a payer locked for a task")
bp = APIBlueprint(
    "api_escrows", __name__, url_prefix="/escrow", abp_tags=[_TAG], operation_id_callback=operation_id
)


class CreatedEscrow(EscrowDocument):
    """A new escrow, with its address in `Location`."""


@bp.post(
    "/create",
    **operation(Scope.ESCROW_CREATE, created_at_location(CreatedEscrow), creates=True, more_problems=(503,)),
)
@signed_request(Scope.ESCROW_CREATE)
def create(header: IdempotencyHeader, body: NewEscrow) -> Response:
    """Lock an amount of the payer's balance for a task, or ask for a deposit that pays for it."""
    terms = body.model_dump()
    terms["metadata"] = storable("metadata", body.metadata)
    if body.funding == DEPOSIT:
        services().wallets(db_session()).stock_address()

    def effect() -> StoredAnswer:
        manager = _manager()
        return _made(_document(manager.create_escrow(**terms), manager))

    return answer_once(header, effect)


@bp.post("/<id>/deliver", **operation(Scope.ESCROW_DELIVER, EscrowDocument, changes=True))
@takes_results
@signed_request(Scope.ESCROW_DELIVER)
def deliver(path: EscrowPath, header: IdempotencyHeader, body: Delivery) -> Response:
    """Hand in the provider's signed result; the payer's time to object begins."""
    stated = (path.id, body.result_hash, body.provider_signature)
    return _answer_result(
        header, path.id, Action.DELIVER, body, lambda manager, found: manager.deliver_escrow(*stated, found)
    )


@bp.post(
    "/<id>/release",
    **operation(
        Scope.ESCROW_RELEASE,
        EscrowDocument,
        changes=True,
        description="For the payer or the verifier. Without a delivery before it, `result_hash` and "
        "`provider_signature` are needed. Under terms of its own this is an approval: `terms` say what is missing.",
    ),
)
@takes_results
@signed_request(Scope.ESCROW_RELEASE)
def release(path: EscrowPath, header: IdempotencyHeader, body: Release) -> Response:
    """Accept the result: the provider and the community fund are paid."""
    stated = (path.id, body.result_hash, body.provider_signature)
    return _answer_result(
        header, path.id, Action.RELEASE, body, lambda manager, found: manager.release_escrow(*stated, found)
    )


@bp.post(
    "/<id>/refund",
    **operation(
        Scope.ESCROW_REFUND,
        EscrowDocument,
        changes=True,
        description="For the provider and the verifier at any time before the release; for the payer when the "
        "deadline has passed without a delivery. Before it is paid for: for the payer and the provider.",
    ),
)
@signed_request(Scope.ESCROW_REFUND)
def refund(path: EscrowPath, header: IdempotencyHeader, body: Refund) -> Response:
    """Give the amount back to the payer."""

    def effect() -> StoredAnswer:
        manager = _manager()
        return changed(_document(manager.refund_escrow(path.id, body.reason), manager))

    return answer_once(header, effect)


@bp.get("/list", **operation(Scope.ESCROW_READ, EscrowPage))
@signed_request(Scope.ESCROW_READ)
def list_all(query: EscrowFilter) -> Response:
    """The escrows that the key's wallet pays or provides, and those that the key verifies."""
    page = escrow_queries.list_for_actor(
        db_session(),
        current_actor(),
        query.search(),
        wallet_id=query.wallet_id,
        side=query.party(),
        limit=query.limit,
        cursor=query.cursor,
    )
    manager = _manager()
    items = escrow_documents(page.items, manager, current_actor())
    return answer(EscrowPage(items=items, next_cursor=page.next_cursor))


@bp.get("/<id>", **operation(Scope.ESCROW_READ, EscrowDocument))
@signed_request(Scope.ESCROW_READ)
def show(path: EscrowPath) -> Response:
    """One escrow, for its parties."""
    manager = _manager()
    return answer(_document(manager.get_escrow(path.id), manager))


@bp.get("/<id>/transactions", **operation(Scope.ESCROW_READ, EscrowEvents))
@signed_request(Scope.ESCROW_READ)
def list_transactions(path: EscrowPath) -> Response:
    """The escrow's audit trail: what happened, who did it, each event bound to the one before by its hash."""
    escrow = _manager().get_escrow(path.id)
    events = audit_trail.entries(db_session(), escrow.id)
    return answer(EscrowEvents(items=[event_document(event) for event in events]))


@bp.get("/<id>/report", **operation(Scope.ESCROW_READ, ReportDocument))
@signed_request(Scope.ESCROW_READ)
def show_report(path: EscrowPath) -> Response:
    """What the rules of the service found in the result. There is none when its hash was delivered alone."""
    escrow = _manager().get_escrow(path.id)
    event = find_report(db_session(), escrow.id)
    if event is None:
        raise NotFoundError("there is no report: no result of this escrow was handed in to be checked")
    report: dict[str, Any] = event.detail["report"]
    told = {name: report[name] for name in ("kind", "service_id", "result_hash", "size", "sent_as")}
    return answer(
        ReportDocument(
            escrow_id=str(escrow.id),
            **told,
            findings=[FindingDocument(**each) for each in report["findings"]],
            checked_at=to_rfc3339(event.created_at) or "",
            audit_hash=event.hash,
        )
    )


def _answer_result(
    header: IdempotencyHeader,
    escrow_id: str,
    action: Action,
    body: Delivery | Release,
    move: Callable[[EscrowManager, Inspection | None], Escrow],
) -> Response:
    """Deliver or release. A result that came along is checked first, which takes a while."""
    inspection = None
    if body.has_result:
        settings = services().settings
        submitted = body.submitted(settings.escrow.max_result_size)
        inspection = inspect_result(
            db_session(), settings, _manager(), escrow_id, action, submitted, body.result_hash
        )

    def effect() -> StoredAnswer:
        manager = _manager()
        return changed(_document(move(manager, inspection), manager))

    return answer_once(header, effect)


def _made(document: EscrowDocument) -> StoredAnswer:
    return made(document, address_of("api_escrows.show", document.id))


def _manager() -> EscrowManager:
    return services().escrow_manager(db_session(), current_actor())


def _document(escrow: Escrow, manager: EscrowManager) -> EscrowDocument:
    return escrow_document(escrow, manager, current_actor())
