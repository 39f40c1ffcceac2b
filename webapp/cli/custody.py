"""`flask custody`: large payouts that wait for an approval, and coins between the daemon and cold storage."""

from __future__ import annotations

import sys
import uuid
from typing import Any

import click

from webapp.cli.output import DuxosGroup, emit, json_option
from webapp.domain.clock import to_rfc3339
from webapp.domain.exceptions import NotFoundError
from webapp.domain.money import Amount, format_signed
from webapp.domain.roles import AT_TERMINAL, Actor
from webapp.extensions import db
from webapp.models import Payout
from webapp.services.custody import approvals, cold_storage, overview
from webapp.services.custody.sweep import Sweeper
from webapp.services.wallet_ownership import actor_of_person
from webapp.web.current import services

custody_commands = DuxosGroup("custody", help="Approvals, the hot wallet, and cold storage.")

operator_option = click.option("--operator", required=True, help="The e-mail address of who decides.")
password_option = click.option(
    "--password",
    prompt=True,
    hide_input=True,
    help="The operator's password, or - to read it from standard input.",
)


def _operator(email: str, password: str) -> Actor:
    """Who decides shows that it is them: naming somebody else would do away with the second pair of eyes."""
    if password == "-":  # noqa: S105  (the convention for standard input)
        password = sys.stdin.readline().rstrip("\r\n")
    return actor_of_person(db.session(), services().identity(db.session()).authenticate(email, password))


def _payout_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFoundError("there is no such payout") from None


@custody_commands.command("show")
@json_option
def show(as_json: bool) -> None:
    """Limits, what lies where, and the payouts that wait for an approval."""
    seen = overview.look(db.session(), services().settings)
    limits = seen.limits
    emit(
        {
            "daily_withdrawal_limit": limits.daily_withdrawal_limit,
            "approval_above": limits.approval_above,
            "hot_wallet_ceiling": limits.hot_wallet_ceiling,
            "hot_wallet_target": seen.swept_to,
            "cold_address": limits.cold_address,
            "hot_wallet": seen.hot.balance if seen.hot else None,
            "needed_by_payouts": seen.needed,
            "cold_storage": format_signed(seen.cold),
            "sweep_on_its_way": seen.sweep.txid if seen.sweep else None,
            "refill_address": seen.refill_address,
            "awaiting_approval_count": seen.awaiting_count,
            "awaiting_approval": [_awaiting(payout, as_json) for payout in seen.awaiting],
        },
        as_json=as_json,
    )


def _awaiting(payout: Payout, as_json: bool) -> dict[str, Any] | str:
    since = to_rfc3339(payout.status_since)
    if not as_json:
        return f"{payout.id} {payout.gross} FLOP from {payout.source_name} to {payout.address} since {since}"
    return {
        "id": payout.id,
        "gross": payout.gross,
        "address": payout.address,
        "wallet_id": payout.wallet_id,
        "requested_by": payout.requested_by,
        "since": since,
    }


@custody_commands.command("approve")
@click.argument("payout_id")
@click.argument("address")
@operator_option
@password_option
@json_option
def approve(payout_id: str, address: str, operator: str, password: str, as_json: bool) -> None:
    """Let a payout go to ADDRESS, which must still be where it goes."""
    actor = _operator(operator, password)
    payout = approvals.approve(db.session(), actor, _payout_id(payout_id), address)
    emit(_decided(payout), as_json=as_json)


@custody_commands.command("refuse")
@click.argument("payout_id")
@click.option("--reason", required=True, help="What its owner will read.")
@operator_option
@password_option
@json_option
def refuse(payout_id: str, reason: str, operator: str, password: str, as_json: bool) -> None:
    """Give the money of a payout back to its wallet."""
    actor = _operator(operator, password)
    emit(_decided(approvals.refuse(db.session(), actor, _payout_id(payout_id), reason)), as_json=as_json)


def _decided(payout: Payout) -> dict[str, Any]:
    return {"payout_id": payout.id, "status": payout.status, "reason": payout.reason}


@custody_commands.command("refill-address")
@click.option("--new", "is_new", is_flag=True, help="Take another one, which was never used.")
@json_option
def refill_address(is_new: bool, as_json: bool) -> None:
    """Where coins that come back from cold storage are to be sent."""
    address = None if is_new else cold_storage.refill_address(db.session())
    if address is None:
        address = cold_storage.take_refill_address(db.session(), services().daemon, AT_TERMINAL)
    emit({"address": address}, as_json=as_json)


@custody_commands.command("sweep-now")
@click.option("--keep", help="FLOP that stay in the daemon; the configured target if left out.")
@json_option
def sweep_now(keep: str | None, as_json: bool) -> None:
    """Send what is beyond the target to the cold address, without waiting for the ceiling."""
    kept = None if keep is None else Amount.parse(keep, field="keep", allow_zero=True)
    sweeper = Sweeper(db.session(), services().settings, services().daemon)
    sent = sweeper.sweep_now(AT_TERMINAL, kept)
    emit({"txid": sent.txid, "amount": sent.amount, "fee": sent.fee, "status": sent.status}, as_json=as_json)
