"""The community fund: what it holds, what it collected, and how far it is from being given back."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from webapp.domain.money import Amount, split
from webapp.web.current import db_session, services
from webapp.web.escrow_view import percent
from webapp.web.guards import signed_in
from webapp.web.htmx import render

bp = Blueprint("fund", __name__, url_prefix="/fund")

RECORDS = 24


@bp.get("")
@signed_in
def show() -> ResponseReturnValue:
    """The fund's figures, how it works, and its latest hourly records."""
    fund = services().fund_manager(db_session())
    settings = services().settings
    return render(
        "fund/show",
        fund=fund.get_fund_statistics(),
        records=fund.history(RECORDS),
        fund_share=percent(settings.escrow.fund_basis_points),
        example=split(Amount.parse(100), settings.escrow.fund_basis_points),
        interval_hours=settings.community_fund.airdrop_interval_hours,
        pays_fees=settings.wallet.fee_paid_by == "fund",
    )
