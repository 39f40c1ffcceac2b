"""The community fund over JSON."""

from __future__ import annotations

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.documents import fund_document
from webapp.blueprints.api.operations import answer, operation, operation_id
from webapp.blueprints.api.schemas import FundDocument
from webapp.domain.roles import Scope
from webapp.web.current import db_session, services
from webapp.web.guards import signed_request

_TAG = Tag(name="Community fund", description="The share of every release that goes back to the nodes")
bp = APIBlueprint(
    "api_community_fund",
    __name__,
    url_prefix="/community-fund",
    abp_tags=[_TAG],
    operation_id_callback=operation_id,
)


@bp.get("/status", **operation(Scope.FUND_READ, FundDocument))
@signed_request(Scope.FUND_READ)
def status() -> Response:
    """What the fund holds, collected and gave, and how far it is from its next airdrop."""
    return answer(fund_document(services().fund_manager(db_session()).get_fund_statistics()))
