"""Disputes: what an arbiter is asked to decide, all that are open for operators, and figures for everybody."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.domain.roles import Role
from webapp.services.disputes import lists
from webapp.services.disputes.statistics import statistics
from webapp.web.current import db_session
from webapp.web.dispute_words import BASES, RUNGS, SEATS
from webapp.web.guards import roles, signed_in
from webapp.web.htmx import render

bp = Blueprint("disputes", __name__, url_prefix="/disputes")


@bp.get("")
@roles(Role.ARBITER, Role.OPERATOR)
def index() -> ResponseReturnValue:
    """What is asked of an arbiter, the most urgent first; for operators, everything that is open."""
    session, cursor = db_session(), request.args.get("cursor")
    is_operator = current_user.role == Role.OPERATOR
    page = lists.list_open(session, cursor=cursor) if is_operator else None
    return render(
        "disputes/index",
        "dispute_list",
        disputes=page.items if page else lists.of_user(session, current_user.id),
        is_operator=is_operator,
        next_cursor=page.next_cursor if page else None,
        is_first=not cursor,
        rungs=RUNGS,
        seats=SEATS,
    )


@bp.get("/statistics")
@signed_in
def show_statistics() -> ResponseReturnValue:
    """How disputes went, without a name."""
    return render("disputes/statistics", known=statistics(db_session()), bases=BASES)
