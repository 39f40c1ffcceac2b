"""Plans over JSON: one piece of work that is paid for in parts. Each part is an escrow, and is used as one."""

from __future__ import annotations

from flask import Response, url_for
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.documents import escrow_documents
from webapp.blueprints.api.operations import (
    answer,
    answer_once,
    created_at_location,
    made,
    operation,
    operation_id,
    storable,
)
from webapp.blueprints.api.plan_schemas import CreatedPlan, NewPlan, PlanDocument, PlanPath
from webapp.blueprints.api.schemas import IdempotencyHeader
from webapp.domain.clock import to_rfc3339
from webapp.domain.roles import Scope
from webapp.services.idempotency import StoredAnswer
from webapp.services.plans import Milestone, PlanOverview
from webapp.web.current import db_session, services
from webapp.web.guards import signed_request
from webapp.web.signed_requests import current_actor

_TAG = Tag(name="Plans", description="Escrows that are the parts of one piece of work")
bp = APIBlueprint(
    "api_plans", __name__, url_prefix="/escrow/plans", abp_tags=[_TAG], operation_id_callback=operation_id
)


@bp.post("", **operation(Scope.ESCROW_CREATE, created_at_location(CreatedPlan), creates=True))
@signed_request(Scope.ESCROW_CREATE)
def create(header: IdempotencyHeader, body: NewPlan) -> Response:
    """Lock the amounts of all parts of the payer's balance, or none of them."""
    plans = services().plans(db_session(), current_actor())
    asked = body.model_dump()
    milestones = [Milestone(**each) for each in asked.pop("milestones")]
    asked["metadata"] = storable("metadata", body.metadata)

    def effect() -> StoredAnswer:
        made_plan = plans.create(milestones=milestones, **asked)
        document = CreatedPlan(**_document(made_plan).model_dump())
        return made(document, url_for("api_plans.show", id=made_plan.plan.id))

    return answer_once(header, effect)


@bp.get("/<id>", **operation(Scope.ESCROW_READ, PlanDocument))
@signed_request(Scope.ESCROW_READ)
def show(path: PlanPath) -> Response:
    """A plan and its parts, for those who may see them."""
    return answer(_document(services().plans(db_session(), current_actor()).get(path.id)))


def _document(overview: PlanOverview) -> PlanDocument:
    plan, actor = overview.plan, current_actor()
    manager = services().escrow_manager(db_session(), actor)
    return PlanDocument(
        id=str(plan.id),
        title=plan.title,
        total=str(plan.total),
        released_amount=str(overview.released),
        refunded_amount=str(overview.refunded),
        held_amount=str(overview.held),
        payer_wallet_id=plan.payer_wallet_id,
        provider_wallet_id=plan.provider_wallet_id,
        next_deadline=to_rfc3339(overview.next_deadline),
        created_at=to_rfc3339(plan.created_at) or "",
        parts=escrow_documents(overview.parts, manager, actor),
        links={"self": url_for("api_plans.show", id=plan.id)},
    )
