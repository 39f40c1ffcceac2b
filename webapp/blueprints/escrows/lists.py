"""The list of escrows: who sees which, by state and side, page by page."""

from __future__ import annotations

from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.blueprints.escrows.blueprint import bp
from webapp.domain.escrow_states import Party, Status
from webapp.domain.exceptions import ValidationError
from webapp.domain.pagination import Page
from webapp.domain.roles import Role
from webapp.models import Escrow
from webapp.services import escrow_queries
from webapp.web.current import db_session
from webapp.web.escrow_view import wallet_name
from webapp.web.guards import signed_in
from webapp.web.htmx import render
from webapp.web.states import state_look

PAGE_SIZE = 20
SHOWN_STATUSES = (
    Status.PENDING,
    Status.ACTIVE,
    Status.DELIVERED,
    Status.DISPUTED,
    Status.RELEASED,
    Status.REFUNDED,
)
SIDES = {"payer": Party.PAYER, "provider": Party.PROVIDER}


@bp.get("")
@signed_in
def index() -> ResponseReturnValue:
    """The reader's escrows, the newest first; staff see everybody's. Filters and place are in the address."""
    status, side, cursor = (request.args.get(name) or None for name in ("status", "side", "cursor"))
    page = _page_of_escrows(status, side, cursor)

    def address(**changes: str | None) -> str:
        values: dict[str, Any] = {"status": status, "side": side} | changes
        return url_for("escrows.index", **values)

    return render(
        "escrows/index",
        "escrow_list",
        escrows=page.items,
        status_tabs=[(each, label, address(status=each), each == status) for each, label in _status_tabs()],
        side_tabs=[(each, label, address(side=each), each == side) for each, label in _side_tabs()],
        is_filtered=bool(status or side),
        next_url=address(cursor=page.next_cursor) if page.next_cursor else None,
        first_url=address() if cursor else None,
        wallet_name=lambda wallet_id: wallet_name(wallet_id, current_user.actor),
    )


def _status_tabs() -> list[tuple[str | None, str]]:
    return [(None, "All"), *((status.value, state_look(status.value).label) for status in SHOWN_STATUSES)]


def _side_tabs() -> list[tuple[str | None, str]]:
    everything = "Everybody’s" if _is_staff() else "Both sides"
    return [(None, everything), ("payer", "I pay"), ("provider", "I provide")]


def _is_staff() -> bool:
    return current_user.role in (Role.OPERATOR, Role.ARBITER)


def _page_of_escrows(status: str | None, side: str | None, cursor: str | None) -> Page[Escrow]:
    if side not in (None, *SIDES):
        raise ValidationError.of("side", "must be payer or provider")
    if side is None and _is_staff():
        return escrow_queries.list_all(db_session(), status=status, limit=PAGE_SIZE, cursor=cursor)
    return escrow_queries.list_for_wallets(
        db_session(),
        current_user.actor.wallet_ids,
        side=SIDES[side] if side else None,
        status=status,
        limit=PAGE_SIZE,
        cursor=cursor,
    )
