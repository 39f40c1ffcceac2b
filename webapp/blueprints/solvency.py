"""Proof of solvency: what was owed and held, for everybody; and each owner's proof of being counted, for them alone."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import NotFoundError
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.models import SolvencyStatement
from webapp.services.solvency import proofs, statements
from webapp.web.current import db_session, services
from webapp.web.guards import public, signed_in
from webapp.web.htmx import render
from webapp.web.solvency_view import coverage, view_of

bp = Blueprint("solvency", __name__, url_prefix="/solvency")

HISTORY_PAGE = 10


@bp.get("")
@public
def show() -> ResponseReturnValue:
    """The newest statement, how to check it, and those before it."""
    return _page(statements.latest(db_session()))


@bp.get("/<row:statement_id>")
@public
def earlier(statement_id: int) -> ResponseReturnValue:
    """One of those before it."""
    return _page(statements.get(db_session(), statement_id))


@bp.get("/<row:statement_id>.json")
@public
def statement_json(statement_id: int) -> ResponseReturnValue:
    """The statement with its signatures, as programs and `python -m webapp.domain.solvency verify` read it."""
    return _json(statements.get(db_session(), statement_id).document)


@bp.get("/<row:statement_id>/proof.json")
@signed_in
def proof(statement_id: int) -> ResponseReturnValue:
    """The proof that a wallet of the reader's is counted, as a file."""
    wallet_id = _own_wallet(request.args.get("wallet", ""))
    found = statements.get(db_session(), statement_id)
    response = _json(proofs.proof_of(db_session(), found, wallet_id))
    name = f"duxos-solvency-{statement_id}-wallet-{wallet_id}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _page(found: SolvencyStatement | None) -> Response:
    cursor = request.args.get("cursor")
    history = statements.list_entries(db_session(), limit=HISTORY_PAGE, cursor=cursor)
    here = request.path
    hours = services().settings.custody.solvency_interval_hours
    return render(
        "solvency/show",
        "solvency_history",
        statement=view_of(found) if found else None,
        is_latest=request.endpoint == "solvency.show",
        is_overdue=found is not None and found.published_at + timedelta(hours=2 * hours) < utcnow(),
        interval_hours=hours,
        own_wallets=sorted(current_user.actor.wallet_ids) if current_user.is_authenticated else [],
        proved_wallets=_proved(found),
        entries=[_line(entry) for entry in history.items],
        next_url=f"{here}?cursor={history.next_cursor}" if history.next_cursor else None,
        first_url=here if cursor else None,
    )


def _proved(found: SolvencyStatement | None) -> set[int]:
    if found is None or not current_user.is_authenticated:
        return set()
    return proofs.wallets_in(db_session(), found.id, current_user.actor.wallet_ids)


def _line(entry: statements.Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "block_height": entry.block_height,
        "published_at": entry.published_at,
        "owed": Amount(entry.liabilities),
        "held": Amount(entry.reserves),
        "coverage": coverage(entry.liabilities, entry.reserves),
    }


def _own_wallet(named: str) -> int:
    """The wallet that is asked for. Raises NotFoundError unless it is the reader's."""
    own = current_user.actor.wallet_ids
    if not named.isdecimal() or len(named) > 18 or int(named) not in own:
        raise NotFoundError(said("there is no such wallet, or it is not yours"))
    return int(named)


def _json(document: dict[str, Any]) -> Response:
    return Response(json.dumps(document, indent=1), mimetype="application/json")
