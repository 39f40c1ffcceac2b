"""Movements of a wallet in plain words: the lines of its statement, and when payouts leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask_babel import gettext as _
from flask_babel import ngettext

from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.services.payouts.batching import Outlook
from webapp.services.wallet_statement import StatementLine


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the statement. `direction` is "in" or "out" as the available balance sees it; None when only what
    was held has moved. `note` says from where to where. `balance` is what was available after it.
    """

    title: str
    note: str
    at: datetime
    amount: Amount
    direction: str | None
    escrow_id: UUID | None
    payout_id: str | None
    balance: Amount


_TITLES = {
    "deposit_credit": (said("Deposit"), said("arrived from the chain")),
    "deposit_reverse": (said("Deposit taken back"), said("the chain undid it")),
    "deposit_recover": (
        said("Loss made good"),
        said("for a deposit that was spent before the chain undid it"),
    ),
    "escrow_create": (said("Locked in an escrow"), said("from available to held")),
    "escrow_refund": (said("Refunded"), said("from held to available")),
    "dispute_bond": (said("Bond of a dispute"), said("from available to held")),
    "dispute_bond_return": (said("Bond given back"), said("from held to available")),
    "dispute_bond_loss": (said("Bond lost to the community fund"), said("the ruling gave you nothing")),
    "payout_queue": (said("Sent out"), said("to the chain")),
    "payout_return": (said("Payout returned"), said("it did not leave")),
    "payout_missing": (said("Part of a payout returned"), said("it was not paid")),
}


_OF_PAYOUTS = ("payout_queue", "payout_return", "payout_missing")


def line_of(line: StatementLine) -> Line:
    """The line in words."""
    change = line.available_change or line.held_change
    title, note = _words(line)
    return Line(
        title=title,
        note=note,
        at=line.at,
        amount=Amount(abs(change)),
        direction=_direction(line),
        escrow_id=line.escrow_id,
        payout_id=line.key.split(":")[1] if line.kind in _OF_PAYOUTS else None,
        balance=line.balance,
    )


def _words(line: StatementLine) -> tuple[str, str]:
    if line.kind in ("escrow_release", "escrow_resolve"):
        return _words_of_release(line)
    if line.kind == "deposit_credit" and line.escrow_id:
        if line.available_change:
            return _("Sent to an escrow’s address"), _("from the chain to available")
        return _("Paid into an escrow"), _("from the chain to held")
    return _TITLES.get(line.kind, (line.kind.replace("_", " ").capitalize(), ""))


def _words_of_release(line: StatementLine) -> tuple[str, str]:
    if line.available_change > 0 and line.held_change < 0:
        return said("Your part of a divided escrow"), said("from held to available")
    if line.available_change > 0 and line.kind == "escrow_resolve":
        return said("Earned"), said("your part of a divided escrow")
    if line.available_change > 0:
        return _("Earned"), _("released to you")
    if line.counterpart == accounts.FUND:
        return _("The community fund’s share"), _("from what was held")
    part = accounts.wallet_part(line.counterpart)
    return _("Paid to wallet %(number)s", number=part[1]) if part else _("Paid"), _("from what was held")


def _direction(line: StatementLine) -> str | None:
    if not line.available_change:
        return None
    return "in" if line.available_change > 0 else "out"


def batch_sentence(batch: Outlook) -> str:
    """When payouts leave, and what they wait for until then."""
    if not batch.missing:
        return _("It leaves with the next batch, within moments.")
    minutes = max(1, -int((utcnow() - batch.at_latest).total_seconds() // 60))
    together = _("It leaves together with others, which costs less.")
    others = ngettext(
        "That is as soon as %(num)d more payout is asked for.",
        "That is as soon as %(num)d more payouts are asked for.",
        batch.missing,
    )
    latest = ngettext(
        "At the latest it is in %(num)d minute.", "At the latest it is in %(num)d minutes.", minutes
    )
    return f"{together} {others} {latest}"
