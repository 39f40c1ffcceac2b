"""Airdrops in the browser: the list, and one with who got what, why others got nothing, and the facts behind it."""

from __future__ import annotations

import uuid
from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from webapp.blueprints.fund.blueprint import bp
from webapp.models import Airdrop
from webapp.services.airdrops import history
from webapp.web.airdrop_view import Outcome, outcome_of, snapshot_response, where_it_went
from webapp.web.current import db_session, services
from webapp.web.fund_view import is_fund_public
from webapp.web.guards import public_while, signed_in
from webapp.web.htmx import is_htmx, render
from webapp.web.live import live

PAGE_SIZE = 20
SHARES_PAGE = 25


@bp.get("/airdrops")
@public_while(is_fund_public)
@signed_in
def airdrops() -> ResponseReturnValue:
    """Every airdrop, the newest first."""
    cursor = request.args.get("cursor")
    page = history.list_airdrops(db_session(), limit=PAGE_SIZE, cursor=cursor)
    return render(
        "fund/airdrops", "airdrop_list", airdrops=page.items, **_pages(page.next_cursor, "fund.airdrops")
    )


@bp.get("/airdrops/<uuid:airdrop_id>")
@public_while(is_fund_public)
@signed_in
def airdrop(airdrop_id: uuid.UUID) -> ResponseReturnValue:
    """One airdrop: its figures, its first recipients, and the first nodes without a share."""
    found = history.get(db_session(), airdrop_id)
    outcome = _outcome(found)
    return render(
        "fund/airdrop",
        airdrop=found,
        parts=history.parts(db_session(), airdrop_id),
        outcome=outcome,
        **_recipients(found, None),
        **(_without(found, outcome, None) if outcome else {}),
    )


@bp.get("/airdrops/<uuid:airdrop_id>/progress")
@public_while(is_fund_public)
@signed_in
@live
def airdrop_progress(airdrop_id: uuid.UUID) -> ResponseReturnValue:
    """How its shares stand, asked for again until all are where they were to go."""
    found = history.get(db_session(), airdrop_id)
    if not is_htmx():
        return redirect(url_for("fund.airdrop", airdrop_id=airdrop_id), code=303)
    parts = history.parts(db_session(), airdrop_id)
    return render("fund/airdrop", "airdrop_progress", airdrop=found, parts=parts)


@bp.get("/airdrops/<uuid:airdrop_id>/recipients")
@public_while(is_fund_public)
@signed_in
def recipients(airdrop_id: uuid.UUID) -> ResponseReturnValue:
    """Who got what of an airdrop, page by page."""
    found = history.get(db_session(), airdrop_id)
    context = _recipients(found, request.args.get("cursor"))
    return render("fund/recipients", "airdrop_recipients", airdrop=found, **context)


@bp.get("/airdrops/<uuid:airdrop_id>/without-share")
@public_while(is_fund_public)
@signed_in
def without_share(airdrop_id: uuid.UUID) -> ResponseReturnValue:
    """Which nodes got nothing of an airdrop, and why, page by page."""
    found = history.get(db_session(), airdrop_id)
    context = _without(found, _outcome(found) or Outcome((), ()), request.args.get("cursor"))
    return render("fund/without_share", "airdrop_without_share", airdrop=found, **context)


@bp.get("/airdrops/<uuid:airdrop_id>/snapshot.json")
@public_while(is_fund_public)
@signed_in
def snapshot(airdrop_id: uuid.UUID) -> ResponseReturnValue:
    """The facts that the airdrop was decided from, byte for byte, as a file."""
    found = history.get(db_session(), airdrop_id)
    response = snapshot_response(history.document_of(db_session(), airdrop_id), found.snapshot_hash)
    name = f"duxos-airdrop-{found.number}-snapshot.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _outcome(found: Airdrop) -> Outcome | None:
    """Why nodes have no share. None for an airdrop by hand: it is not decided from the facts of all nodes."""
    if found.kind != "automatic":
        return None
    return outcome_of(history.document_of(db_session(), found.id), found.snapshot_hash)


def _recipients(found: Airdrop, cursor: str | None) -> dict[str, Any]:
    page = history.list_recipients(db_session(), found.id, limit=SHARES_PAGE, cursor=cursor)
    return {
        "recipients": page.items,
        "where_it_went": where_it_went,
        "confirmations_needed": services().settings.wallet.payout_confirmations,
        "recipients_pages": _pages(page.next_cursor, "fund.recipients", airdrop_id=found.id),
    }


def _without(found: Airdrop, outcome: Outcome, cursor: str | None) -> dict[str, Any]:
    page = outcome.page(SHARES_PAGE, cursor)
    return {
        "refused": page.items,
        "without_pages": _pages(page.next_cursor, "fund.without_share", airdrop_id=found.id),
    }


def _pages(next_cursor: str | None, endpoint: str, **values: Any) -> dict[str, Any]:
    """Where the next page is, and the first one when this is not it."""
    return {
        "next_url": url_for(endpoint, cursor=next_cursor, **values) if next_cursor else None,
        "first_url": url_for(endpoint, **values) if request.args.get("cursor") else None,
    }
