"""What the views of the wallet show of its statement: a page of lines, and the whole of it to take away."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from webapp.blueprints.forms.lists import PeriodForm
from webapp.domain.exceptions import ValidationError
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.services import wallet_statement
from webapp.services.wallet_statement import ALL_TIMES, Period, StatementLine
from webapp.web.current import db_session
from webapp.web.exports import Row, whole_file
from webapp.web.htmx import render
from webapp.web.wallet_words import line_of

PAGE_SIZE = 10
# For paper, and for those who would rather scroll.
LONG_PAGE_SIZE = 100
COLUMNS = (
    "at",
    "kind",
    "what",
    "note",
    "escrow_id",
    "payout_id",
    "available_in",
    "available_out",
    "held_in",
    "held_out",
    "balance",
    "entry",
)


def statement_page(wallet_id: int) -> Response:
    """The page that the address asks for. Days that make no sense are told beside their fields."""
    form, period = _asked()
    cursor = request.args.get("cursor") or None
    return render(
        "wallets/statement",
        "wallet_statement",
        status=200 if period else 422,
        **_context(wallet_id, form, period, cursor, is_long="long" in request.args),
    )


def whole_statement(wallet_id: int, form: str) -> Response:
    """All lines of the days that the address asks for."""
    asked, period = _asked()
    if period is None:
        wrong = {name: str(errors[0]) for name, errors in asked.errors.items() if name}
        raise ValidationError(said("these days cannot be understood"), fields=wrong)
    rows = (_row(line) for line in wallet_statement.every_line(db_session(), wallet_id, period))
    return whole_file(form, f"duxos-statement-{wallet_id}", COLUMNS, rows)


def latest_lines(wallet_id: int) -> dict[str, Any]:
    """The beginning of the statement, for a page that shows more than it."""
    return _context(wallet_id, PeriodForm(formdata=None), ALL_TIMES, None, is_long=False)


def _context(
    wallet_id: int, form: PeriodForm, period: Period | None, cursor: str | None, *, is_long: bool
) -> dict[str, Any]:
    """What the partial of the statement needs. Without a period it has no lines."""
    lines, next_cursor = [], None
    if period:
        size = LONG_PAGE_SIZE if is_long else PAGE_SIZE
        page = wallet_statement.list_statement(db_session(), wallet_id, period, limit=size, cursor=cursor)
        lines, next_cursor = [line_of(line) for line in page.items], page.next_cursor

    def address(endpoint: str = "wallets.statement", **more: str) -> str:
        return url_for(endpoint, **{"wallet": str(wallet_id), **form.sought(), **more})  # type: ignore[arg-type]

    length = {"long": "yes"} if is_long else {}
    return {
        "wallet_id": wallet_id,
        "period_form": form,
        "lines": lines,
        "next_url": address(cursor=next_cursor, **length) if next_cursor else None,
        "first_url": address(**length) if cursor else None,
        "everything_url": url_for("wallets.statement", wallet=wallet_id),
        "long_url": None if is_long else address(long="yes"),
        "files": [(kind.upper(), address("wallets.statement_file", form=kind)) for kind in ("csv", "json")],
    }


def _asked() -> tuple[PeriodForm, Period | None]:
    form = PeriodForm(formdata=request.args)
    if form.validate():
        try:
            return form, form.period()
        except ValidationError as error:
            form.take_errors(error)
    return form, None


def _row(line: StatementLine) -> Row:
    shown = line_of(line)
    return {
        "at": line.at,
        "kind": line.kind,
        "what": shown.title,
        "note": shown.note,
        "escrow_id": str(line.escrow_id) if line.escrow_id else None,
        "payout_id": shown.payout_id,
        "available_in": _part(line.available_change),
        "available_out": _part(-line.available_change),
        "held_in": _part(line.held_change),
        "held_out": _part(-line.held_change),
        "balance": line.balance,
        "entry": line.key,
    }


def _part(change: int) -> Amount | None:
    return Amount(change) if change > 0 else None
