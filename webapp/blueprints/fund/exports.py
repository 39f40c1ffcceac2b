"""Everything about the fund to take away, whole, as CSV or JSON: its hourly records, its airdrops, their recipients."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator

from flask import Response
from flask.typing import ResponseReturnValue

from webapp.blueprints.fund.blueprint import bp
from webapp.models import Airdrop
from webapp.services import fund_records
from webapp.services.airdrops import history
from webapp.services.airdrops.history import RecipientLine
from webapp.web.current import db_session
from webapp.web.exports import Row, csv_file, json_file
from webapp.web.fund_view import is_fund_public
from webapp.web.guards import public_while, signed_in

RECORD_COLUMNS = (
    "recorded_at",
    "balance",
    "total_collected",
    "total_distributed",
    *fund_records.RECORDED_RULES,
)
AIRDROP_COLUMNS = (
    "number",
    "id",
    "kind",
    "status",
    "taken_at",
    "posted_at",
    "finished_at",
    "block_height",
    "balance",
    "total",
    "recipient_count",
    "snapshot_hash",
    "reason",
)
RECIPIENT_COLUMNS = (
    "airdrop_number",
    "position",
    "node_id",
    "amount",
    "pay_to",
    "status",
    "reason",
    "payout_status",
    "txid",
    "output_index",
    "confirmations",
)
_FILES: dict[str, Callable[[str, Iterable[str], Iterable[Row]], Response]] = {
    "csv": csv_file,
    "json": json_file,
}


@bp.get("/history.<any(csv, json):form>")
@public_while(is_fund_public)
@signed_in
def history_file(form: str) -> ResponseReturnValue:
    """Every hourly record of the fund, the newest first."""
    rows = ({name: getattr(each, name) for name in RECORD_COLUMNS} for each in _records())
    return _FILES[form]("duxos-fund-history", RECORD_COLUMNS, rows)


@bp.get("/airdrops.<any(csv, json):form>")
@public_while(is_fund_public)
@signed_in
def airdrops_file(form: str) -> ResponseReturnValue:
    """Every airdrop, the newest first."""
    rows = (_airdrop_row(each) for each in history.every_airdrop(db_session()))
    return _FILES[form]("duxos-airdrops", AIRDROP_COLUMNS, rows)


@bp.get("/recipients.<any(csv, json):form>")
@public_while(is_fund_public)
@signed_in
def all_recipients_file(form: str) -> ResponseReturnValue:
    """Every share of every airdrop, the newest airdrop first."""
    return _FILES[form]("duxos-airdrop-recipients", RECIPIENT_COLUMNS, _all_recipients())


@bp.get("/airdrops/<uuid:airdrop_id>/recipients.<any(csv, json):form>")
@public_while(is_fund_public)
@signed_in
def recipients_file(airdrop_id: uuid.UUID, form: str) -> ResponseReturnValue:
    """Every share of one airdrop."""
    found = history.get(db_session(), airdrop_id)
    return _FILES[form](
        f"duxos-airdrop-{found.number}-recipients", RECIPIENT_COLUMNS, _recipients(found.id, found.number)
    )


def _records() -> Iterable[object]:
    return fund_records.every_record(db_session())


def _all_recipients() -> Iterator[Row]:
    for airdrop in history.every_airdrop(db_session()):
        yield from _recipients(airdrop.id, airdrop.number)


def _recipients(airdrop_id: uuid.UUID, number: int) -> Iterator[Row]:
    for line in history.every_recipient(db_session(), airdrop_id):
        yield _recipient_row(number, line)


def _airdrop_row(airdrop: Airdrop) -> Row:
    return {name: getattr(airdrop, name) for name in AIRDROP_COLUMNS} | {"id": str(airdrop.id)}


def _recipient_row(number: int, line: RecipientLine) -> Row:
    return {name: getattr(line, name) for name in RECIPIENT_COLUMNS[1:]} | {"airdrop_number": number}
