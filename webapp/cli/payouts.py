"""`flask payouts`: the brake on payouts, for an operator at a terminal."""

from __future__ import annotations

import click
from sqlalchemy import func, select

from webapp.cli.output import DuxosGroup, emit, json_option
from webapp.extensions import db
from webapp.models import Payout
from webapp.services.payouts import halts as payout_halts
from webapp.services.unit_of_work import unit_of_work

OPERATOR_CAUSE = "operator"

payout_commands = DuxosGroup("payouts", help="Payouts as a whole: where they stand, halt, resume.")


@payout_commands.command("status")
@json_option
def show_status(as_json: bool) -> None:
    """Count payouts by state, and say what halts them."""
    counts = db.session.execute(select(Payout.status, func.count()).group_by(Payout.status)).all()
    halts = [f"{halt.cause}: {halt.detail}" for halt in payout_halts.standing(db.session())]
    emit({"halted_by": halts, **{status: count for status, count in counts}}, as_json=as_json)


@payout_commands.command("halt")
@click.option("--reason", required=True)
@json_option
def halt_payouts(reason: str, as_json: bool) -> None:
    """Send no payouts until they are resumed. Everything else goes on."""
    with unit_of_work(db.session()) as session:
        payout_halts.halt(session, OPERATOR_CAUSE, reason)
    emit({"status": "halted", "reason": reason}, as_json=as_json)


@payout_commands.command("resume")
@json_option
def resume_payouts(as_json: bool) -> None:
    """Lift every halt. A gap in the books that still stands halts them again at the next check."""
    with unit_of_work(db.session()) as session:
        halts = payout_halts.standing(session)
        for halt in halts:
            payout_halts.clear(session, halt.cause, "command line")
    emit({"status": "running", "lifted": [halt.cause for halt in halts]}, as_json=as_json)
