"""The community fund over JSON."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.fund_documents import airdrop_document, fund_document, recipient_document
from webapp.blueprints.api.fund_schemas import (
    AirdropAnswer,
    AirdropDocument,
    AirdropOrder,
    AirdropPage,
    AirdropPath,
    AirdropShare,
    FundDocument,
    PageQuery,
    RecipientPage,
    SnapshotDocument,
)
from webapp.blueprints.api.operations import answer, answer_once, changed, operation, operation_id
from webapp.blueprints.api.schemas import IdempotencyHeader
from webapp.domain.exceptions import NotFoundError
from webapp.domain.roles import Scope
from webapp.models import Airdrop
from webapp.services.airdrops import history, manual_answer
from webapp.services.airdrops.manual import ManualAirdrops
from webapp.services.idempotency import StoredAnswer
from webapp.web.airdrop_view import snapshot_response
from webapp.web.current import db_session, services
from webapp.web.fund_view import is_fund_public
from webapp.web.guards import public_while, signed_request
from webapp.web.signed_requests import current_actor

_TAG = Tag(name="Community fund", description="The share of every release that goes back to the nodes")
bp = APIBlueprint(
    "api_community_fund",
    __name__,
    url_prefix="/community-fund",
    abp_tags=[_TAG],
    operation_id_callback=operation_id,
)


@bp.get("/status", **operation(Scope.FUND_READ, FundDocument))
@public_while(is_fund_public)
@signed_request(Scope.FUND_READ)
def status() -> Response:
    """What the fund holds, collected and gave, and how far it is from its next airdrop."""
    return answer(fund_document(services().fund_manager(db_session()).get_fund_statistics()))


@bp.get("/airdrops", **operation(Scope.FUND_READ, AirdropPage))
@public_while(is_fund_public)
@signed_request(Scope.FUND_READ)
def list_airdrops(query: PageQuery) -> Response:
    """Every airdrop, the newest first."""
    page = history.list_airdrops(db_session(), limit=query.limit, cursor=query.cursor)
    items = [airdrop_document(airdrop) for airdrop in page.items]
    return answer(AirdropPage(items=items, next_cursor=page.next_cursor))


@bp.get("/airdrops/<id>", **operation(Scope.FUND_READ, AirdropDocument))
@public_while(is_fund_public)
@signed_request(Scope.FUND_READ)
def show_airdrop(path: AirdropPath) -> Response:
    """One airdrop."""
    return answer(airdrop_document(_airdrop(path)))


@bp.get("/airdrops/<id>/recipients", **operation(Scope.FUND_READ, RecipientPage))
@public_while(is_fund_public)
@signed_request(Scope.FUND_READ)
def list_recipients(path: AirdropPath, query: PageQuery) -> Response:
    """Who gets what of an airdrop, with the transactions that pay it."""
    found = _airdrop(path)
    page = history.list_recipients(db_session(), found.id, limit=query.limit, cursor=query.cursor)
    items = [recipient_document(line) for line in page.items]
    return answer(RecipientPage(items=items, next_cursor=page.next_cursor))


@bp.get(
    "/airdrops/<id>/snapshot",
    **operation(
        Scope.FUND_READ,
        SnapshotDocument,
        description="The bytes of the answer are what was hashed: `ETag` and `Repr-Digest` (RFC 9530) carry their "
        "SHA-256, in hexadecimal and in base64.",
    ),
)
@public_while(is_fund_public)
@signed_request(Scope.FUND_READ)
def show_snapshot(path: AirdropPath) -> Response:
    """The facts that an airdrop was decided from, byte for byte as published."""
    found = _airdrop(path)
    return snapshot_response(history.document_of(db_session(), found.id), found.snapshot_hash)


def _airdrop(path: AirdropPath) -> Airdrop:
    try:
        airdrop_id = uuid.UUID(path.id)
    except ValueError:
        raise NotFoundError("there is no such airdrop") from None
    return history.get(db_session(), airdrop_id)


@bp.post("/airdrop", **operation(Scope.FUND_AIRDROP, AirdropAnswer, changes=True, more_problems=(503,)))
@signed_request(Scope.FUND_AIRDROP)
def give_airdrop(header: IdempotencyHeader, body: AirdropOrder) -> Response:
    """Give nodes of the fund, all of them or none; for keys of operators. It counts against the key's spend limit."""
    session = db_session()
    airdrops = ManualAirdrops(session, services().settings, current_actor())

    def effect() -> StoredAnswer:
        given = manual_answer.answer(airdrops, **body.model_dump())
        if not body.dry_run:
            services().signing_keys(session).spend(current_actor(), given["total_distributed"])
        return changed(_airdrop_answer(given))

    return answer_once(header, effect)


def _airdrop_answer(given: dict[str, Any]) -> AirdropAnswer:
    airdrop_id = given["airdrop_id"]
    return AirdropAnswer(
        **given
        | {
            "airdrop_id": airdrop_id and str(airdrop_id),
            "total_distributed": str(given["total_distributed"]),
            "airdrops": [AirdropShare(**row | {"amount": str(row["amount"])}) for row in given["airdrops"]],
        }
    )
