"""Many operations on escrows in one signed request: created, delivered, released, refunded."""

from __future__ import annotations

import json
from collections.abc import Callable

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.batch_schemas import Batch, BatchAnswer
from webapp.blueprints.api.documents import escrow_document
from webapp.blueprints.api.operations import answer_once, operation, operation_id
from webapp.blueprints.api.schemas import IdempotencyHeader
from webapp.blueprints.api.usual_documents import UsualDocuments
from webapp.domain.roles import Actor
from webapp.extensions import limiter
from webapp.services.batches.operations import MAX_OPERATIONS, Done, Outcome
from webapp.services.downtime import fair_terms
from webapp.services.express.rows import AnyEscrow, EscrowRow
from webapp.services.idempotency import StoredAnswer
from webapp.web.body_sizes import takes_batches
from webapp.web.current import db_session, services
from webapp.web.errors import problem_document
from webapp.web.guards import signed_request
from webapp.web.rate_limits import principal
from webapp.web.signed_requests import current_actor, find_actor

_TAG = Tag(name="Batches", description="Many operations on escrows at once")
bp = APIBlueprint(
    "api_batches", __name__, url_prefix="/escrow", abp_tags=[_TAG], operation_id_callback=operation_id
)


def _allowed() -> str:
    return f"{services().settings.security.max_batched_operations_per_minute} per minute"


def _asked_for() -> int:
    """How many operations the present request counts as: one, for whoever is not known to have signed it."""
    body = request.get_json(silent=True) if find_actor() else None
    asked = body.get("operations") if isinstance(body, dict) else None
    return min(max(len(asked), 1), MAX_OPERATIONS) if isinstance(asked, list) else 1


@bp.post(
    "/batch",
    **operation(
        None,
        BatchAnswer,
        changes=True,
        description=f"At most {MAX_OPERATIONS}, each as its own endpoint would do it and with the scope that one "
        "asks for. Without `together` each is atomic by itself, and the answer is a result for each. Results "
        "themselves and payments by a deposit have no place in a batch. A batch counts as one request, and its "
        "operations against a limit of their own.",
    ),
)
@takes_batches
@limiter.limit(_allowed, key_func=principal, cost=_asked_for)
@signed_request()
def run_batch(header: IdempotencyHeader, body: Batch) -> Response:
    """Do many things in one request and one transaction: create, deliver, release, refund."""
    asked, session, actor = body.read(), db_session(), current_actor()
    batch = services().batch(session, actor, _telling(actor))
    return answer_once(header, lambda: _told(batch.run(asked, together=body.together)))


def _telling(actor: Actor) -> Callable[[AnyEscrow], str]:
    """How an escrow is written down: one of the usual kind at once."""
    session, settings = db_session(), services().settings
    manager, usual = services().escrow_manager(session, actor), UsualDocuments()

    def tell(escrow: AnyEscrow) -> str:
        if isinstance(escrow, EscrowRow):
            return usual.text(escrow, fair_terms(session, settings, escrow), actor)
        return escrow_document(escrow, manager, actor).model_dump_json()

    return tell


def _told(outcomes: list[Outcome]) -> StoredAnswer:
    """The answer, put together of documents that are written already."""
    results = [_result(outcome, number) for number, outcome in enumerate(outcomes)]
    done = sum(isinstance(outcome, Done) for outcome in outcomes)
    text = f'{{"results":[{",".join(results)}],"done":{done},"failed":{len(outcomes) - done}}}'
    return StoredAnswer(200, text)


def _result(outcome: Outcome, number: int) -> str:
    if isinstance(outcome, Done):
        return f'{{"status":{201 if outcome.is_new else 200},"escrow":{outcome.document}}}'
    # A pointer (RFC 6901) to the operation in the request's body.
    problem = problem_document(outcome, f"{request.path}#/operations/{number}")
    return f'{{"status":{outcome.status},"problem":{json.dumps(problem)}}}'
