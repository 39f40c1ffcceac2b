"""`flask payouts`: the brake on all of them, and what an operator does to a single one, at a terminal."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import click
from sqlalchemy import func, select

from webapp.cli.output import DuxosGroup, emit, json_option, limit_option
from webapp.domain.clock import to_rfc3339
from webapp.domain.exceptions import PayoutStateError
from webapp.domain.money import Amount
from webapp.domain.payout_states import PayoutStatus, state_of
from webapp.domain.roles import AT_TERMINAL
from webapp.extensions import db
from webapp.models import ChainTransaction, OperatorAction, Payout, PayoutHalt
from webapp.services import operator_actions
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts import inspection
from webapp.services.payouts.operations import PayoutOperations, subject_of
from webapp.web.current import services

payout_commands = DuxosGroup("payouts", help="Payouts: all of them (status, halt, resume), and single ones.")
reason_option = click.option("--reason", required=True, help="The payee reads it.")


def evidence_arguments(command: Callable[..., None]) -> Callable[..., None]:
    """The payout, and the evidence that was read: see `payouts evidence`."""
    for name, kind in (("share", str), ("txid", str), ("payout_id", click.UUID)):
        command = click.argument(name, type=kind)(command)
    return command


@payout_commands.command("status")
@json_option
def show_status(as_json: bool) -> None:
    """Count payouts by state, and say what halts them."""
    counts = db.session.execute(select(Payout.status, func.count()).group_by(Payout.status)).all()
    halts = [_halt(halt, as_json) for halt in payout_halts.standing(db.session())]
    emit({"halted_by": halts, **{status: count for status, count in counts}}, as_json=as_json)


@payout_commands.command("halt")
@click.option("--reason", required=True)
@json_option
def halt_payouts(reason: str, as_json: bool) -> None:
    """Send no payouts until they are resumed. Everything else goes on."""
    is_new = payout_halts.halt_by_operator(db.session(), AT_TERMINAL, reason)
    reasons = {halt.cause: halt.detail for halt in payout_halts.standing(db.session())}
    status = "halted" if is_new else "halted already"
    emit({"status": status, "reason": reasons.get(payout_halts.BY_OPERATOR, reason)}, as_json=as_json)


@payout_commands.command("resume")
@json_option
def resume_payouts(as_json: bool) -> None:
    """Lift every halt. A gap in the books that still stands halts them again at the next check."""
    lifted = payout_halts.resume(db.session(), AT_TERMINAL)
    emit({"status": "running", "lifted": lifted}, as_json=as_json)


@payout_commands.command("list")
@click.option("--status", type=click.Choice([status.value for status in PayoutStatus]))
@click.option("--late", "is_late", is_flag=True, help="Only those that take longer than usual.")
@limit_option
@json_option
def list_payouts(status: str | None, is_late: bool, limit: int, as_json: bool) -> None:
    """Payouts, the newest first."""
    page = inspection.list_payouts(
        db.session(), services().settings, status=status, is_late=is_late, limit=limit
    )
    lines = [
        f"{payout.id} {payout.status} {payout.gross} FLOP of {payout.source_name} to {payout.address}"
        for payout in page.items
    ]
    emit({"payouts": [_facts(payout) for payout in page.items] if as_json else lines}, as_json=as_json)


@payout_commands.command("show")
@click.argument("payout_id", type=click.UUID)
@json_option
def show_payout(payout_id: uuid.UUID, as_json: bool) -> None:
    """Where one payout is, why, and what operators did about it."""
    session = db.session()
    found = inspection.inspect(session, services().settings, inspection.get_payout(session, payout_id))
    acts = operator_actions.of_subject(session, subject_of(payout_id))
    emit(
        {
            **_facts(found.payout),
            "meaning": state_of(found.payout.status).meaning,
            "reason": found.payout.reason,
            "due_at": to_rfc3339(found.due_at),
            "is_late": found.is_late,
            "halted_by": [halt.cause for halt in found.halts],
            "is_wallet_frozen": found.is_frozen,
            "payouts_in_the_same_transaction": found.mates,
            "own_transactions": [_own(each, as_json) for each in found.own],
            "may_do": sorted(state_of(found.payout.status).may_do),
            "done": [_done(act, as_json) for act in acts],
        },
        as_json=as_json,
    )


@payout_commands.command("hold")
@click.argument("payout_id", type=click.UUID)
@reason_option
@json_option
def hold(payout_id: uuid.UUID, reason: str, as_json: bool) -> None:
    """Keep a queued payout from being sent."""
    emit(_facts(_operations().hold(payout_id, reason)), as_json=as_json)


@payout_commands.command("let-go")
@click.argument("payout_id", type=click.UUID)
@click.argument("address")
@json_option
def let_go(payout_id: uuid.UUID, address: str, as_json: bool) -> None:
    """Queue a held payout again, for ADDRESS, which must still be where it goes."""
    emit(_facts(_operations().resume(payout_id, address)), as_json=as_json)


@payout_commands.command("return")
@click.argument("payout_id", type=click.UUID)
@reason_option
@json_option
def return_payout(payout_id: uuid.UUID, reason: str, as_json: bool) -> None:
    """Give the money back: at once, or when its transaction can never confirm."""
    emit(_facts(_operations().return_to_balance(payout_id, reason)), as_json=as_json)


@payout_commands.command("rebroadcast")
@click.argument("payout_id", type=click.UUID)
@json_option
def rebroadcast(payout_id: uuid.UUID, as_json: bool) -> None:
    """Send the stored transaction again, as it is."""
    emit(_facts(_operations().rebroadcast(payout_id)), as_json=as_json)


@payout_commands.command("raise-fee")
@click.argument("payout_id", type=click.UUID)
@click.option("--rate", help="FLOP per kB that it shall pay; without it, a step more than now.")
@json_option
def raise_fee(payout_id: uuid.UUID, rate: str | None, as_json: bool) -> None:
    """Have a second transaction pay for the first."""
    wanted = Amount.parse(rate, field="rate") if rate else None
    emit(_facts(_operations().raise_fee(payout_id, wanted)), as_json=as_json)


@payout_commands.command("evidence")
@click.argument("payout_id", type=click.UUID)
@json_option
def show_evidence(payout_id: uuid.UUID, as_json: bool) -> None:
    """What another transaction, which has taken its coins, pays to its address. SHARE is what counts for it."""
    found = _operations().evidence(payout_id)
    if found is None:
        raise PayoutStateError("Nothing is to be decided about this payout.")
    emit(
        {
            "txid": found.txid,
            "confirmations": found.confirmations,
            "confirmations_needed": found.confirmations_needed,
            "is_final": found.is_final,
            "due": found.due,
            "paid_to_address": found.paid,
            "counted_for_others": found.counted,
            "undecided_others": found.rivals,
            "share": found.share,
            "missing": found.missing,
        },
        as_json=as_json,
    )


@payout_commands.command("accept")
@evidence_arguments
@json_option
def accept(payout_id: uuid.UUID, txid: str, share: str, as_json: bool) -> None:
    """Count SHARE of what TXID pays as this payout; what is missing goes back to the balance."""
    emit(_facts(_operations().accept(payout_id, txid, _amount(share))), as_json=as_json)


@payout_commands.command("queue-again")
@evidence_arguments
@json_option
def queue_again(payout_id: uuid.UUID, txid: str, share: str, as_json: bool) -> None:
    """TXID, whatever it pays to the address, is not this payout: pay it with another transaction."""
    emit(_facts(_operations().queue_again(payout_id, txid, _amount(share))), as_json=as_json)


@payout_commands.command("return-unpaid")
@evidence_arguments
@reason_option
@json_option
def return_unpaid(payout_id: uuid.UUID, txid: str, share: str, reason: str, as_json: bool) -> None:
    """TXID, whatever it pays to the address, is not this payout: give the money back."""
    emit(_facts(_operations().return_unpaid(payout_id, txid, _amount(share), reason)), as_json=as_json)


def _amount(share: str) -> Amount:
    return Amount.parse(share, field="share", allow_zero=True)


def _operations() -> PayoutOperations:
    held = services()
    return PayoutOperations(db.session(), held.settings, held.daemon, AT_TERMINAL)


def _halt(halt: PayoutHalt, as_json: bool) -> dict[str, Any] | str:
    if not as_json:
        return f"{halt.cause}: {halt.detail}"
    return {"cause": halt.cause, "detail": halt.detail, "raised_at": to_rfc3339(halt.raised_at)}


def _own(transaction: ChainTransaction, as_json: bool) -> dict[str, Any] | str:
    if not as_json:
        return f"{transaction.kind} {transaction.status} {transaction.txid}"
    return {"kind": transaction.kind, "status": transaction.status, "txid": transaction.txid}


def _done(act: OperatorAction, as_json: bool) -> dict[str, Any] | str:
    at = to_rfc3339(act.at)
    if not as_json:
        return f"{at} {act.actor} {act.action}"
    return {"at": at, "actor": act.actor, "action": act.action, "detail": act.detail}


def _facts(payout: Payout) -> dict[str, Any]:
    return {
        "payout_id": payout.id,
        "status": payout.status,
        "status_since": to_rfc3339(payout.status_since),
        "is_return_requested": payout.is_return_requested,
        "wallet_id": payout.wallet_id,
        "address": payout.address,
        "gross": payout.gross,
        "fee": payout.fee,
        "net": payout.net,
        "txid": payout.transaction.txid if payout.transaction else None,
    }
