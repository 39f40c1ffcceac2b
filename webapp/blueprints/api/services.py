"""The service catalogue over JSON: offered, listed, read, changed. Pages for people are at `/catalogue`."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.operations import (
    answer,
    answer_once,
    created_at_location,
    made,
    operation,
    operation_id,
)
from webapp.blueprints.api.schemas import IdempotencyHeader
from webapp.blueprints.api.service_schemas import (
    CreatedService,
    NewService,
    ServiceChange,
    ServiceDocument,
    ServicePage,
    ServicePath,
    ServiceQuery,
)
from webapp.domain.clock import to_rfc3339
from webapp.domain.exceptions import ValidationError
from webapp.domain.roles import Scope
from webapp.models import CatalogueService
from webapp.services.catalogue import Catalogue, ServiceFilter
from webapp.services.idempotency import StoredAnswer
from webapp.web.current import db_session, services
from webapp.web.guards import signed_request
from webapp.web.signed_requests import current_actor

_TAG = Tag(name="Services", description="What providers offer, and the rules that its results are checked by")
bp = APIBlueprint(
    "api_services", __name__, url_prefix="/services", abp_tags=[_TAG], operation_id_callback=operation_id
)

# These have no value that stands for none: null says nothing about them.
_NEVER_NULL = ("limits", "requires_result", "description", "is_active")


@bp.post("", **operation(Scope.SERVICE_MANAGE, created_at_location(CreatedService), creates=True))
@signed_request(Scope.SERVICE_MANAGE)
def offer(header: IdempotencyHeader, body: NewService) -> Response:
    """Offer a service of the key's wallet."""
    said = _said(body)
    wallet_id = said.pop("provider_wallet_id", None) or _own_wallet_id()

    def effect() -> StoredAnswer:
        service = _catalogue().offer(current_actor(), wallet_id, **said)
        document = CreatedService(**_document(service).model_dump())
        return made(document, url_for("api_services.show", id=service.id))

    return answer_once(header, effect)


@bp.get("", **operation(Scope.SERVICE_READ, ServicePage))
@signed_request(Scope.SERVICE_READ)
def list_all(query: ServiceQuery) -> Response:
    """Services that can be ordered, the newest first."""
    is_own = query.wallet_id in current_actor().wallet_ids
    wanted = ServiceFilter(
        text=query.text or "",
        kind=query.kind,
        wallet_ids=None if query.wallet_id is None else (query.wallet_id,),
        is_active=None if is_own else True,
    )
    page = _catalogue().list(wanted, query.limit, query.cursor)
    return answer(ServicePage(items=[_document(each) for each in page.items], next_cursor=page.next_cursor))


@bp.get("/<id>", **operation(Scope.SERVICE_READ, ServiceDocument))
@signed_request(Scope.SERVICE_READ)
def show(path: ServicePath) -> Response:
    """One service. One that is retired is there for its provider only."""
    return answer(_document(_catalogue().get(current_actor(), path.id)))


@bp.patch("/<id>", **operation(Scope.SERVICE_MANAGE, ServiceDocument, changes=True))
@signed_request(Scope.SERVICE_MANAGE)
def change(path: ServicePath, body: ServiceChange) -> Response:
    """Change a service of the key's wallet, or retire it. Orders keep what they were made with."""
    return answer(_document(_catalogue().change(current_actor(), path.id, **_said(body))))


def _catalogue() -> Catalogue:
    return services().catalogue(db_session())


def _own_wallet_id() -> int:
    (own,) = current_actor().wallet_ids
    return own


def _said(body: ServiceChange) -> dict[str, Any]:
    said = body.model_dump(exclude_unset=True)
    if nulls := [name for name in _NEVER_NULL if name in said and said[name] is None]:
        raise ValidationError("null says nothing", fields=dict.fromkeys(nulls, "must not be null"))
    return said


def _document(service: CatalogueService) -> ServiceDocument:
    return ServiceDocument(
        id=service.id,
        name=service.name,
        kind=service.kind,
        provider_wallet_id=service.provider_wallet_id,
        price=None if service.price is None else str(service.price),
        limits=service.limits,
        requires_result=service.requires_result,
        deadline_hours=service.deadline_hours,
        acceptance_hours=service.acceptance_hours,
        description=service.description,
        is_active=service.is_active,
        created_at=to_rfc3339(service.created_at) or "",
        updated_at=to_rfc3339(service.updated_at) or "",
    )
