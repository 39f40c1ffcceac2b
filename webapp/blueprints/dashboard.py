"""The first page: what needs its reader now, what they hold, what moved, and for operators the state of things."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.domain.clock import utcnow
from webapp.domain.roles import Role
from webapp.domain.said import said
from webapp.models import Wallet
from webapp.services import chain_reach, escrow_desk, operations_overview, wallet_queries, wallet_statement
from webapp.services.disputes import lists as dispute_lists
from webapp.services.wallet_ownership import list_wallets
from webapp.web.current import db_session, services
from webapp.web.dispute_words import SEATS
from webapp.web.guards import signed_in
from webapp.web.htmx import render
from webapp.web.live import live
from webapp.web.parties import wallet_name
from webapp.web.wallet_words import line_of

bp = Blueprint("dashboard", __name__)

LATEST = 6


@bp.get("/")
@signed_in
def show() -> ResponseReturnValue:
    """The dashboard of whoever is logged in."""
    return render("dashboard/show", **_context())


@bp.get("/now")
@signed_in
@live
def now() -> ResponseReturnValue:
    """What it shows, asked for when something of its reader's has changed."""
    return render("dashboard/show", "dashboard_now", **_context())


def _context() -> dict[str, Any]:
    session = db_session()
    wallets = list_wallets(session, current_user.id)
    figures = [wallet_queries.overview(session, wallet.id) for wallet in wallets[:1]]
    desk = escrow_desk.desk(session, current_user.actor.wallet_ids)
    lines = _latest_lines(wallets)
    has_escrows = escrow_desk.has_any(session, current_user.actor.wallet_ids)
    return {
        "lead": _LEADS[current_user.role],
        "reach": chain_reach.look(session, services().settings),
        "wallet": wallets[0] if wallets else None,
        "figures": figures[0] if figures else None,
        "shows_wallet": bool(lines or (figures and not _is_staff())),
        "desk": desk,
        "disputes": dispute_lists.of_user(session, current_user.id) if _is_staff() else [],
        "seats": SEATS,
        "steps": [] if _is_staff() else _first_steps(wallets[0], has_escrows),
        "lines": lines,
        "fund": services().fund_manager(session).get_fund_statistics(),
        "wallet_name": lambda wallet_id: wallet_name(wallet_id, current_user.actor),
        **_operations(),
    }


_LEADS = {
    Role.PAYER: said("What waits for you, what you hold, and what moved."),
    Role.PROVIDER: said("What waits for you, what you earned, and what moved."),
    Role.OPERATOR: said("The state of the service, and of your own wallet."),
    Role.ARBITER: said("The disputes that wait for a ruling, and your own wallet."),
}


def _is_staff() -> bool:
    return current_user.role in (Role.OPERATOR, Role.ARBITER)


def _latest_lines(wallets: list[Wallet]) -> list[Any]:
    if not wallets:
        return []
    page = wallet_statement.list_statement(db_session(), wallets[0].id, limit=LATEST)
    return [line_of(line) for line in page.items]


def _first_steps(wallet: Wallet, has_escrows: bool) -> list[tuple[str, bool]]:
    """The way into the service as (step, is it done); empty for those who have found it."""
    has_coins = bool(wallet.available or wallet.held)
    if has_escrows:
        return []
    if current_user.role == Role.PROVIDER:
        keys = services().signing_keys(db_session()).list_for_wallet(wallet.id)
        has_key = any(key.is_usable(utcnow()) for key in keys)
        return [("number", False), ("key", has_key), ("address", bool(wallet.payout_address))]
    return [("deposit", has_coins), ("escrow", False)]


def _operations() -> dict[str, Any]:
    if current_user.role != Role.OPERATOR:
        return {"operations": None}
    return {"operations": operations_overview.figures(db_session(), services().settings)}
