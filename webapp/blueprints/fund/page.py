"""The fund's page: what it holds, what it collected, how far it is from being given back, and how that is decided."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from webapp.blueprints.fund.blueprint import bp
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said
from webapp.services import fund_records
from webapp.services.airdrops import history
from webapp.web.current import db_session, services
from webapp.web.fund_charts import Point, airdrop_chart, balance_chart, points_of
from webapp.web.fund_view import change_view, how_it_works, is_fund_public, waits_for
from webapp.web.guards import public_while, signed_in
from webapp.web.htmx import is_htmx, render
from webapp.web.live import live

RANGES = {7: said("A week"), 30: said("A month"), 365: said("A year")}
# A week by every second hour; longer times with as many points.
POINTS = 84
SHOWN_AIRDROPS = 20


@bp.get("")
@public_while(is_fund_public)
@signed_in
def show() -> ResponseReturnValue:
    """The fund's figures, its charts and its rules. How long the balance is drawn for is in the address."""
    fund = services().fund_manager(db_session()).get_fund_statistics()
    airdrops = history.latest_given(db_session(), SHOWN_AIRDROPS)
    return render(
        "fund/show",
        "fund_balance",
        **_figures(fund),
        changes=[change_view(change) for change in fund["pending_rule_changes"]],
        airdrops=airdrops,
        airdrop_chart=airdrop_chart(airdrops),
        **_balance(fund),
        **how_it_works(fund["rules"]),
    )


@bp.get("/figures")
@public_while(is_fund_public)
@signed_in
@live
def figures() -> ResponseReturnValue:
    """The figures by themselves, asked for when the fund has changed."""
    if not is_htmx():
        return redirect(url_for("fund.show"), code=303)
    fund = services().fund_manager(db_session()).get_fund_statistics()
    return render("fund/show", "fund_figures", **_figures(fund))


def _figures(fund: dict[str, Any]) -> dict[str, Any]:
    """What the fund has and waits for, with the airdrop that is being paid."""
    under_way = history.under_way(db_session())
    parts = history.parts(db_session(), under_way.id) if under_way else []
    return {"fund": fund, "waits_for": waits_for(fund), "under_way": under_way, "parts": parts}


def _balance(fund: dict[str, Any]) -> dict[str, Any]:
    """The chart of the balance with the choice of its range."""
    days = _days(request.args.get("days"))
    now = utcnow()
    records = fund_records.thinned(db_session(), now - timedelta(days=days), POINTS)
    points = points_of(records, Point(now, fund["current_balance"], fund["airdrop_threshold"]))
    return {
        "points": points,
        "chart": balance_chart(points),
        "ranges": [(label, url_for("fund.show", days=each), each == days) for each, label in RANGES.items()],
    }


def _days(text: str | None) -> int:
    if text is None:
        return next(iter(RANGES))
    if text not in {str(each) for each in RANGES}:
        raise ValidationError.of("days", said("must be one of {names}", names=", ".join(map(str, RANGES))))
    return int(text)
